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

    [Fact]
    public void NoToken_TakesMoreInstructionsThanRecorded()
    {
        ProgramResult result = Count(Table, BlockFormat.Q4_0, BlockFormat.Q8_0);
        Assert.True(result.ExitCode == 0, $"{result.Error}{result.Output}Where that is meant, the rows above take the place of those in {Table}.");
        Assert.Equal(File.ReadLines(Table).Count(IsRow), result.Output.Split('\n').Count(IsRow)); // nothing is recorded that is not counted
    }

    [Fact]
    public void OneInFifty_IsTooMany()
    {
        string table = _folder["table.md"];
        string row = File.ReadLines(Table).First(line => line.StartsWith("| q8_0 | cortex-a76 |", StringComparison.Ordinal));
        int prompt = int.Parse(row.Split('|')[4].Replace(",", "", StringComparison.Ordinal), System.Globalization.CultureInfo.InvariantCulture);
        string[] lines = ["| model | processor | decoded | prompt |", "| q8_0 | cortex-a72 | 999,999,999 | 999,999,999 |", $"| q8_0 | cortex-a76 | 999,999,999 | {prompt - prompt / 50} |"];
        File.WriteAllLines(table, lines);
        ProgramResult result = Count(table, BlockFormat.Q8_0);
        Assert.Equal(1, result.ExitCode);
        Assert.Matches(@"^q8_0, cortex-a76: [\d,]+ instructions of a prompt token, [\d,]+ are recorded in .*table\.md\n$", result.Error);
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
