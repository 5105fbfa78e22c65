using System.Globalization;
using System.Text.Json.Nodes;
using QedEdge.Conversion;
using QedEdge.Conversion.Checkpoints;
using QedEdge.Tests.Text;
using Limits = QedEdge.Conversion.Checkpoints.CheckpointLimits;

#pragma warning disable xUnit1051 // every call here takes milliseconds; none needs to be cancelled

namespace QedEdge.Tests.Conversion;

/// <summary>Each length that a checkpoint, its tokenizer or an adapter gives, below, at and above its limit.</summary>
public sealed class CheckpointLimitsTests : IDisposable
{
    private const string Weights = "model.safetensors", Index = Weights + ".index.json", Query = "layers.0.attention.q_proj";

    private readonly CheckpointFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [Limit(typeof(Limits), nameof(Limits.ConfigBytes), CheckpointConfig.FileName)]
    [Limit(typeof(Limits), nameof(Limits.ConfigBytes), GenerationConfig.FileName)]
    [Limit(typeof(Limits), nameof(Limits.IndexBytes), Index)]
    [Limit(typeof(Limits), nameof(Limits.TokenizerBytes), TokenizerJson.FileName)]
    [Limit(typeof(Limits), nameof(Limits.TokenizerConfigBytes), TokenizerConfig.FileName)]
    [Limit(typeof(Limits), nameof(Limits.TokenizerConfigBytes), "special_tokens_map.json")]
    [Limit(typeof(Limits), nameof(Limits.ChatTemplateBytes), "chat_template.jinja")]
    public void BytesOfAFile(LimitTrial trial, string name)
    {
        _folder.With(name == Index ? "sharded-f16-model-prefix" : "tied-f32");
        if (name != TokenizerJson.FileName)
            File.Copy(Path.Combine(TestData.TinyQed, TokenizerJson.FileName), _folder[TokenizerJson.FileName]);
        AssertLimit(trial, length => Write(_folder[name], length), () => CheckpointConverter.Convert(_folder.Path, _folder["out"], new() { Overwrite = true }));
    }

    [Theory, Limit(typeof(Limits), nameof(Limits.ConfigBytes))]
    public void BytesOfAnAdaptersConfiguration(LimitTrial trial)
    {
        using var folder = new AdapterFolder();
        folder.Add(Query, AdapterFolder.Width, AdapterFolder.Width).Save();
        AssertLimit(trial, length => Write(Path.Combine(folder.Adapter, AdapterConfig.FileName), length), () => Merge(folder));
    }

    [Theory, Limit(typeof(Limits), nameof(Limits.ChatTemplateBytes))]
    public void BytesOfAChatTemplateInTheConfiguration(LimitTrial trial) => AssertLimit(trial,
        length => WriteText(TokenizerConfig.FileName, $$"""{"chat_template":"{{new string('x', length)}}"}"""), () => TokenizerConfig.ReadFolder(_folder.Path));

    [Theory, Limit(typeof(Limits), nameof(Limits.TemplateName))]
    public void CharactersOfATemplatesName(LimitTrial trial)
    {
        WriteText(TokenizerConfig.FileName, $$"""{"chat_template":[{"name":"default","template":"d"},{"name":"{{new string('x', trial.Count)}}","template":"t"}]}""");
        Assert.Equal(trial.Length <= trial.Most ? 1 : 0, TokenizerConfig.ReadFolder(_folder.Path).FurtherTemplates.Count);
    }

    [Theory, Limit(typeof(Limits), nameof(Limits.JsonDepth))]
    public void DepthOfJson(LimitTrial trial) => AssertLimit(trial,
        depth => WriteText("x.json", $$"""{"x":{{new string('[', depth - 1)}}{{new string(']', depth - 1)}}}"""), () => CheckpointJson.ReadObject(_folder["x.json"], Limits.ConfigBytes).Dispose(), "depth of 64");

    [Theory, Limit(typeof(Limits), nameof(Limits.HeaderBytes))]
    public void BytesOfAHeader(LimitTrial trial) => AssertLimit(trial, length =>
    {
        byte[] start = [.. BitConverter.GetBytes((long)length), (byte)'{'];
        using FileStream stream = File.Create(_folder[Weights]);
        stream.Write(start);
        stream.SetLength(length + 8L);
    }, ReadHeader);

    [Theory, Limit(typeof(Limits), nameof(Limits.HeaderDepth))]
    public void DepthOfAHeader(LimitTrial trial) => AssertLimit(trial,
        depth => Header("{\"__metadata__\":{\"x\":" + new string('[', depth - 2) + new string(']', depth - 2) + "}}"), ReadHeader, "depth of 8");

    [Theory, Limit(typeof(Limits), nameof(Limits.Tensors))]
    public void TensorsOfAFile(LimitTrial trial) => AssertLimit(trial,
        count => Header("{\"__metadata__\":{}," + string.Join(',', Enumerable.Range(0, count).Select(Empty)) + "}"), ReadHeader);

