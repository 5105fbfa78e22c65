using System.Runtime.InteropServices;
using System.Text.Json.Nodes;
using QedEdge.Conversion;
using QedEdge.Gguf;
using QedEdge.Quantization;
using QedEdge.Quantization.Formats;

#pragma warning disable xUnit1051 // every call here takes milliseconds; none needs to be cancelled

namespace QedEdge.Tests.Conversion;

/// <summary>Adapters merged into a checkpoint, beside weights that the tests merge themselves.</summary>
public class LoraTests
{
    private const int Vocab = AdapterFolder.Vocab, Width = AdapterFolder.Width, Inner = AdapterFolder.Inner;
    private const string Query = "layers.0.attention.q_proj", Down = "layers.1.mlp.down_proj", Gate = "layers.0.mlp.gate_proj";

    /// <summary>Exports name and store the same update in different ways.</summary>
    [Theory]
    [InlineData("base_model.model.", ".weight", "F32", CheckpointType.F32, FileLayout.Plain, 1)]
    [InlineData("base_model.model.model.", ".weight", "F32", CheckpointType.BF16, FileLayout.Packed, 2)]
    [InlineData("base_model.model.", ".default.weight", "F16", CheckpointType.F16, FileLayout.Packed, 3)]
    [InlineData("base_model.model.model.", ".default.weight", "BF16", CheckpointType.F32, FileLayout.Plain, 2)]
    internal void Convert_Adapter_GivesTheMergedWeights(string root, string end, string type, CheckpointType weights, FileLayout layout, int threads)
    {
        using var folder = new AdapterFolder(tied: false, bias: true, weights);
        folder.Add(Query, Width, Width, 4, type, end, root).Add(Gate, Inner, Width, 4, type, end, root).Add(Down, Width, Inner, 4, type, end, root)
            .Add("lm_head", Vocab, Width, 4, type, end, "base_model.model.").Save();
        var report = CheckpointConverter.Convert(folder.Model, folder["out"], Options(folder, BlockFormat.F32) with { Layout = layout, Threads = threads });
        Assert.Equal(4, report.MergedMatrices);
        Assert.DoesNotContain(report.Warnings, static warning => !warning.Contains("tokenizer.json"));
        AssertMerged(folder, new() { [Query] = 1.5, [Gate] = 1.5, [Down] = 1.5, ["lm_head"] = 1.5 });
    }

    [Fact]
    public void Convert_RankStabilized_ScalesByTheRoot()
    {
        using var folder = new AdapterFolder();
        folder.Config["use_rslora"] = true;
        folder.Config["r"] = 8;
        folder.Add(Query, Width, Width, 8).Save();
        CheckpointConverter.Convert(folder.Model, folder["out"], Options(folder, BlockFormat.F32));
        AssertMerged(folder, new() { [Query] = 6 / Math.Sqrt(8) });
    }

    /// <summary>The first pattern that matches counts; one for a whole name does not match a name that merely ends alike.</summary>
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Convert_Patterns_SetRankAndAlpha(bool rootScaling)
    {
        using var folder = new AdapterFolder();
        folder.Config["use_rslora"] = rootScaling;
        folder.Config["lora_alpha"] = 2.5;
        folder.Config["rank_pattern"] = new JsonObject { [@"model\.layers\.0\..*_proj"] = 2, ["gate_proj"] = 3, ["own_proj"] = 5 };
        folder.Config["alpha_pattern"] = new JsonObject { ["layers.1.mlp.down_proj"] = 7, ["^q_proj"] = 11, ["mlp.gate_proj|no"] = 0.1 };
        const string root = "base_model.model.model.";
        folder.Add(Query, Width, Width, 2, root: root).Add(Gate, Inner, Width, 2, root: root).Add(Down, Width, Inner, 4, root: root).Save();
        var report = CheckpointConverter.Convert(folder.Model, folder["out"], Options(folder, BlockFormat.F32));
        AssertMerged(folder, new() { [Query] = 2.5 / Of(2), [Gate] = 0.1 / Of(2), [Down] = 7 / Of(4) });
        foreach (string unused in (string[])["'gate_proj'", "'own_proj'", "'^q_proj'"])
            Assert.Contains(report.Warnings, warning => warning.Contains(unused));

        double Of(int rank) => rootScaling ? Math.Sqrt(rank) : rank;
    }

