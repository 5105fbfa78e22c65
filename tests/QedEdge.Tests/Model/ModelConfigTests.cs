using QedEdge.Conversion;
using QedEdge.Gguf;
using QedEdge.Model;
using QedEdge.Tests.Conversion;
using QedEdge.Tests.Gguf;
using static QedEdge.ModelFault;

namespace QedEdge.Tests.Model;

public sealed class ModelConfigTests
{
    [Fact]
    public void Read_TakesEveryValue()
    {
        var config = Read();
        Assert.Equal(("sample", "qed"), (config.Name, config.Family));
        Assert.Equal((32, 2, 4, 8, 96), (config.HiddenSize, config.LayerCount, config.HeadCount, config.HeadSize, config.FeedForwardSize));
        Assert.Equal((64, 5), (config.ContextLength, config.VocabSize));
        Assert.Equal((1e-5f, 10000f), (config.NormEpsilon, config.RopeTheta));
        Assert.Equal((4, null), (config.KeyValueHeadCount, config.Window));
        Assert.Equal((1, 2, 0, null), (config.BosId, config.EosId, config.PadId, config.UnkId));
    }

    [Theory]
    [InlineData("gemma3-window8-bf16", "gemma3", 1, 0.0002f, 8)]
    [InlineData("gpt_neo-window8-f32", "gptneo", 4, 0.0002f, 8)]
    [InlineData("gpt_neox-parallel-f16", "gptneox", 4, 0.0005f, null)]
    [InlineData("llama-smol-tied-bf16", "llama", 3, 1e-5f, null)]
    public void Read_SaysWhatKindOfModelItIs(string golden, string family, int keyValueHeads, float epsilon, int? window)
    {
        using var folder = new CheckpointFolder();
        CheckpointConverter.Convert(CheckpointFolder.Golden(golden), folder["model.gguf"], new ConversionOptions());
        using GgufFile file = GgufFile.Open(folder["model.gguf"]);
        var config = ModelConfig.Read(file);
        Assert.Equal((family, keyValueHeads, epsilon, window), (config.Family, config.KeyValueHeadCount, config.NormEpsilon, config.Window));
    }

    [Fact]
    public void Read_TakesAFileWithoutTokenizerAndOptionalKeys()
    {
        var config = Read(
            (GgufKeys.Tokens, null), (GgufKeys.TokenType, null), (GgufKeys.BosTokenId, null), (GgufKeys.EosTokenId, null), (GgufKeys.PaddingTokenId, null),
            (GgufKeys.AddBosToken, null), (GgufKeys.Name, null), (GgufKeys.HeadCountKv, null), (GgufKeys.RopeDimensionCount, null), ("qed.conversion.something", 5u), ("llama.something", 5u));
        Assert.Null(config.Name);
        Assert.Null(config.BosId);
        Assert.Equal(5, config.VocabSize);
    }

    [Fact]
    public void Read_TakesTheLimits()
    {
        var config = Read((GgufKeys.BlockCount, 1024u), (GgufKeys.ContextLength, 1u << 24), (GgufKeys.EmbeddingLength, 1u << 20), (GgufKeys.HeadCount, 1u << 19),
            (GgufKeys.HeadCountKv, 1u << 19), (GgufKeys.RopeDimensionCount, 2u), (GgufKeys.FeedForwardLength, 1u << 20), (GgufKeys.UnknownTokenId, 4u));
        Assert.Equal((1024, 1 << 24, 2, 4), (config.LayerCount, config.ContextLength, config.HeadSize, config.UnkId));
    }

    public static TheoryData<string, object?, ModelFault> Wrong
    {
        get
        {
            var data = new TheoryData<string, object?, ModelFault>();
            foreach (string key in (string[])[GgufKeys.EmbeddingLength, GgufKeys.BlockCount, GgufKeys.FeedForwardLength, GgufKeys.HeadCount, GgufKeys.ContextLength, GgufKeys.VocabSize])
            {
                foreach (object? value in (object?[])[null, 0u, 1u << 31, uint.MaxValue, ulong.MaxValue, "32", 32f, (uint[])[32]])
                    data.Add(key, value, Damaged);
            }
            foreach (string key in (string[])[GgufKeys.RmsNormEpsilon, GgufKeys.RopeFreqBase])
            {
                foreach (object? value in (object?[])[null, 0f, -1f, float.NaN, float.PositiveInfinity, 1u])
                    data.Add(key, value, Damaged);
            }
            foreach (string key in (string[])[GgufKeys.BosTokenId, GgufKeys.EosTokenId, GgufKeys.PaddingTokenId, GgufKeys.UnknownTokenId])
            {
                foreach (object? value in (object?[])[5u, uint.MaxValue, "1"])
                    data.Add(key, value, Damaged);
            }
            data.Add(GgufKeys.Architecture, null, Damaged);
            data.Add(GgufKeys.Architecture, 1u, Damaged);
            data.Add(GgufKeys.Architecture, "mamba", UnknownArchitecture);
            data.Add("qed.something.new", 5u, Unsupported);
            data.Add("qed.attention.sliding_window", 5u, Unsupported);
            data.Add(GgufKeys.HeadCount, 3u, Damaged);
            data.Add(GgufKeys.HeadCount, 32u, Damaged);
            data.Add(GgufKeys.HeadCountKv, 2u, Unsupported);
            data.Add(GgufKeys.RopeDimensionCount, 4u, Unsupported);
            data.Add(GgufKeys.Tokens, (string[])["a", "b"], Damaged);
            data.Add(GgufKeys.BosTokenId, null, Damaged);
            data.Add(GgufKeys.AddEosToken, 1u, Damaged);
            data.Add(GgufKeys.BlockCount, 1025u, Damaged);
            data.Add(GgufKeys.ContextLength, (1u << 24) + 1, Damaged);
            data.Add(GgufKeys.Name, 1u, Damaged);
            return data;
        }
    }

    [Theory]
    [MemberData(nameof(Wrong))]
    public void Read_Refuses(string key, object? value, ModelFault fault)
    {
        var error = Assert.Throws<ModelFormatException>(() => Read((key, value)));
        Assert.Equal(fault, error.Fault);
        Assert.NotNull(error.Key);
    }

    [Fact]
    public void Read_SaysWhichArchitectureTheFileHas()
    {
        var error = Assert.Throws<ModelFormatException>(() => Read((GgufKeys.Architecture, "mamba")));
        Assert.Contains("'mamba'", error.Message);
        Assert.Contains("qed-convert", error.Message);
    }

    [Fact]
    public void Read_DemandsTheHeaderChecksum()
    {
        using var file = GgufSample.Open(GgufSample.Qed(checksums: false));
        Assert.Equal(GgufKeys.HeaderChecksum, Assert.Throws<ModelFormatException>(() => ModelConfig.Read(file)).Key);
    }

    private static ModelConfig Read(params (string Key, object? Value)[] changes)
    {
        using var file = GgufSample.Open(GgufSample.Qed(changes: changes.ToDictionary(static change => change.Key, static change => change.Value)));
        return ModelConfig.Read(file);
    }
}
