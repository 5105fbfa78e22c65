using QedEdge.Conversion;

namespace QedEdge.Tests.Published;

/// <summary>Readers that go, outputs that take nothing: no work for nobody, and never a crash.</summary>
public sealed class ClosedOutputTests
{
    // Slow enough that the reader is gone long before the end.
    private const string Generate = "generate Once -n 900 --ignore-eos --seed 1 -t 1 --isa scalar -v";

    [Theory]
    [InlineData(Generate)] // -v would say at the end how fast it was
    [InlineData("inspect")]
    [InlineData("info")]
    [InlineData("--help")]
    public void AReaderThatHasSeenEnough_EndsTheProgramQuietly(string command)
    {
        ProgramResult result = Run(command + " | head -c 10; exit ${PIPESTATUS[0]}");
        Assert.Equal((0, ""), (result.ExitCode, result.Error));
        Assert.Equal(10, result.Output.Length);
    }

    [Theory]
    [InlineData("generate Once -n 5")]
    [InlineData("generate Once -n 5 --json")]
    [InlineData("logits --tokens 1")]
    [InlineData("inspect")]
    [InlineData("--help")]
    public void AnOutputThatTakesNothing_IsAnErrorOfOneLine(string command)
    {
        OneLine.AssertError(1, Run(command + " >/dev/full"));
        OneLine.AssertError(1, Run(command + " >&-"));
        ProgramResult silent = Run(command + " >&- 2>&-");
        Assert.Equal((1, ""), (silent.ExitCode, silent.Error));
    }

    [Theory]
    [InlineData("2>/dev/full")]
    [InlineData("2>&-")]
    [InlineData(">&- 2>&-")]
    [InlineData("<&- >&- 2>&-")]
    public void AConversionThatNobodyListensTo_WritesItsFileAllTheSame(string redirection)
    {
        string folder = Directory.CreateTempSubdirectory("qed").FullName;
        try
        {
            string expected = Path.Combine(folder, "expected"), converted = Path.Combine(folder, "converted"), repacked = Path.Combine(folder, "repacked");
            CheckpointConverter.Convert(TestData.TinyQed, expected, new());
            Assert.Equal(0, Convert($"'{TestData.TinyQed}' -o '{converted}'"));
            Assert.Equal(File.ReadAllBytes(expected), File.ReadAllBytes(converted));
            Assert.Equal(0, Convert($"repack '{converted}' -o '{repacked}' --layout packed"));
            Assert.Equal(File.ReadAllBytes(expected), File.ReadAllBytes(repacked));
            Assert.Equal(0, Convert($"random '{TestData.TinyQed}/config.json' -o '{folder}/random'"));
            Assert.Equal(1, Convert($"'{TestData.TinyQed}' -o '{converted}'"));
            Assert.Equal(2, Convert("--no-such-option"));
            Assert.Equal(3, Convert($"'{folder}/nowhere' -o '{folder}/nothing'"));
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }

        int Convert(string command)
        {
            ProgramResult result = Run($"{command} {redirection}", "qed-convert");
            Assert.Equal(("", ""), (result.Output, result.Error));
            return result.ExitCode;
        }
    }

    [Fact]
    public void TheConvertersHelp_NeedsAnOutputThatTakesIt()
    {
        OneLine.AssertError(1, Run("--help >/dev/full", "qed-convert"));
        OneLine.AssertError(1, Run("--help >&-", "qed-convert"));
        ProgramResult result = Run("--help | head -c 10; exit ${PIPESTATUS[0]}", "qed-convert");
        Assert.Equal((0, ""), (result.ExitCode, result.Error));
    }

    [Fact]
    public void OutputsToOneFile_FollowOneAnother()
    {
        string file = Path.GetTempFileName();
        try
        {
            ProgramResult result = Tools.Run("bash", ["-c", """(echo first; "$0" tokenize a; "$0" tokenize a) >"$1" """, PublishedPrograms.File("qed", "x64"), file]);
            Assert.Equal((0, ""), (result.ExitCode, result.Error));
            string[] lines = File.ReadAllLines(file);
            Assert.Equal(3, lines.Length);
            Assert.Equal(["first", lines[2]], lines[..2]);
        }
        finally
        {
            File.Delete(file);
        }
    }

    private static ProgramResult Run(string command, string program = "qed") => Tools.Run("bash", ["-c", $"'{PublishedPrograms.File(program, "x64")}' {command}"]);
}
