using QedEdge.Conversion;
using QedEdge.Gguf;
using QedEdge.Quantization;

#pragma warning disable xUnit1051 // every call here takes milliseconds; none needs to be cancelled

namespace QedEdge.Tests.Conversion;

/// <summary>What llama.cpp cannot be told of a model: where it would compute something else nothing is written for it, where it opens no such file the user is told.</summary>
public class OtherToolsTests
{
    public static TheoryData<string> Families => [.. FamilyFolder.Goldens];

    [Theory]
    [MemberData(nameof(Families))]
    public void Plain_OfAGoldenCase_IsWritten_WithAWarningOnlyWhereThereIsNoSuchArchitecture(string golden)
    {
        using var folder = new CheckpointFolder();
        var report = CheckpointConverter.Convert(CheckpointFolder.Golden(golden), folder["out"], new() { Type = BlockFormat.F32, Layout = FileLayout.Plain });
        Assert.Equal(golden.StartsWith("gpt_neo-", StringComparison.Ordinal), report.Warnings.Exists(static warning => warning.Contains("llama.cpp does not open")));
        using var file = GgufFile.Open(folder["out"]);
        Assert.Equal("no_vocab", file.Metadata.GetString(GgufKeys.TokenizerModel));
        Assert.Equal(GgufHeader.DefaultAlignment, file.Alignment); // llama-quantize 0.5.0 writes a file that ends too early where it is another
        if (file.Find("position_embd.weight") is { } positions)
            Assert.Equal(TensorType.F32, positions.Type);
    }

    [Theory]
    [InlineData("smollm3-nope-f16", "no_rope_layers", "[1,1,0,0,1]", "every 4th")]
    [InlineData("smollm3-nope-f16", "no_rope_layers", "[1,1,1,1,1]", "every 4th")]
    [InlineData("gemma3-window8-bf16", "query_pre_attn_scalar", "48", "query_pre_attn_scalar")]
    [InlineData("gpt2-buffers-f32", "activation_function", "\"silu\"", "'silu'")]
    [InlineData("llama-smol-tied-bf16", "hidden_act", "\"gelu\"", "'gelu'")]
    public void Plain_OfWhatLlamaWouldMisread_IsRefused_ByRepackToo(string golden, string key, string value, string says)
    {
        using var folder = new FamilyFolder(golden, (key, value));
        var refused = Assert.Throws<ModelFormatException>(() => CheckpointConverter.Convert(folder.Model, folder["plain"], new() { Type = BlockFormat.F32, Layout = FileLayout.Plain }));
        CheckpointConverter.Convert(folder.Model, folder["packed"], new() { Type = BlockFormat.F32 });
        var again = Assert.Throws<ModelFormatException>(() => FileRepacker.Repack(folder["packed"], folder["plain"], FileLayout.Plain, 1, overwrite: false));
        foreach (ModelFormatException error in new[] { refused, again })
        {
            Assert.Equal(ModelFault.Unsupported, error.Fault);
            Assert.Contains(says, error.Message);
            Assert.Contains("packed layout", error.Message);
            Assert.DoesNotContain('\n', error.Message);
        }
        Assert.False(File.Exists(folder["plain"]));
        using QedModel model = QedModel.Open(folder["packed"]); // what is refused for others runs here
    }

    [Theory]
    [InlineData("qwen3-headdim32-bf16", "attention_bias", "true", "bias of these matrices in 'qwen3'")]
    [InlineData("smollm3-nope-f16", "attention_bias", "true", "bias of these matrices in 'smollm3'")]
    [InlineData("qwen2-tied-f32", "head_dim", "32", "heads that together are not as wide")]
    [InlineData("gpt_neox-parallel-f16", "tie_word_embeddings", "true", "whose head is its embedding")]
    [InlineData("gpt_neox-parallel-f16", "attention_bias", "false", "without biases of attention")]
    [InlineData("qwen2-yarn-bf16", "rope_scaling", "{\"rope_type\":\"llama3\",\"factor\":8,\"low_freq_factor\":1,\"high_freq_factor\":4,\"original_max_position_embeddings\":64}", "table of rotary factors")]
    public void Plain_OfWhatLlamaDoesNotOpen_IsWrittenWithAWarning_AndGivesTheLogitsOfThePackedFile(string golden, string key, string value, string says)
    {
        using var folder = new FamilyFolder(golden, (key, value));
        var report = CheckpointConverter.Convert(folder.Model, folder["plain"], new() { Type = BlockFormat.F16, Layout = FileLayout.Plain });
        CheckpointConverter.Convert(folder.Model, folder["packed"], new() { Type = BlockFormat.F16 });
        Assert.Contains(report.Warnings, warning => warning.Contains(says) && warning.Contains("llama.cpp does not open"));
        Assert.Equal(Logits(folder["packed"]), Logits(folder["plain"]));
    }

    /// <summary>Layers are told apart by a list that may also say that none, or all, have a window; the largest Gemma 3 has a scale of its own, which a file need not name.</summary>
    [Theory]
    [InlineData("gemma3-window8-bf16", "layer_types", "[\"full_attention\",\"full_attention\",\"full_attention\",\"full_attention\",\"full_attention\",\"full_attention\",\"full_attention\"]")]
    [InlineData("gemma3-window8-bf16", "layer_types", "[\"full_attention\",\"sliding_attention\",\"full_attention\",\"full_attention\",\"full_attention\",\"full_attention\",\"full_attention\"]")]
    [InlineData("gpt_neo-window8-f32", "attention_types", "[[[\"global\"],4]]")]
    public void Layers_OfAnyKinds_AreTheSameInBothLayouts(string golden, string key, string value)
    {
        using var folder = new FamilyFolder(golden, (key, value), ("attention_layers", "null"), ("num_layers", golden.StartsWith("gpt_neo", StringComparison.Ordinal) ? "4" : "null"));
        CheckpointConverter.Convert(folder.Model, folder["plain"], new() { Type = BlockFormat.F32, Layout = FileLayout.Plain });
        CheckpointConverter.Convert(folder.Model, folder["packed"], new() { Type = BlockFormat.F32 });
        Assert.Equal(Logits(folder["packed"]), Logits(folder["plain"]));
    }

    [Fact]
    public void Gemma_OfTheLargestModelsDepth_HasItsScale_AlsoInAFileThatDoesNotNameIt()
    {
        // Its width is not the width of its heads: 48 / 4 of 32.
        using var folder = new FamilyFolder("gemma3-window8-bf16", ("num_hidden_layers", "62"), ("layer_types", "null"), ("query_pre_attn_scalar", "12"));
        var report = CheckpointConverter.Convert(folder.Model, folder["plain"], new() { Type = BlockFormat.F32, Layout = FileLayout.Plain });
        Assert.DoesNotContain(report.Warnings, static warning => warning.Contains("llama.cpp"));
        using GgufFile file = GgufFile.Open(folder["plain"]);
        Assert.DoesNotContain(file.Metadata.Keys, static key => key.Contains("query_scalar"));
        using QedModel model = QedModel.Open(folder["plain"]);
        Assert.Equal(1f / MathF.Sqrt(12f), model.Config.Architecture.Layers[0].Attention.Scale);
    }

    private static float[] Logits(string path)
    {
        using QedModel model = QedModel.Open(path);
        using Session session = model.CreateSession(new SessionOptions { ContextLength = 32, Threads = 1 });
        session.Feed([1, 5, 7, 11, 13, 2, 48, 31, 17, 9, 0, 22]);
        return session.Logits.ToArray();
    }
}
