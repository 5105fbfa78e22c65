using System.Globalization;
using System.Text.RegularExpressions;
using QedEdge.Conversion;
using QedEdge.Quantization;
using QedEdge.Tests.Conversion;

namespace QedEdge.Tests.Published;

/// <summary>Speed on Arm can only rise: the instructions of a token, counted under emulation, are no more than bench/arm/instructions.md has.</summary>
public sealed class ArmInstructionsTests : IDisposable
{
    private static readonly string Tool = Path.Combine(TestData.Root, "bench", "arm", "instructions.py"), Table = Path.Combine(TestData.Root, "bench", "arm", "instructions.md");

    private readonly CheckpointFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    /// <summary>One figure is recorded a fiftieth too low, so that the same run shows that the check fails, and on nothing else.</summary>
    [Fact]
    public void NoToken_TakesMoreInstructionsThanRecorded()
    {
        const string Row = "| q8_0 | cortex-a76 |";
        string[] recorded = File.ReadAllLines(Table);
        int prompt = Prompt(recorded);
        string table = _folder["table.md"];
        File.WriteAllLines(table, recorded.Select(line => line.StartsWith(Row, StringComparison.Ordinal) ? $"{string.Join('|', line.Split('|')[..4])}| {prompt - prompt / 50} |" : line));

        ProgramResult result = Count(table, BlockFormat.Q4_0, BlockFormat.Q8_0);
        string counted = $"{result.Error}{result.Output}Where that is meant, the rows above take the place of those in {Table}.";
        Assert.True(Regex.IsMatch(result.Error, @"^q8_0, cortex-a76: [\d,]+ instructions of a prompt token, [\d,]+ are recorded in .*table\.md\n$"), counted);
        Assert.Equal(1, result.ExitCode);
        string[] output = result.Output.Split('\n');
        Assert.True(Prompt(output) <= prompt + prompt / 100, counted);
        Assert.Equal(recorded.Count(IsRow), output.Count(IsRow)); // nothing is recorded that is not counted

        static int Prompt(string[] lines) => int.Parse(lines.Single(line => line.StartsWith(Row, StringComparison.Ordinal)).Split('|')[4].Replace(",", "", StringComparison.Ordinal), CultureInfo.InvariantCulture);
    }

    private static bool IsRow(string line) => line.StartsWith("| q", StringComparison.Ordinal);

    private ProgramResult Count(string table, params BlockFormat[] formats)
    {
        Tools.Require("python3", "qemu-aarch64-static");
        string[] models = [.. formats.Select(Convert)];
        return Tools.Run("python3", [Tool, PublishedPrograms.File("qed", "arm64"), .. models, "--check", table]);
    }

    private string Convert(BlockFormat format)
    {
        string file = _folder[$"{format.ToString().ToLowerInvariant()}.gguf"];
        CheckpointConverter.Convert(TestData.TinyQed, file, new ConversionOptions { Type = format });
        return file;
    }
}
