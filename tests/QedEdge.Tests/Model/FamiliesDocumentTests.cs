using System.Globalization;
using System.Text;
using QedEdge.Architectures;
using QedEdge.Architectures.Families;
using QedEdge.Conversion.Checkpoints;

namespace QedEdge.Tests.Model;

/// <summary>docs/families.md is made from the families' descriptions of the golden checkpoints.</summary>
public sealed class FamiliesDocumentTests
{
    [Fact]
    public void Document_IsWhatTheFamiliesSay()
    {
        string made = Document(), path = Path.Combine(TestData.Root, "docs", "families.md"), output = Path.Combine(TestData.Root, "artifacts", "families.md");
        File.WriteAllText(output, made);
        Assert.True(made == File.ReadAllText(path), $"docs/families.md is not what the families say; look at the difference and copy it: cp {output} {path}");
    }

    [Fact]
    public void EveryFamily_HasAGoldenCase() => Assert.Equal(FamilyRegistry.All.Select(static family => family.Name).Order(), Described().Select(static entry => entry.Family.Name).Distinct().Order());

    [Fact]
    public void Readme_NamesEveryFamily()
    {
        string[][] rows = [.. File.ReadAllText(Path.Combine(TestData.Root, "README.md")).Split("### Which models run\n\n")[1].Split("\n\n")[0].Split('\n')[2..].Select(static row => row.Split('|', StringSplitOptions.TrimEntries)[1..^1])];
        Assert.Equal(FamilyRegistry.All.Select(static family => $"`{family.Checkpoint}`").Order(StringComparer.Ordinal), rows.SelectMany(static row => row[3].Split(", ")).Order(StringComparer.Ordinal));
        // llama.cpp has neither QED, which is written as another family for it, nor GPT-Neo.
        Assert.Equal(FamilyRegistry.All.Select(static family => family is QedFamily ? "`qwen2` (`--arch qwen2`)" : family is GptNeoFamily ? "none has it" : $"`{family.Name}`").Order(StringComparer.Ordinal),
            rows.SelectMany(static row => row[4].Split(", ")).Order(StringComparer.Ordinal));
    }

    private static IEnumerable<(Family Family, CheckpointConfig Config)> Described() =>
        TestData.GoldenCases.Select(static folder => CheckpointConfig.ReadFolder(folder)).Select(static config => (config.Family, config));

    private static string Document()
    {
        var text = new StringBuilder("""
            # Families

            What each family computes, in the words of its description (`src/QedEdge/Architectures/Families`, one small file each); [numerics.md](numerics.md) says what the words mean. This page is made from the
            descriptions by a test, which also compares each family with float64 results of its checkpoints.

            """);
        List<(Family Family, CheckpointConfig Config)> described = [.. FamilyRegistry.All.Select(family => Described().First(entry => entry.Family == family))];
        Table(text, "what it computes", described, ("norms", static (f, a) => Norms(a)), ("positions", static (f, a) => Positions(a)), ("key-value heads", static (f, a) => Heads(f)),
            ("scores times", static (f, a) => Scale(f, a)), ("windows", static (f, a) => Windows(a)), ("feed-forward", static (f, a) => FeedForward(a)), ("residual", static (f, a) => Residual(a)));
        Table(text, "its files", described, ("`model_type`", static (f, a) => $"`{f.Checkpoint}`"), ("prefix", static (f, a) => $"`{f.Names.Prefix}`"),
            ("queries, keys, values", static (f, a) => f.Names.Fused is null ? "apart" : f.Names.IsBraided ? "one matrix, head by head" : "one matrix"),
            ("matrices", static (f, a) => f.Names.IsTransposed ? "[inputs, outputs]" : "[outputs, inputs]"), ("norms", static (f, a) => f.Names.NormsPlusOne ? "less 1" : "as they are"),
            ("rows of plain GGUF", static (f, a) => f.InterleavesRows ? "neighbours turn" : "halves turn, or none"));
        text.Append("\nEmbeddings are multiplied by √width in ").Append(Those(described, static a => a.EmbeddingScale != 1)).Append("; a table of learned positions is added in ")
            .Append(Those(described, static a => a.PositionTable > 0)).Append(", where a text cannot slide through the context nor lose a part of its middle. Logits have a bias in ")
            .Append(Those(described, static a => a.HeadBias)).Append(".\n");
        return text.ToString();
    }

    private static void Table(StringBuilder text, string corner, List<(Family Family, CheckpointConfig Config)> described, params (string Head, Func<Family, Architecture, string> Cell)[] columns)
    {
        text.Append($"\n| {corner} |").AppendJoin("", columns.Select(static column => $" {column.Head} |")).Append("\n|---|").Insert(text.Length, "---|", columns.Length).Append('\n');
        foreach ((Family family, CheckpointConfig config) in described)
            text.Append($"| `{family.Name}` |").AppendJoin("", columns.Select(column => $" {column.Cell(family, config.Architecture)} |")).Append('\n');
    }

    private static string Those(List<(Family Family, CheckpointConfig Config)> described, Func<Architecture, bool> which) =>
        string.Join(", ", described.Where(entry => which(entry.Config.Architecture)).Select(static entry => $"`{entry.Family.Name}`"));

    private static string Norms(Architecture a)
    {
        AttentionShape attention = a.Layers[0].Attention;
        string name = a.OutputNorm.Kind == NormKind.Rms ? "RMSNorm" : "LayerNorm";
        return name + (attention.QueryKeyNorm is null ? "" : ", of queries and keys too") + (attention.PostNorm is null ? "" : ", behind both halves too");
    }

    private static string Positions(Architecture a)
    {
        Rotary[] rotaries = [.. a.Layers.Select(static layer => layer.Attention.Rotary).OfType<Rotary>().Distinct()];
        if (rotaries.Length == 0)
            return "learned";
        return "rotary" + (rotaries[0].Dimensions < a.HeadSize ? " on a part of each head" : "") + (rotaries.Length > 1 ? ", another base in layers with a window" : "")
            + (a.Layers.Any(static layer => layer.Attention.Rotary is null) ? ", none in some layers" : "");
    }

    private static string Heads(Family family) => Described().Where(entry => entry.Family == family).Any(static entry => entry.Config.Architecture.Layers[0].Attention.Group > 1) ? "shared by groups" : "one each";

    private static string Scale(Family family, Architecture a) => family.Name == "gemma3" ? "1/√query_pre_attn_scalar" : a.Layers[0].Attention.Scale == 1 ? "1" : "1/√size";

    private static string Windows(Architecture a) => string.Create(CultureInfo.InvariantCulture, $"{(a.Layers.Any(static layer => layer.Attention.Window is not null) ? "in some layers" : "none")}");

    private static string FeedForward(Architecture a) => a.Layers[0].FeedForward.Activation switch
    {
        Activation.Silu => "SiLU",
        Activation.GeluTanh => "GELU, tanh form",
        _ => "GELU",
    } + (a.Layers[0].FeedForward.IsGated ? ", gated" : "");

    private static string Residual(Architecture a) => a.Layers[0].Parallel ? "both halves together" : "one half after the other";
}