    [Theory, Limit(typeof(Limits), nameof(Limits.Tensors))]
    public void TensorsOfAllParts(LimitTrial trial)
    {
        _folder.With("tied-f32");
        File.Delete(_folder[Weights]);
        AssertLimit(trial, count =>
        {
            string[] parts = ["a.safetensors", "b.safetensors"];
            for (int part = 0; part < 2; part++)
                File.WriteAllBytes(_folder[parts[part]], CheckpointFolder.Safetensors("{" + string.Join(',', Enumerable.Range(0, count).Where(i => i % 2 == part).Select(Empty)) + "}", 0));
            WriteText(Index, "{\"weight_map\":{" + string.Join(',', Enumerable.Range(0, count).Select(i => $"\"t{i}\":\"{parts[i % 2]}\"")) + "}}");
        }, () => Checkpoint.Open(_folder.Path));
    }

    [Theory, Limit(typeof(Limits), nameof(Limits.Parts))]
    public void Parts(LimitTrial trial)
    {
        _folder.With("tied-f32");
        File.Delete(_folder[Weights]);
        AssertLimit(trial, count => WriteText(Index, "{\"weight_map\":{" + string.Join(',', Enumerable.Range(0, count).Select(i => $"\"t{i}\":\"p{i}.safetensors\"")) + "}}"),
            () => Checkpoint.Open(_folder.Path));
    }

    [Theory, Limit(typeof(Limits), nameof(Limits.TensorName))]
    public void CharactersOfATensorsName(LimitTrial trial) => AssertLimit(trial,
        length => Header("{\"" + new string('n', length) + "\":{\"dtype\":\"F32\",\"shape\":[0],\"data_offsets\":[0,0]}}"), ReadHeader);

    [Theory, Limit(typeof(Limits), nameof(Limits.Dimensions))]
    public void DimensionsOfATensor(LimitTrial trial) => AssertLimit(trial,
        count => Header("{\"n\":{\"dtype\":\"F32\",\"shape\":[" + string.Join(',', Enumerable.Repeat(0, count)) + "],\"data_offsets\":[0,0]}}"), ReadHeader);

    [Theory]
    [Limit(typeof(Limits), nameof(Limits.Layers), "n_layers")]
    [Limit(typeof(Limits), nameof(Limits.Size), "d_model")]
    [Limit(typeof(Limits), nameof(Limits.Size), "ffn_hidden_dim")]
    [Limit(typeof(Limits), nameof(Limits.Size), "vocab_size")]
    [Limit(typeof(Limits), nameof(Limits.Context), "max_seq_len")]
    public void SizesOfAModel(LimitTrial trial, string key)
    {
        JsonObject config = JsonNode.Parse(File.ReadAllText(Path.Combine(CheckpointFolder.Golden("tied-f32"), CheckpointConfig.FileName)))!.AsObject();
        AssertLimit(trial, value =>
        {
            config[key] = value;
            WriteText(CheckpointConfig.FileName, config.ToJsonString());
        }, () => CheckpointConfig.ReadFolder(_folder.Path));
    }

    [Theory, Limit(typeof(Limits), nameof(Limits.HeadSize), Step = 2)] // a head's values are turned in pairs
    public void ValuesOfAHead(LimitTrial trial) => AssertLimit(trial, size => WriteText(CheckpointConfig.FileName,
        $$"""{"model_type":"qed","vocab_size":8,"d_model":{{size}},"n_layers":1,"n_heads":1,"ffn_hidden_dim":8,"max_seq_len":8}"""), () => CheckpointConfig.ReadFolder(_folder.Path));

    [Theory, Limit(typeof(Limits), nameof(Limits.EndTokens))]
    public void TokensThatEndAText(LimitTrial trial) => AssertLimit(trial,
        count => WriteText(GenerationConfig.FileName, $$"""{"eos_token_id":[{{string.Join(',', Enumerable.Range(0, count))}}]}"""), () => GenerationConfig.ReadFolder(_folder.Path, 1 << 20));

    [Theory, Limit(typeof(Limits), nameof(Limits.TokenBytes))]
    public void BytesOfAToken(LimitTrial trial) => AssertTokenizerLimit(trial, (json, length) => json["model"]!["vocab"]!.AsObject()[new string('t', length)] = 7);

    [Theory, Limit(typeof(Limits), nameof(Limits.AddedTokenBytes))]
    public void BytesOfAnAddedToken(LimitTrial trial) => AssertTokenizerLimit(trial,
        (json, length) => json["added_tokens"]!.AsArray().Add(new JsonObject { ["id"] = 7, ["content"] = new string('t', length) }));

    [Theory, Limit(typeof(Limits), nameof(Limits.AddedTokens))]
    public void AddedTokens(LimitTrial trial) => AssertTokenizerLimit(trial, (json, count) => json["added_tokens"] =
        new JsonArray([.. Enumerable.Range(0, count).Select(static i => (JsonNode)new JsonObject { ["id"] = 7 + i, ["content"] = $"<t{i}>" })]));

