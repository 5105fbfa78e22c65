using System.Text.Json;
using System.Text.RegularExpressions;

namespace QedEdge.Tests.Published;

/// <summary>What a newcomer sees first: help and tables of the terminal's width, what the machine is, what was measured, sizes in one unit.</summary>
public sealed class FrontTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("qed").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Theory]
    [InlineData("qed")]
    [InlineData("qed-convert")]
    public void Help_FitsIntoEveryTerminal(string program)
    {
        Tools.Require("script");
        string file = PublishedPrograms.File(program, "x64");
        foreach (string command in CommandHelp.All(program).Select(command => command.Name))
        {
            foreach (int columns in new[] { 80, 57 })
            {
                // By what the terminal says, by what the variable says, and 80 where neither says anything.
                string onTerminal = Tools.Run("script", ["-qec", $"stty cols {columns}; exec {file} {command} --help", "/dev/null"], start => start.Environment.Remove("COLUMNS")).Output.Replace("\r\n", "\n").Replace("^D\b\b", "");
                string asSaid = Help(columns.ToString());
                Assert.Equal(asSaid, onTerminal);
                Assert.InRange(Widest(asSaid), columns * 3 / 5, columns);
            }
            Assert.Equal(Help("80"), Help(null));

            string Help(string? columns) => Tools.Run(file, command == "" ? ["--help"] : [command, "--help"], start =>
            {
                start.Environment.Remove("COLUMNS");
                if (columns is not null)
                    start.Environment["COLUMNS"] = columns;
            }).Output;
        }
    }

    [Fact]
    public void Tables_FitIntoEightyColumns()
    {
        foreach (string[] arguments in (string[][])[["bench", "-p", "64", "-n", "4", "-r", "1", "-t", "1,2"], ["plan"], ["info"], ["eval", Path.Combine(TestData.Root, "samples", "eval"), "--limit", "1"]])
        {
            ProgramResult result = PublishedPrograms.Run("qed", "x64", arguments);
            Assert.Equal(0, result.ExitCode);
            Assert.True(Widest(Regex.Replace(result.Output, "(?m)^published averages.*$", "")) <= 80, result.Output);
        }
    }

    [Fact]
    public void WithoutACommand_HelpIsShown()
    {
        ProgramResult result = PublishedPrograms.Run("qed", "x64");
        Assert.Equal((2, ""), (result.ExitCode, result.Output));
        Assert.Equal(PublishedPrograms.Run("qed", "x64", "--help").Output, result.Error);
        Assert.Equal(PublishedPrograms.Run("qed", "x64", "generate", "--help").Output, PublishedPrograms.Run("qed", "x64", "--help", "generate").Output);
        ProgramResult converter = PublishedPrograms.Run("qed-convert", "x64");
        OneLine.AssertError(2, converter);
        Assert.StartsWith("error: MODEL_DIR and --output OUT.gguf are missing", converter.Error);
    }

    /// <summary>What the processor has, apart from what a build uses: the emulated one has AVX2 and nothing wider, whatever this machine has.</summary>
    [Fact]
    public void Info_SaysWhatTheProcessorHas_AndWhatIsUsedOfIt()
    {
        string[] lines = PublishedPrograms.Run("qed", "haswell", "info").Output.Split('\n');
        Assert.Contains("processor: avx2, fma", lines);
        Assert.Contains("this build uses: avx2, fma", lines);
        Assert.Contains("model: built-in model", lines);
        string here = PublishedPrograms.Run("qed", "x64", "info").Output;
        bool wide = File.ReadAllText("/proc/cpuinfo").Contains(" avx512bw ");
        Assert.Equal(wide, here.Contains(", avx512bw"));
        Assert.Equal(wide, here.Contains("the build for x86-64-v4, it is faster here")); // the test's executable is not for it
        string measured = PublishedPrograms.Run("qed", "x64", "bench", "-v", "-p", "1", "-n", "0", "-r", "1").Error;
        Assert.Contains("processor: avx2", measured);
        Assert.Equal(wide, measured.Contains("the build for x86-64-v4, it is faster here"));
        Assert.Contains("model: /some/file ($QED_MODEL)", Tools.Run(PublishedPrograms.File("qed", "x64"), ["info"], start => start.Environment["QED_MODEL"] = "/some/file").Output);
    }

    /// <summary>A report to pass on: what is known of the machine and the rows that were printed, in both forms; what this machine does not tell is left out.</summary>
    [Fact]
    public void Bench_WritesAReport()
    {
        string[] options = ["bench", "-p", "8", "-n", "4", "-r", "1", "-t", "1,2"];
        string markdown = Path.Combine(_folder, "report.md"), json = Path.Combine(_folder, "report.json");
        string printed = PublishedPrograms.Run("qed", "x64", [.. options, "--report", markdown]).Output;
        string report = File.ReadAllText(markdown);
        Assert.Contains("| kernels | ", report);
        Assert.Matches(@"\n\| memory \| \d+\.\d [MG]B \|\n", report);
        Assert.Contains("| keys and values | q8_0 |", report);
        string[] rows = [.. report.Split('\n').Where(line => line.StartsWith("| pp8 ", StringComparison.Ordinal) || line.StartsWith("| tg4 ", StringComparison.Ordinal))];
        Assert.Equal(4, rows.Length);
        Assert.All(rows, row => Assert.Contains(row.Split(" | ")[4], printed)); // the same figures
        Assert.Equal(0, PublishedPrograms.Run("qed", "x64", [.. options, "--report", json]).ExitCode);
        using var document = JsonDocument.Parse(File.ReadAllText(json));
        Assert.Equal(4, document.RootElement.GetProperty("results").GetArrayLength());
        Assert.Contains("linux", document.RootElement.GetProperty("qed").GetString());
        ProgramResult again = PublishedPrograms.Run("qed", "x64", [.. options, "--report", json]);
        Assert.Equal(1, again.ExitCode);
        Assert.Contains("report.json", again.Error);
    }

    [Fact]
    public void TheConverter_SaysWhatItMeasured_AndWhatItWrote()
    {
        string text = Path.Combine(_folder, "text"), model = Path.Combine(_folder, "m.gguf"), card = Path.Combine(_folder, "card.md");
        File.WriteAllLines(text, File.ReadLines(Path.Combine(TestData.TinyQed, "heldout.txt")).Take(3));
        ProgramResult result = PublishedPrograms.Run("qed-convert", "x64", TestData.TinyQed, "-o", model, "--measure", text, "--card", card);
        Assert.True(result.ExitCode == 0, result.Error);
        foreach (string label in new[] { "measured on", "perplexity", "KL divergence", "same top token" })
        {
            string line = Regex.Match(result.Error, $"(?m)^  {label} +(.*)$").Groups[1].Value;
            Assert.NotEqual("", line);
            Assert.Contains($"| {label} | {line} |", File.ReadAllText(card));
        }
        Assert.Contains($"wrote {card}\n", result.Error);
        // In powers of 1,000, and the sum is that of its column.
        double[] sizes = [.. Regex.Matches(result.Error, @"(?m)^ *(?:\S+ )*\S+ +\d+ +[\d,]+ +[\d.]+ +([\d.]+) (kB|MB)(?: |$)").Select(row => double.Parse(row.Groups[1].Value) * (row.Groups[2].Value == "kB" ? 1e3 : 1e6))];
        Assert.InRange(sizes.Length, 3, 6);
        Assert.InRange(sizes[..^1].Sum(), sizes[^1] - 0.11e6, sizes[^1] + 0.11e6);
        Assert.Contains($"wrote {model} ({new FileInfo(model).Length / 1e6:0.0} MB)\n", result.Error);
        Assert.Contains("largest error", result.Error);
        Assert.DoesNotContain("measured on", PublishedPrograms.Run("qed-convert", "x64", TestData.TinyQed, "-o", model, "--force").Error);
    }

    [Fact]
    public void Deb_WithoutArguments_SaysItsUsage()
    {
        ProgramResult result = Tools.Run("bash", [Path.Combine(TestData.Root, "build", "deb.sh")]);
        Assert.Equal((2, ""), (result.ExitCode, result.Output));
        Assert.StartsWith("usage: build/deb.sh ", result.Error);
    }

    [Fact]
    public void TheEnvironmentsModel_IsNamedAsSuch()
    {
        ProgramResult result = Tools.Run(PublishedPrograms.File("qed", "x64"), ["generate", "x"], start => start.Environment["QED_MODEL"] = "/nowhere");
        OneLine.AssertError(3, result);
        Assert.EndsWith(" ($QED_MODEL names it)\n", result.Error);
    }

    [Fact]
    public void Plan_SaysWhetherTheWeightsFit()
    {
        Assert.Contains("the weights fit, but not", PublishedPrograms.Run("qed", "x64", "plan", "--ram", "10M").Output);
        Assert.Contains("not even the weights fit", PublishedPrograms.Run("qed", "x64", "plan", "--ram", "1.5M").Output);
    }

    /// <summary>The longest line of a page, but for examples and a usage line, which stay whole.</summary>
    private static int Widest(string page) => page.Split("\nExample")[0].Split('\n').Max(line => line.Length);
}