    [Theory]
    [InlineData(true, "")]
    [InlineData(false, ".default")]
    public void Convert_EmbeddingAdapter_IsTransposedAndMerged(bool tied, string end)
    {
        using var folder = new AdapterFolder(tied);
        folder.Tensors.Add(folder.Random($"base_model.model.model.embed_tokens.lora_embedding_A{end}", "F32", 4, Vocab));
        folder.Tensors.Add(folder.Random($"base_model.model.model.embed_tokens.lora_embedding_B{end}", "F32", Width, 4));
        folder.Save();
        var report = CheckpointConverter.Convert(folder.Model, folder["out"], Options(folder, BlockFormat.F32));
        Assert.Equal(tied, report.Warnings.Any(static warning => warning.Contains("also the head")));
        AssertMerged(folder, new() { ["embed_tokens"] = 1.5 });
    }

    /// <summary>PEFT saves embedding and head whole beside their updates, in the precision of the training.</summary>
    [Theory]
    [InlineData("F32", CheckpointType.F32)]
    [InlineData("F32", CheckpointType.F16)]
    [InlineData("F16", CheckpointType.F32)]
    internal void Convert_CopiesOfTheBase_AreIgnoredWhereEqual(string type, CheckpointType weights)
    {
        using var folder = new AdapterFolder(tied: false, type: weights);
        folder.Add("lm_head", Vocab, Width);
        var checkpoint = folder.Checkpoint();
        folder.Tensors.Add(checkpoint["lm_head.weight"] with { Name = "base_model.model.lm_head.base_layer.weight", Type = type });
        folder.Tensors.Add(checkpoint["lm_head.bias"] with { Name = "base_model.model.lm_head.base_layer.bias", Type = type });
        folder.Save();
        CheckpointConverter.Convert(folder.Model, folder["out"], Options(folder, BlockFormat.F32));
        AssertMerged(folder, new() { ["lm_head"] = 1.5 });

        folder.Tensors[^1].Values[Vocab - 1] += 1;
        folder.Save();
        var refused = Assert.Throws<ModelFormatException>(() => CheckpointConverter.Convert(folder.Model, folder["no"], Options(folder, BlockFormat.F32)));
        Assert.Equal(folder.Tensors[^1].Name, refused.Tensor);
    }

    [Theory]
    [InlineData(FileLayout.Packed, QuantizationMethod.Nearest)]
    [InlineData(FileLayout.Packed, QuantizationMethod.Search)]
    [InlineData(FileLayout.Plain, QuantizationMethod.Nearest)]
    internal void Convert_Quantized_GivesTheBytesOfTheMergedCheckpoint(FileLayout layout, QuantizationMethod method)
    {
        using var folder = new AdapterFolder(tied: false);
        folder.Add(Query, Width, Width).Add(Down, Width, Inner).Add("lm_head", Vocab, Width).Save();
        var merged = folder.Checkpoint();
        foreach (string module in (string[])[Query, Down, "lm_head"])
            merged[module + ".weight"] = merged[module + ".weight"] with { Values = [.. Expected(folder, merged, module, 1.5).Select(static value => (float)value)] };
        Directory.CreateDirectory(folder["merged"]);
        File.Copy(folder["c.json"], Path.Combine(folder["merged"], "config.json"));
        AdapterFolder.Write(Path.Combine(folder["merged"], "model.safetensors"), merged.Values);

        var options = Options(folder, BlockFormat.Q4_0) with { Layout = layout, Method = method };
        CheckpointConverter.Convert(folder.Model, folder["one"], options with { Threads = 1 });
        CheckpointConverter.Convert(folder.Model, folder["three"], options with { Threads = 3 });
        CheckpointConverter.Convert(folder["merged"], folder["same"], options with { LoraFolder = null });
        CheckpointConverter.Convert(folder.Model, folder["without"], options with { LoraFolder = null });
        Assert.Equal(File.ReadAllBytes(folder["one"]), File.ReadAllBytes(folder["three"]));
        string[] changed = ["blk.0.attn_q.weight", "blk.1.ffn_down.weight", "output.weight"];
        using GgufFile actual = GgufFile.Open(folder["one"]), same = GgufFile.Open(folder["same"]), without = GgufFile.Open(folder["without"]);
        foreach (var tensor in actual.Tensors)
        {
            byte[] bytes = Bytes(actual, tensor.Name);
            Assert.True(bytes.AsSpan().SequenceEqual(Bytes(same, tensor.Name)), tensor.Name);
            Assert.Equal(changed.Contains(tensor.Name), !bytes.AsSpan().SequenceEqual(Bytes(without, tensor.Name)));
        }
        string recipe = actual.Metadata.GetString(GgufKeys.Recipe);
        Assert.Contains(", LoRA adapter merged (XXH3 ", recipe);
        Assert.DoesNotContain("LoRA", without.Metadata.GetString(GgufKeys.Recipe));
    }