    [Theory, Limit(typeof(Limits), nameof(Limits.AddedTokens))]
    public void AddedTokensThatOtherFilesName(LimitTrial trial) => AssertLimit(trial,
        count => WriteText(TokenizerConfig.FileName, $$"""{"extra_special_tokens":[{{string.Join(',', Enumerable.Repeat("\"t\"", count))}}]}"""), () => TokenizerConfig.ReadFolder(_folder.Path));

    [Theory, Limit(typeof(Limits), nameof(Limits.Merges))]
    public void Merges(LimitTrial trial) => AssertTokenizerLimit(trial, (json, count) => json["model"]!["merges"] = JsonNode.Parse($"[{string.Join(',', Enumerable.Repeat("0", count))}]"));

    [Theory, Limit(typeof(Limits), nameof(Limits.Rank))]
    public void RankOfAnAdapter(LimitTrial trial) => AssertAdapterLimit(trial, (config, rank) => config["r"] = rank, "from 1 to 65536");

    [Theory, Limit(typeof(Limits), nameof(Limits.Modules))]
    public void ModulesOfAnAdapter(LimitTrial trial) => AssertAdapterLimit(trial,
        (config, count) => config["target_modules"] = new JsonArray([.. Enumerable.Range(0, count).Select(static i => (JsonNode)i.ToString(CultureInfo.InvariantCulture))]));

    [Theory, Limit(typeof(Limits), nameof(Limits.Modules))]
    public void PatternsOfAnAdapter(LimitTrial trial) => AssertAdapterLimit(trial, (config, count) =>
    {
        var patterns = new JsonObject();
        for (int i = 0; i < count; i++)
            patterns[$"m{i}"] = 2;
        config["alpha_pattern"] = patterns;
    });

    [Theory, Limit(typeof(Limits), nameof(Limits.Pattern))]
    public void CharactersOfAPattern(LimitTrial trial) => AssertAdapterLimit(trial, (config, length) => config["rank_pattern"] = new JsonObject { [new string('m', length)] = 2 });

    [Theory, Limit(typeof(Limits), nameof(Limits.MatchingSeconds))]
    public void SecondsOfAllPatterns(LimitTrial trial)
    {
        using var folder = new AdapterFolder();
        folder.Config["rank_pattern"] = new JsonObject { ["q_proj"] = 2 };
        AdapterConfig config = AdapterConfig.ReadFolder(folder.Save().Adapter, clock: new SlowClock(trial.Length));
        trial.Check(() => config.RankOf(Query), "takes too long");
    }

    [Fact]
    public void APatternThatNeverEnds_IsRefused()
    {
        using var folder = new AdapterFolder();
        folder.Config["rank_pattern"] = new JsonObject { ["(([a-z]+)+[.]?)+9"] = 2 };
        AdapterConfig config = AdapterConfig.ReadFolder(folder.Save().Adapter);
        Assert.Contains("takes too long", Assert.Throws<ModelFormatException>(() => config.RankOf(new string('a', 100))).Message);
    }

    private static string Empty(int i) => $"\"t{i}\":{{\"dtype\":\"F32\",\"shape\":[0],\"data_offsets\":[0,0]}}";

    /// <summary>A file that takes no room. What it holds is refused for something else than its length.</summary>
    private static void Write(string path, long length)
    {
        using FileStream stream = File.Create(path);
        stream.SetLength(length);
    }

    private static void Merge(AdapterFolder folder) => CheckpointConverter.Convert(folder.Model, folder["out"], new() { LoraFolder = folder.Adapter, Overwrite = true });

    private static void AssertAdapterLimit(LimitTrial trial, Action<JsonObject, int> set, string? words = null)
    {
        using var folder = new AdapterFolder();
        folder.Add(Query, AdapterFolder.Width, AdapterFolder.Width);
        AssertLimit(trial, value =>
        {
            set(folder.Config, value);
            folder.Save();
        }, () => Merge(folder), words);
    }

    private static void AssertTokenizerLimit(LimitTrial trial, Action<JsonObject, int> set)
    {
        string text = "";
        AssertLimit(trial, value =>
        {
            JsonObject json = TinyTokenizer.Json();
            set(json, value);
            text = json.ToJsonString();
        }, () => TinyTokenizer.Read(text));
    }

    private static void AssertLimit(LimitTrial trial, Action<int> set, Action read, string? words = null)
    {
        set(trial.Count);
        trial.CheckLengthAlone(read, words);
    }

    private void WriteText(string name, string text) => File.WriteAllText(_folder[name], text);

    private void Header(string header) => File.WriteAllBytes(_folder[Weights], CheckpointFolder.Safetensors(header, 0));

    private void ReadHeader() => SafetensorsHeader.Read(_folder[Weights]);

    /// <summary>So many seconds pass between two looks at it.</summary>
    private sealed class SlowClock(long seconds) : TimeProvider
    {
        private long _now;

        public override long TimestampFrequency => 1;

        public override long GetTimestamp() => _now += seconds;
    }
}
