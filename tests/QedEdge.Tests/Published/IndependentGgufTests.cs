using System.Text.Json.Nodes;
using QedEdge.Conversion;
using QedEdge.Quantization;

namespace QedEdge.Tests.Published;

/// <summary>qed inspect beside an independent implementation of the format (npm @huggingface/gguf): what each writes, the other reads.</summary>
public sealed class IndependentGgufTests : IDisposable
{
    private const string Variable = "QED_NODE_LLAMA"; // the folder in which npm installed it

    private readonly string _folder = Directory.CreateTempSubdirectory("qed").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void AFileOfAnotherArchitecture_IsShownAsItsWriterReadsIt()
    {
        string file = Path.Combine(_folder, "other.gguf");
        Node("write", file);
        AssertSame(file);
        JsonNode shown = Inspect(file);
        Assert.Equal("bert", (string)shown["metadata"]!["general.architecture"]!);
        Assert.Equal("18446744073709551615", (string)shown["metadata"]!["t.u64"]!);
        Assert.Equal([4200, 432, 240, 816, 28, 20, 24, 9], shown["tensors"]!.AsArray().Select(tensor => (int)tensor!["bytes"]!));
        Assert.Equal(0, PublishedPrograms.Run("qed", "x64", "inspect", file).ExitCode);
    }

    [Fact]
    public void OurFiles_AreReadByTheOther()
    {
        ConversionOptions[] all =
        [
            new() { Type = BlockFormat.Q4_0 },
            new() { Type = BlockFormat.IQ4_NL, Layout = FileLayout.Plain },
            new() { Type = BlockFormat.Q8_0, Layout = FileLayout.Plain, Architecture = FileArchitecture.Qwen2 },
        ];
        foreach (ConversionOptions options in all)
        {
            string file = Path.Combine(_folder, $"{options.Type}.gguf");
            CheckpointConverter.Convert(TestData.TinyQed, file, options);
            AssertSame(file);
        }
    }

    private static void AssertSame(string file)
    {
        JsonNode expected = JsonNode.Parse(Node("read", file))!, actual = Inspect(file);
        JsonArray tensors = expected["tensors"]!.AsArray(), shown = actual["tensors"]!.AsArray();
        Assert.Equal(tensors.Count, shown.Count);
        for (int i = 0; i < tensors.Count; i++)
        {
            foreach (string member in new[] { "name", "shape", "offset" })
                Assert.Equal(tensors[i]![member]!.ToJsonString(), shown[i]![member]!.ToJsonString());
            string type = (string)shown[i]!["type"]!;
            Assert.True(type.StartsWith("packed ") || type == (string)tensors[i]!["type"]!, $"{type}, {tensors[i]!["type"]}");
        }
        string[] counts = ["version", "tensor_count", "kv_count"];
        foreach ((string key, JsonNode? value) in expected["metadata"]!.AsObject().Where(entry => !counts.Contains(entry.Key)))
        {
            string text = (string)actual["metadata"]![key]!, other = (string)value!;
            bool number = double.TryParse(other, out double a) & double.TryParse(text, out double b);
            Assert.True(text == other || text.StartsWith(other + " × ") || (number && Math.Abs(a - b) <= 1e-6 * Math.Abs(a)), $"{key}: {text}, {other}");
        }
        Assert.Equal((string)expected["metadata"]!["kv_count"]!, actual["metadata"]!.AsObject().Count.ToString());
    }

    private static JsonNode Inspect(string file)
    {
        ProgramResult result = PublishedPrograms.Run("qed", "x64", "inspect", file, "--json");
        Assert.Equal((0, ""), (result.ExitCode, result.Error));
        return JsonNode.Parse(result.Output)!;
    }

    private static string Node(params string[] arguments)
    {
        Tools.Require("node");
        string folder = Environment.GetEnvironmentVariable(Variable) ?? Path.Combine(TestData.Root, "artifacts");
        Tools.Require(Path.Combine(folder, "node_modules", "@huggingface", "gguf"));
        ProgramResult result = Tools.Run("node", [Path.Combine(TestData.Root, "tests", "oracle", "gguf-file.mjs"), folder, .. arguments]);
        Assert.True(result.ExitCode == 0, result.Error);
        return result.Output;
    }
}