    /// <summary>What a file is measured against and what shows how to quantize is the merged model: else the first would be far away, or the second not merged.</summary>
    [Fact]
    public void Convert_MeasuredAndCalibrated_SeesTheMergedModel()
    {
        const string changed = "blk.1.attn_v.weight";
        using var folder = new AdapterFolder();
        File.WriteAllText(folder["text"], string.Join(' ', Enumerable.Repeat("Once upon a time there was a small dog.", 20)));
        File.WriteAllText(folder["words.json"], $$"""
            {"model_type":"qed","vocab_size":2048,"d_model":{{Width}},"n_layers":2,"n_heads":2,"ffn_hidden_dim":{{Inner}},"max_seq_len":256,"initializer_range":0.2}
            """);
        RandomCheckpoint.Write(folder["words.json"], folder["words"], 3, CheckpointType.F32, overwrite: false);
        File.Copy(Path.Combine(TestData.TinyQed, "tokenizer.json"), Path.Combine(folder["words"], "tokenizer.json"));
        folder.Add("layers.0.attention.v_proj", Width, Width).Add("layers.1.attention.v_proj", Width, Width).Save();
        var options = Options(folder, BlockFormat.F32) with { MeasureText = folder["text"] };
        CheckpointConverter.Convert(folder["words"], folder["out"], options);
        CheckpointConverter.Convert(folder["words"], folder["base"], options with { LoraFolder = null, MeasureText = null });
        CheckpointConverter.Convert(folder["words"], folder["quantized"], options with { Type = BlockFormat.Q4_0, CalibrationText = folder["text"], Method = QuantizationMethod.ErrorFeedback });

        using GgufFile merged = GgufFile.Open(folder["out"]), original = GgufFile.Open(folder["base"]), quantized = GgufFile.Open(folder["quantized"]);
        Assert.InRange(merged.Metadata.GetFloat32(GgufKeys.MeasuredMeanDivergence), 0, 1e-4);
        float[] exact = Values(merged, changed, [Width, Width]);
        double error = Distance(exact, Values(quantized, changed, [Width, Width])), update = Distance(exact, Values(original, changed, [Width, Width]));
        Assert.True(error < update / 4, $"{error} beside an update of {update}");

        static double Distance(float[] a, float[] b) => a.Zip(b, static (x, y) => Math.Pow(x - y, 2)).Sum();
    }

    [Fact]
    public void Convert_TargetWithoutTensors_IsWarnedOf()
    {
        using var folder = new AdapterFolder();
        folder.Config["target_modules"] = new JsonArray("q_proj", "layers.0.attention.q_proj", "proj", "v_proj");
        folder.Add(Query, Width, Width).Save();
        var report = CheckpointConverter.Convert(folder.Model, folder["out"], Options(folder, BlockFormat.F32));
        Assert.Equal(["'proj'", "'v_proj'"], report.Warnings.Where(static warning => warning.Contains("target_modules")).Select(static warning => warning.Split(' ')[4]));
        folder.Config["target_modules"] = "all-linear";
        folder.Save();
        report = CheckpointConverter.Convert(folder.Model, folder["two"], Options(folder, BlockFormat.F32));
        Assert.DoesNotContain(report.Warnings, static warning => warning.Contains("target_modules"));
    }

