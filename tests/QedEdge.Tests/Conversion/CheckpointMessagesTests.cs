using System.Text.Json.Nodes;
using QedEdge.Conversion;
using QedEdge.Conversion.Checkpoints;
using QedEdge.Tests.Text;

namespace QedEdge.Tests.Conversion;

/// <summary>Errors that lead to the place in the file.</summary>
public sealed class CheckpointMessagesTests : IDisposable
{
    private readonly CheckpointFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("{x", "(column 2)")]
    [InlineData("{\"model_type\"; \"qed\"}", "(column 14)")]
    [InlineData("\uFEFF{\n\n  \"ä你👍\": 1,,\n}", "(line 3, column 12)")]
    [InlineData("{\n\"a\": tru0}", "line 2, column ")]
    public void Read_JsonThatIsNone_IsSaidWhere(string text, string words)
    {
        File.WriteAllText(_folder["config.json"], text);
        string message = Assert.Throws<ModelFormatException>(() => CheckpointConfig.ReadFolder(_folder.Path)).Message;
        Assert.Contains("config.json: no valid JSON: ", message, StringComparison.Ordinal);
        Assert.Contains(words, message, StringComparison.Ordinal);
        Assert.DoesNotContain("LineNumber", message, StringComparison.Ordinal);
        Assert.DoesNotContain("BytePosition", message, StringComparison.Ordinal);
    }

    [Fact]
    public void Read_AHeaderThatIsNone_IsSaidWhere()
    {
        File.WriteAllBytes(_folder["x.safetensors"], CheckpointFolder.Safetensors("{\"a\": {\n'", 0));
        Assert.Matches("the header is no valid JSON: ''' is .* \\(line 2, column 1\\)", Assert.Throws<ModelFormatException>(() => SafetensorsHeader.Read(_folder["x.safetensors"])).Message);
    }

    /// <summary>The key that gave an id is named, not the other one.</summary>
    [Theory]
    [InlineData("vocab", "model.vocab", "id 40 ('new') is outside")]
    [InlineData("twice", "added_tokens", "'ab'")]
    public void Read_ATokenThatDoesNotFit_IsNamedByItsKey(string where, string key, string words)
    {
        JsonObject json = TinyTokenizer.Json();
        if (where == "vocab")
            json["model"]!["vocab"]!["new"] = 40;
        else
            json["added_tokens"]!.AsArray().Add(new JsonObject { ["id"] = where == "twice" ? 9 : 40, ["content"] = where == "twice" ? "ab" : "new" });
        using var document = System.Text.Json.JsonDocument.Parse(json.ToJsonString());
        var refused = Assert.Throws<ModelFormatException>(() => TokenizerJson.Read(document.RootElement, "tokenizer.json", 12));
        Assert.Equal(key, refused.Key);
        Assert.Contains(words, refused.Message, StringComparison.Ordinal);
    }

    /// <summary>Gemma 3's tokenizer names a token for pictures that its text models have no row for: it is left out, and said.</summary>
    [Fact]
    public void Read_AddedTokensWithoutARow_AreLeftOut()
    {
        JsonObject json = TinyTokenizer.Json();
        json["added_tokens"]!.AsArray().Add(new JsonObject { ["id"] = 40, ["content"] = "<image>" });
        using var document = System.Text.Json.JsonDocument.Parse(json.ToJsonString());
        var warnings = new List<string>();
        var data = TokenizerJson.Read(document.RootElement, "tokenizer.json", 12, [new NamedToken("image_token", "<image>", "tokenizer_config.json")], warnings);
        Assert.Equal(12, data.Tokens.Count);
        Assert.Equal("tokenizer.json has added tokens that the model has no row for; they are left out: '<image>'", Assert.Single(warnings));
    }

    /// <summary>Weights that no configuration bounds, and none that fit into an adapter's arithmetic.</summary>
    [Theory]
    [InlineData("embed_tokens", 0, AdapterFolder.Width)]
    [InlineData("layers.0.attention.q_proj", 0, 1 << 29)]
    public void Convert_AnAdapterForWeightsThatDoNotFit_IsRefusedForTheWeights(string module, int rows, int cols)
    {
        using var folder = new AdapterFolder();
        var tensors = folder.Checkpoint();
        tensors[module + ".weight"] = new TestTensor(module + ".weight", "F32", [rows, cols], []);
        AdapterFolder.Write(Path.Combine(folder.Model, "model.safetensors"), tensors.Values);
        folder.Config["r"] = 2;
        bool embedding = module == "embed_tokens";
        folder.Tensors.Add(new TestTensor($"base_model.model.{module}.lora{(embedding ? "_embedding_A" : "_A.weight")}", "F32", [2, 0], []));
        folder.Tensors.Add(new TestTensor($"base_model.model.{module}.lora{(embedding ? "_embedding_B" : "_B.weight")}", "F32", [0, 2], []));
        folder.Save();
        var refused = Assert.Throws<ModelFormatException>(() => CheckpointConverter.Convert(folder.Model, folder["out"], new() { LoraFolder = folder.Adapter }));
        Assert.Equal(module + ".weight", refused.Tensor);
        Assert.Contains($"its shape is [{rows}, {cols}], and config.json requires", refused.Message, StringComparison.Ordinal);
    }

    /// <summary>A configuration of 200 bytes asks for 2^55 bytes: refused before any is written.</summary>
    [Fact]
    public void Random_MoreWeightsThanTheDiskHolds_AreRefused()
    {
        File.WriteAllText(_folder["c.json"], """{"model_type":"qed","vocab_size":1048576,"d_model":1048576,"n_layers":1024,"n_heads":1024,"ffn_hidden_dim":1048576,"max_seq_len":16777216}""");
        var refused = Assert.Throws<QedException>(() => RandomCheckpoint.Write(_folder["c.json"], _folder["random"], 0, CheckpointType.F32, overwrite: false));
        Assert.Contains("the file system has", refused.Message, StringComparison.Ordinal);
        Assert.Empty(Directory.GetFiles(_folder["random"]));
    }
}
