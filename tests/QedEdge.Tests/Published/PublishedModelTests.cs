using System.Globalization;
using System.Text.Json.Nodes;
using QedEdge.Cli.Evaluation;
using QedEdge.Conversion;
using QedEdge.Conversion.Checkpoints;
using QedEdge.Gguf;
using QedEdge.Model;
using QedEdge.Tests.Conversion;
using QedEdge.Tests.Gguf;

namespace QedEdge.Tests.Published;

/// <summary>qed eval prints the published figures of the models of QED-75M's model card, and of no other model as its own.</summary>
public sealed class PublishedModelTests : IDisposable
{
    private static readonly string Questions = Path.Combine(TestData.Root, "samples", "eval");

    private readonly CheckpointFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("llama-smol-tied-bf16", "HuggingFaceTB/SmolLM2-135M", "SmolLM2-135M", 0.299140)]
    [InlineData("tied-f32", "levossadtchi/QED-75M", "QED-75M", 0.287318)]
    [InlineData("gpt_neo-window8-f32", "EleutherAI/gpt-neo-125M", "gpt-neo-125m", 0.279464)]
    [InlineData("gpt_neox-parallel-f16", "Pythia 160m Deduped", "pythia-160m-deduped", 0.275796)]
    [InlineData("gpt2-buffers-f32", "Gpt2", "gpt2", 0.273993)]
    public void AModelKnownByItsName_StandsBesideItsPublishedFigures(string golden, string name, string published, double average)
    {
        string file = Convert(golden, name);
        string[] lines = Output("eval", Questions, "--limit", "1", "-m", file).Split('\n');
        Assert.EndsWith("  published", lines[1]);
        Assert.EndsWith(average.ToString("  0.000000", CultureInfo.InvariantCulture), lines.Single(line => line.StartsWith("average", StringComparison.Ordinal)));
        Assert.EndsWith($"this model is {published} by its name\n", string.Join('\n', lines));
        Assert.Equal(published == "QED-75M", lines[2].EndsWith("  0.231229", StringComparison.Ordinal));

        JsonNode json = Json("eval", Questions, "--limit", "1", "-m", file);
        Assert.Equal((published, "name", average), ((string)json["published_model"]!, (string)json["published_model_by"]!, (double)json["published_average"]!));
        Assert.Equal(("qed", "lighteval", 5), ((string)json["published_protocol"]!, (string)json["published_prompts"]!, json["published_averages"]!.AsObject().Count));
        Assert.Equal(average, (double)json["published_averages"]![published]!);
        double?[] tasks = [.. json["tasks"]!.AsArray().Select(task => (double?)task!["published"])];
        Assert.Equal(published == "QED-75M" ? [0.231229, 0.204750, 0.253336, 0.506709, 0.240564] : new double?[5], tasks);
    }

    [Fact]
    public void AnotherModel_IsNoneOfThem()
    {
        string text = Output("eval", Questions, "--limit", "1", "--protocol", "standard");
        Assert.Contains("published averages (QED-75M's model card; protocol qed, prompts lighteval, no examples): SmolLM2-135M 0.299140, QED-75M 0.287318, gpt-neo-125m 0.279464, pythia-160m-deduped 0.275796, gpt2 0.273993\n", text);
        Assert.EndsWith("this model is known as none of them; this run was made in another way, and does not compare with them\n", text);
        JsonNode json = Json("eval", Questions, "--limit", "1");
        Assert.Null(json["published_model"]);
        Assert.Null(json["published_average"]);
        Assert.Null(json["tasks"]![0]!["published"]);
    }

    [Theory]
    [InlineData("llama-smol-tied-bf16", "SmolLM2-135M", """{"num_hidden_layers":30,"hidden_size":576,"vocab_size":49152,"head_dim":64}""")]
    [InlineData("tied-f32", "QED-75M", """{"n_layers":32,"d_model":384,"n_heads":6,"vocab_size":49152}""")]
    [InlineData("gpt_neo-window8-f32", "gpt-neo-125m", """{"num_layers":12,"hidden_size":768,"num_heads":12,"vocab_size":50257,"attention_types":[[["global","local"],6]]}""")]
    [InlineData("gpt_neox-parallel-f16", "pythia-160m-deduped", """{"num_hidden_layers":12,"hidden_size":768,"num_attention_heads":12,"vocab_size":50304}""")]
    [InlineData("gpt2-buffers-f32", "gpt2", """{"n_layer":12,"n_embd":768,"n_head":12,"vocab_size":50257}""")]
    public void AModelWithoutAName_IsKnownByItsShape(string golden, string published, string shape)
    {
        Assert.Equal(published, Find(golden, null, shape)?.Name);
        Assert.Null(Find(golden, null, shape.Replace("\"vocab_size\":", "\"vocab_size\":1", StringComparison.Ordinal)));
        Assert.Null(Find(golden, $"{published}-Instruct", shape));
        Assert.Null(Find(golden == "tied-f32" ? "gpt2-buffers-f32" : "tied-f32", published, "{}")); // of another family
    }

    private PublishedModel? Find(string golden, string? name, string changes)
    {
        JsonObject config = FamilyFolder.Config(golden);
        config.Remove("attention_layers"); // a copy of attention_types
        foreach ((string key, JsonNode? value) in JsonNode.Parse(changes)!.AsObject())
            config[key] = value!.DeepClone();
        File.WriteAllText(_folder["config.json"], config.ToJsonString());
        var writer = new GgufWriter();
        ModelMetadata.WriteModel(writer, name, CheckpointConfig.ReadFolder(_folder.Path).Architecture);
        var stream = new MemoryStream();
        writer.Begin(stream);
        writer.End();
        using GgufFile file = GgufSample.Open(stream.ToArray());
        return PublishedModel.Find(ModelConfig.Read(file));
    }

    /// <summary>A small model of a family and a name, with the sample's tokenizer.</summary>
    private string Convert(string golden, string name)
    {
        using var checkpoint = new FamilyFolder(golden, ("_name_or_path", $"\"{name}\""), ("vocab_size", "2048"), ("bos_token_id", "1"), ("eos_token_id", "2"), ("pad_token_id", "0"));
        foreach (string file in (string[])["tokenizer.json", "tokenizer_config.json", "special_tokens_map.json"])
            File.Copy(Path.Combine(TestData.TinyQed, file), Path.Combine(checkpoint.Model, file));
        CheckpointConverter.Convert(checkpoint.Model, _folder["named.gguf"], new ConversionOptions());
        return _folder["named.gguf"];
    }

    private static JsonNode Json(params string[] arguments) => JsonNode.Parse(Output([.. arguments, "--json"]))!;

    private static string Output(params string[] arguments)
    {
        ProgramResult result = PublishedPrograms.Run("qed", "x64", arguments);
        Assert.Equal((0, ""), (result.ExitCode, result.Error));
        return result.Output;
    }
}
