using QedEdge.Conversion;
using QedEdge.Conversion.Calibration;
using QedEdge.Gguf;
using QedEdge.Model;
using QedEdge.Quantization;

#pragma warning disable xUnit1051 // cancellation is what some of these test

namespace QedEdge.Tests.Conversion.Calibration;

/// <summary>Calibration knows nothing of a family: layers that run side by side, norms behind branches, several rotary bases, windows, learned positions and fused matrices go through it alike.</summary>
public class FamilyCalibrationTests(ITestOutputHelper output)
{
    private static readonly ConversionOptions Options = new()
    {
        Type = BlockFormat.Q4_0,
        Method = QuantizationMethod.ErrorFeedback,
        CalibrationText = Path.Combine(TestData.TinyQed, "calibration.txt"),
        CalibrationTokens = 2000,
        MeasureText = Path.Combine(TestData.TinyQed, "heldout.txt"),
        MeasureTokens = 400,
        Threads = 2,
    };

    public static TheoryData<string> Families => ["gpt2-buffers-f32", "gpt_neo-window8-f32", "gpt_neox-parallel-f16", "gemma3-window8-bf16", "qwen3-headdim32-bf16", "llama-rope3-untied-bias-f32", "smollm3-nope-f16"];

    [Theory]
    [MemberData(nameof(Families))]
    public void Calibrated_IsNearerThanRounded_TheSameInBothLayouts_AndGoesOnAfterAStop(string golden)
    {
        using FamilyFolder folder = WithWords(golden);
        float calibrated = Divergence(folder, "packed", Options), rounded = Divergence(folder, "rounded", Options with { Method = QuantizationMethod.Nearest, CalibrationText = null });
        output.WriteLine($"{golden}: {calibrated:E2} calibrated, {rounded:E2} rounded");
        Assert.InRange(calibrated, 1e-6f, rounded);

        using var cancel = new CancellationTokenSource();
        Assert.Throws<ConversionPausedException>(() => CheckpointConverter.Convert(folder.Model, folder["stopped"], Options, (_, word) =>
        {
            if (word.StartsWith("layer 2", StringComparison.Ordinal))
                cancel.Cancel();
        }, cancel.Token));
        CheckpointConverter.Convert(folder.Model, folder["stopped"], Options with { Threads = 1 });
        Assert.Equal(File.ReadAllBytes(folder["packed"]), File.ReadAllBytes(folder["stopped"]));

        CheckpointConverter.Convert(folder.Model, folder["plain"], Options with { Layout = FileLayout.Plain });
        FileRepacker.Repack(folder["packed"], folder["repacked"], FileLayout.Plain, 2, overwrite: false);
        Assert.Equal(File.ReadAllBytes(folder["repacked"]), File.ReadAllBytes(folder["plain"]));
    }

    /// <summary>Layers run one by one, each with its own rotary positions and window, are the model.</summary>
    [Theory]
    [MemberData(nameof(Families))]
    public void Layers_OneByOne_GiveTheModelsLogits(string golden)
    {
        using var folder = new CheckpointFolder();
        CheckpointConverter.Convert(CheckpointFolder.Golden(golden), folder["out"], new() { Type = BlockFormat.F32, Threads = 2 });
        using QedModel model = QedModel.Open(folder["out"]);
        int[] ids = [.. Enumerable.Range(0, 40).Select(i => i * 37 % 300)]; // more than a window
        using Session session = model.CreateSession(new SessionOptions { KvType = KvCacheType.F32, Threads = 1 });
        var expected = new float[ids.Length][];
        session.Feed(ids, new FeedOptions { OnLogits = (t, logits) => expected[t] = logits.ToArray() });

        using var runner = new LayerRunner(model, ids.Length, 2, KvCacheType.F32);
        using var residual = new ResidualStream(ids.Length, runner.Stride);
        residual.Embed(model.Weights, [ids]);
        foreach (LayerWeights layer in model.Weights.Layers)
        {
            runner.Use(layer);
            runner.Begin();
            for (int at = 0; at < ids.Length; at += 16)
            {
                ReadOnlySpan<int> part = ids.AsSpan(at, Math.Min(16, ids.Length - at));
                int first = at;
                runner.Step(part, residual.Part(at, part.Length), default);
                runner.Residual.CopyTo(residual.Part(at, part.Length));
                if (layer == model.Weights.Layers[^1])
                    runner.Logits((t, logits) => Assert.Equal(expected[first + t], logits.ToArray()));
            }
        }
    }

    /// <summary>Bits are spent where they count; matrices that a plain file has in one tensor keep one format.</summary>
    [Theory]
    [InlineData("gpt2-buffers-f32")]
    [InlineData("gpt_neox-parallel-f16")]
    [InlineData("gemma3-window8-bf16")]
    [InlineData("qwen3-headdim32-bf16")]
    public void TargetBitsPerWeight_IsReached_InBothLayouts(string golden)
    {
        using FamilyFolder folder = WithWords(golden);
        foreach (FileLayout layout in Enum.GetValues<FileLayout>())
        {
            CheckpointConverter.Convert(folder.Model, folder["out"], Options with { TargetBitsPerWeight = 6.5, CalibrationTokens = 200, MeasureText = null, Layout = layout, Overwrite = true });
            using QedModel model = QedModel.Open(folder["out"]);
            Assert.Contains(model.File.Tensors, static tensor => tensor.Name.StartsWith("blk.", StringComparison.Ordinal) && tensor.Type is TensorType.Q8_0 or TensorType.PackedQ8_0);
            Assert.Contains(model.File.Tensors, static tensor => tensor.Name.StartsWith("blk.", StringComparison.Ordinal) && tensor.Type is TensorType.Q4_0 or TensorType.PackedQ4_0);
        }
    }

    private static float Divergence(FamilyFolder folder, string name, ConversionOptions options)
    {
        CheckpointConverter.Convert(folder.Model, folder[name], options);
        using GgufFile file = GgufFile.Open(folder[name]);
        return file.Metadata.GetFloat32(GgufKeys.MeasuredMeanDivergence);
    }

    /// <summary>A checkpoint that reads the sample model's words.</summary>
    private static FamilyFolder WithWords(string golden)
    {
        // Widths that blocks fit into, and weights that do not drive a network of few values into chaos.
        (string, string)[] sizes = golden.StartsWith("gpt", StringComparison.Ordinal) ? [] : [("hidden_size", "64"), ("intermediate_size", "128")];
        var folder = new FamilyFolder(golden, [.. sizes, ("initializer_range", "0.1"), ("vocab_size", "2048"), ("bos_token_id", "null"), ("eos_token_id", "null"), ("pad_token_id", "null")]);
        File.Copy(Path.Combine(TestData.TinyQed, "tokenizer.json"), Path.Combine(folder.Model, "tokenizer.json"));
        return folder;
    }
}
