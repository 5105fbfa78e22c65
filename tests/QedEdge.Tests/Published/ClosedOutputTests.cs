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

    private static ProgramResult Run(string command) => Tools.Run("bash", ["-c", $"'{PublishedPrograms.File("qed", "x64")}' {command}"]);
}