    private static ConversionOptions Options(AdapterFolder folder, BlockFormat type) => new() { Type = type, LoraFolder = folder.Adapter, Threads = 2 };

    /// <summary>What a module's matrix must be.</summary>
    private static double[] Expected(AdapterFolder folder, Dictionary<string, TestTensor> checkpoint, string module, double scaling)
    {
        double[] Half(string kind) => folder.Tensors.Single(tensor => tensor.Name.Contains($".{module}.lora_") && tensor.Name.Contains(kind)).Stored;
        TestTensor weight = checkpoint[module + ".weight"];
        if (module != "embed_tokens")
            return AdapterFolder.Merged(weight, Half("_A"), Half("_B"), scaling);
        double[] a = Half("_A"), b = Half("_B"); // [4, Vocab], [Width, 4]
        double[] left = [.. Enumerable.Range(0, Vocab * 4).Select(i => a[(i % 4 * Vocab) + (i / 4)])];
        double[] right = [.. Enumerable.Range(0, 4 * Width).Select(i => b[(i % Width * 4) + (i / Width)])];
        return AdapterFolder.Merged(weight, right, left, scaling);
    }

    /// <summary>Every tensor of the file, merged or not: each value is the exact one, rounded to float32 once.</summary>
    private static void AssertMerged(AdapterFolder folder, Dictionary<string, double> scalings)
    {
        var checkpoint = folder.Checkpoint();
        using var file = GgufFile.Open(folder["out"]);
        Assert.Equal(checkpoint.Count, file.Tensors.Count);
        foreach (TestTensor source in checkpoint.Values)
        {
            string module = source.Name[..source.Name.LastIndexOf('.')];
            bool changed = scalings.TryGetValue(module, out double scaling) && source.Name.EndsWith(".weight", StringComparison.Ordinal);
            double[] expected = changed ? Expected(folder, checkpoint, module, scaling) : source.Stored;
            float[] actual = Values(file, FileName(source.Name), source.Shape);
            for (int i = 0; i < expected.Length; i++)
            {
                double half = (MathF.BitIncrement(MathF.Abs(actual[i])) - MathF.Abs(actual[i])) * 0.5000001;
                Assert.True(Math.Abs(actual[i] - expected[i]) <= (changed ? half : 0), $"{source.Name} {i}: {actual[i]:G9}, expected {expected[i]:G17}");
            }
        }
    }

    private static float[] Values(GgufFile file, string name, int[] shape)
    {
        byte[] bytes = Bytes(file, name);
        if (TensorTypes.PackedFormat(file.Find(name)!.Type) is not { } format)
            return MemoryMarshal.Cast<byte, float>(bytes).ToArray();
        var values = new float[shape[0] * shape[1]];
        int groupBytes = (int)format.Info().GroupBytes(shape[1]);
        for (int i = 0; i < shape[0]; i++)
        {
            Span<byte> group = bytes.AsSpan(i / PackedLayout.GroupRows * groupBytes, groupBytes);
            format.Info().DequantizeRow(group, i % PackedLayout.GroupRows, values.AsSpan(i * shape[1], shape[1]));
        }
        return values;
    }

    private static byte[] Bytes(GgufFile file, string name)
    {
        var tensor = file.Find(name)!;
        return file.Data(tensor).Span(0, (int)file.Data(tensor).Length).ToArray();
    }

    private static string FileName(string name)
    {
        foreach (var (from, to) in new[] { ("embed_tokens", "token_embd"), ("lm_head", "output"), ("layers.", "blk."), ("attention.o_proj", "attn_output"), ("attention.", "attn_"),
            ("_proj", ""), ("mlp.", "ffn_"), ("input_norm", "attn_norm"), ("post_attn_norm", "ffn_norm") })
        {
            name = name.Replace(from, to);
        }
        return name == "norm.weight" ? "output_norm.weight" : name;
    }
}
