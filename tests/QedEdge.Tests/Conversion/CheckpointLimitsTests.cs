using System.Globalization;
using System.Text.Json.Nodes;
using QedEdge.Conversion;
using QedEdge.Conversion.Checkpoints;
using QedEdge.Tests.Text;
using Limits = QedEdge.Conversion.Checkpoints.CheckpointLimits;

#pragma warning disable xUnit1051 // every call here takes milliseconds; none needs to be cancelled

namespace QedEdge.Tests.Conversion;

/// <summary>Each length that a checkpoint, its tokenizer or an adapter gives, at its limit and one above.</summary>
public sealed class CheckpointLimitsTests : IDisposable
{
    private const string Weights = "model.safetensors", Index = Weights + ".index.json", Query = "layers.0.attention.q_proj";

    private readonly CheckpointFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData(CheckpointConfig.FileName, Limits.ConfigBytes)]
    [InlineData(GenerationConfig.FileName, Limits.ConfigBytes)]
    [InlineData(Index, Limits.IndexBytes)]
    [InlineData(TokenizerJson.FileName, Limits.TokenizerBytes)]
    [InlineData(TokenizerConfig.FileName, Limits.TokenizerConfigBytes)]
    [InlineData("special_tokens_map.json", Limits.TokenizerConfigBytes)]
    [InlineData("chat_template.jinja", Limits.ChatTemplateBytes)]
    public void BytesOfAFile(string name, int limit)
    {
        _folder.With(name == Index ? "sharded-f16-model-prefix" : "tied-f32");
        if (name != TokenizerJson.FileName)
            File.Copy(Path.Combine(TestData.TinyQed, TokenizerJson.FileName), _folder[TokenizerJson.FileName]);
        AssertLimit(limit, length => Write(_folder[name], length), () => CheckpointConverter.Convert(_folder.Path, _folder["out"], new() { Overwrite = true }));
    }

    [Fact]
    public void BytesOfAnAdaptersConfiguration()
    {
        using var folder = new AdapterFolder();
        folder.Add(Query, AdapterFolder.Width, AdapterFolder.Width).Save();
        AssertLimit(Limits.ConfigBytes, length => Write(Path.Combine(folder.Adapter, AdapterConfig.FileName), length), () => Merge(folder));
    }

    [Fact]
    public void BytesOfAChatTemplateInTheConfiguration() => AssertLimit(Limits.ChatTemplateBytes,
        length => WriteText(TokenizerConfig.FileName, $$"""{"chat_template":"{{new string('x', length)}}"}"""), () => TokenizerConfig.ReadFolder(_folder.Path));

    [Fact]
    public void DepthOfJson() => AssertLimit(Limits.JsonDepth,
        depth => WriteText("x.json", $$"""{"x":{{new string('[', depth - 1)}}{{new string(']', depth - 1)}}}"""), () => CheckpointJson.ReadObject(_folder["x.json"], Limits.ConfigBytes).Dispose(), "depth of 64");

    [Fact]
    public void BytesOfAHeader() => AssertLimit(Limits.HeaderBytes, length =>
    {
        byte[] start = [.. BitConverter.GetBytes((long)length), (byte)'{'];
        using FileStream stream = File.Create(_folder[Weights]);
        stream.Write(start);
        stream.SetLength(length + 8L);
    }, ReadHeader);

    [Fact]
    public void DepthOfAHeader() => AssertLimit(Limits.HeaderDepth,
        depth => Header("{\"__metadata__\":{\"x\":" + new string('[', depth - 2) + new string(']', depth - 2) + "}}"), ReadHeader, "depth of 8");

    [Fact]
    public void TensorsOfAFile() => AssertLimit(Limits.Tensors,
        count => Header("{\"__metadata__\":{}," + string.Join(',', Enumerable.Range(0, count).Select(Empty)) + "}"), ReadHeader);

    [Fact]
    public void TensorsOfAllParts()
    {
        _folder.With("tied-f32");
        File.Delete(_folder[Weights]);
        AssertLimit(Limits.Tensors, count =>
        {
            string[] parts = ["a.safetensors", "b.safetensors"];
            for (int part = 0; part < 2; part++)
                File.WriteAllBytes(_folder[parts[part]], CheckpointFolder.Safetensors("{" + string.Join(',', Enumerable.Range(0, count).Where(i => i % 2 == part).Select(Empty)) + "}", 0));
            WriteText(Index, "{\"weight_map\":{" + string.Join(',', Enumerable.Range(0, count).Select(i => $"\"t{i}\":\"{parts[i % 2]}\"")) + "}}");
        }, () => Checkpoint.Open(_folder.Path));
    }

    [Fact]
    public void Parts()
    {
        _folder.With("tied-f32");
        File.Delete(_folder[Weights]);
        AssertLimit(Limits.Parts, count => WriteText(Index, "{\"weight_map\":{" + string.Join(',', Enumerable.Range(0, count).Select(i => $"\"t{i}\":\"p{i}.safetensors\"")) + "}}"),
            () => Checkpoint.Open(_folder.Path));
    }

    [Fact]
    public void CharactersOfATensorsName() => AssertLimit(Limits.TensorName,
        length => Header("{\"" + new string('n', length) + "\":{\"dtype\":\"F32\",\"shape\":[0],\"data_offsets\":[0,0]}}"), ReadHeader);

    [Fact]
    public void DimensionsOfATensor() => AssertLimit(Limits.Dimensions,
        count => Header("{\"n\":{\"dtype\":\"F32\",\"shape\":[" + string.Join(',', Enumerable.Repeat(0, count)) + "],\"data_offsets\":[0,0]}}"), ReadHeader);

    [Theory]
    [InlineData("n_layers", Limits.Layers)]
    [InlineData("d_model", Limits.Size)]
    [InlineData("ffn_hidden_dim", Limits.Size)]
    [InlineData("vocab_size", Limits.Size)]
    [InlineData("max_seq_len", Limits.Context)]
    public void SizesOfAModel(string key, int limit)
    {
        JsonObject config = JsonNode.Parse(File.ReadAllText(Path.Combine(CheckpointFolder.Golden("tied-f32"), CheckpointConfig.FileName)))!.AsObject();
        AssertLimit(limit, value =>
        {
            config[key] = value;
            WriteText(CheckpointConfig.FileName, config.ToJsonString());
        }, () => CheckpointConfig.ReadFolder(_folder.Path));
    }

    [Fact]
    public void ValuesOfAHead() => AssertLimit(Limits.HeadSize, size => WriteText(CheckpointConfig.FileName,
        $$"""{"model_type":"qed","vocab_size":8,"d_model":{{size + size % 2}},"n_layers":1,"n_heads":1,"ffn_hidden_dim":8,"max_seq_len":8}"""), () => CheckpointConfig.ReadFolder(_folder.Path));

    [Fact]
    public void TokensThatEndAText() => AssertLimit(Limits.EndTokens,
        count => WriteText(GenerationConfig.FileName, $$"""{"eos_token_id":[{{string.Join(',', Enumerable.Range(0, count))}}]}"""), () => GenerationConfig.ReadFolder(_folder.Path, 1 << 20));

    [Fact]
    public void BytesOfAToken() => AssertTokenizerLimit(Limits.TokenBytes, (json, length) => json["model"]!["vocab"]!.AsObject()[new string('t', length)] = 7);

    [Fact]
    public void BytesOfAnAddedToken() => AssertTokenizerLimit(Limits.AddedTokenBytes,
        (json, length) => json["added_tokens"]!.AsArray().Add(new JsonObject { ["id"] = 7, ["content"] = new string('t', length) }));

    [Fact]
    public void AddedTokens() => AssertTokenizerLimit(Limits.AddedTokens, (json, count) => json["added_tokens"] =
        new JsonArray([.. Enumerable.Range(0, count).Select(static i => (JsonNode)new JsonObject { ["id"] = 7 + i, ["content"] = $"<t{i}>" })]));

    [Fact]
    public void AddedTokensThatOtherFilesName() => AssertLimit(Limits.AddedTokens,
        count => WriteText(TokenizerConfig.FileName, $$"""{"extra_special_tokens":[{{string.Join(',', Enumerable.Repeat("\"t\"", count))}}]}"""), () => TokenizerConfig.ReadFolder(_folder.Path));

    [Fact]
    public void Merges() => AssertTokenizerLimit(Limits.Merges, (json, count) => json["model"]!["merges"] = JsonNode.Parse($"[{string.Join(',', Enumerable.Repeat("0", count))}]"));

    [Fact]
    public void RankOfAnAdapter() => AssertAdapterLimit(Limits.Rank, (config, rank) => config["r"] = rank, "from 1 to 65536");

    [Fact]
    public void ModulesOfAnAdapter() => AssertAdapterLimit(Limits.Modules,
        (config, count) => config["target_modules"] = new JsonArray([.. Enumerable.Range(0, count).Select(static i => (JsonNode)i.ToString(CultureInfo.InvariantCulture))]));

    [Fact]
    public void PatternsOfAnAdapter() => AssertAdapterLimit(Limits.Modules, (config, count) =>
    {
        var patterns = new JsonObject();
        for (int i = 0; i < count; i++)
            patterns[$"m{i}"] = 2;
        config["alpha_pattern"] = patterns;
    });

    [Fact]
    public void CharactersOfAPattern() => AssertAdapterLimit(Limits.Pattern, (config, length) => config["rank_pattern"] = new JsonObject { [new string('m', length)] = 2 });

    private static string Empty(int i) => $"\"t{i}\":{{\"dtype\":\"F32\",\"shape\":[0],\"data_offsets\":[0,0]}}";

    /// <summary>A file that takes no room. What it holds is refused for something else than its length.</summary>
    private static void Write(string path, long length)
    {
        using FileStream stream = File.Create(path);
        stream.SetLength(length);
    }

    private static void Merge(AdapterFolder folder) => CheckpointConverter.Convert(folder.Model, folder["out"], new() { LoraFolder = folder.Adapter, Overwrite = true });

    private static void AssertAdapterLimit(int limit, Action<JsonObject, int> set, string? words = null)
    {
        using var folder = new AdapterFolder();
        folder.Add(Query, AdapterFolder.Width, AdapterFolder.Width);
        AssertLimit(limit, value =>
        {
            set(folder.Config, value);
            folder.Save();
        }, () => Merge(folder), words);
    }

    private static void AssertTokenizerLimit(int limit, Action<JsonObject, int> set)
    {
        string text = "";
        AssertLimit(limit, value =>
        {
            JsonObject json = TinyTokenizer.Json();
            set(json, value);
            text = json.ToJsonString();
        }, () => TinyTokenizer.Read(text));
    }

    /// <summary>One above its limit a value is refused with a line that names the limit; at the limit it is not, whatever else may be wrong with it.</summary>
    private static void AssertLimit(int limit, Action<int> set, Action read, string? words = null)
    {
        words ??= limit.ToString(CultureInfo.InvariantCulture);
        set(limit + 1);
        string message = Assert.Throws<ModelFormatException>(read).Message;
        Assert.Contains(words, message, StringComparison.Ordinal);
        Assert.DoesNotContain('\n', message);
        set(limit);
        if (Record.Exception(read) is { } other)
            Assert.DoesNotContain(words, Assert.IsType<ModelFormatException>(other).Message, StringComparison.Ordinal);
    }

    private void WriteText(string name, string text) => File.WriteAllText(_folder[name], text);

    private void Header(string header) => File.WriteAllBytes(_folder[Weights], CheckpointFolder.Safetensors(header, 0));

    private void ReadHeader() => SafetensorsHeader.Read(_folder[Weights]);
}
