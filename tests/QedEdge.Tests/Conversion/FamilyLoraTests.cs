using System.Text.Json.Nodes;
using QedEdge.Conversion;
using QedEdge.Gguf;
using QedEdge.Quantization;

#pragma warning disable xUnit1051 // every call here takes milliseconds; none needs to be cancelled

namespace QedEdge.Tests.Conversion;

/// <summary>Adapters for the families' own modules, beside checkpoints that the tests merge themselves.</summary>
public class FamilyLoraTests
{
    private const int Rank = 3;
    private const double Alpha = 6;

    /// <summary>GPT-2's matrices are [inputs, outputs], one of them in three parts of ours; GPT-NeoX braids its three; the others have one of each.</summary>
    [Theory]
    [InlineData("gpt2-buffers-f32", true, "transformer.h.0.attn.c_attn", "transformer.h.1.attn.c_proj", "transformer.h.1.mlp.c_fc", "transformer.h.0.mlp.c_proj")]
    [InlineData("gpt2-buffers-f32", false, "transformer.h.1.attn.c_attn")] // some versions of PEFT write it so
    [InlineData("gpt_neo-window8-f32", false, "transformer.h.0.attn.attention.q_proj", "transformer.h.1.attn.attention.out_proj", "transformer.h.2.mlp.c_fc")]
    [InlineData("gpt_neox-parallel-f16", false, "gpt_neox.layers.0.attention.query_key_value", "gpt_neox.layers.1.mlp.dense_h_to_4h", "embed_out")]
    [InlineData("llama-rope3-untied-bias-f32", false, "model.layers.0.self_attn.q_proj", "model.layers.1.self_attn.k_proj", "model.layers.1.mlp.down_proj", "lm_head")]
    [InlineData("smollm3-nope-f16", false, "model.layers.0.self_attn.k_proj", "model.layers.3.mlp.gate_proj")]
    [InlineData("qwen2-tied-f32", false, "model.layers.0.self_attn.v_proj", "model.layers.1.mlp.up_proj")]
    [InlineData("qwen3-headdim32-bf16", false, "model.layers.0.self_attn.q_proj", "model.layers.1.self_attn.o_proj")]
    [InlineData("gemma3-window8-bf16", false, "model.layers.0.self_attn.o_proj", "model.layers.5.mlp.gate_proj")]
    public void Adapter_GivesTheBytesOfTheMergedCheckpoint(string golden, bool fanInFanOut, params string[] modules)
    {
        using var folder = new FamilyFolder(golden);
        var weights = AdapterFolder.Read(Path.Combine(folder.Model, "model.safetensors"));
        bool isTransposed = golden.StartsWith("gpt2-", StringComparison.Ordinal);
        var random = new Random(20261130);
        var adapter = new List<TestTensor>();
        foreach (string module in modules)
        {
            string name = weights.Keys.Single(key => module.EndsWith(key[..^".weight".Length], StringComparison.Ordinal) && key.EndsWith(".weight", StringComparison.Ordinal));
            int[] shape = weights[name].Shape;
            (int outputs, int inputs) = isTransposed ? (shape[1], shape[0]) : (shape[0], shape[1]);
            TestTensor a = Random($"base_model.model.{module}.lora_A.weight", Rank, inputs), b = Random($"base_model.model.{module}.lora_B.weight", outputs, Rank);
            adapter.AddRange([a, b]);
            weights[name] = weights[name] with { Values = Merge(weights[name], a, b, isTransposed) };
        }
        Save(folder, adapter, fanInFanOut);
        Directory.CreateDirectory(folder["merged"]);
        File.Copy(Path.Combine(folder.Model, "config.json"), Path.Combine(folder["merged"], "config.json"));
        AdapterFolder.Write(Path.Combine(folder["merged"], "model.safetensors"), weights.Values);

        foreach (FileLayout layout in Enum.GetValues<FileLayout>())
        {
            var options = new ConversionOptions { Type = BlockFormat.Q8_0, Layout = layout, Threads = 2, Overwrite = true };
            var report = CheckpointConverter.Convert(folder.Model, folder["out"], options with { LoraFolder = folder["adapter"] });
            CheckpointConverter.Convert(folder["merged"], folder["same"], options);
            CheckpointConverter.Convert(folder.Model, folder["without"], options);
            Assert.Equal(modules.Length, report.MergedMatrices);
            using GgufFile actual = GgufFile.Open(folder["out"]), same = GgufFile.Open(folder["same"]), without = GgufFile.Open(folder["without"]);
            int changed = 0;
            foreach (GgufTensorInfo tensor in actual.Tensors)
            {
                Assert.True(Bytes(actual, tensor.Name).SequenceEqual(Bytes(same, tensor.Name)), $"{layout} {tensor.Name}");
                changed += Bytes(actual, tensor.Name).SequenceEqual(Bytes(without, tensor.Name)) ? 0 : 1;
            }
            bool fused = layout == FileLayout.Packed && modules[0].Contains("c_attn") | modules[0].Contains("query_key_value");
            Assert.Equal(modules.Length + (fused ? 2 : 0), changed);
        }
    }

    /// <summary>Learned positions are looked up, as the embedding is.</summary>
    [Fact]
    public void Adapter_OfLearnedPositions_IsTransposedAndMerged()
    {
        using var folder = new FamilyFolder("gpt2-buffers-f32");
        TestTensor positions = AdapterFolder.Read(Path.Combine(folder.Model, "model.safetensors"))["wpe.weight"];
        (int rows, int width) = (positions.Shape[0], positions.Shape[1]);
        TestTensor a = Random("base_model.model.transformer.wpe.lora_embedding_A", Rank, rows), b = Random("base_model.model.transformer.wpe.lora_embedding_B", width, Rank);
        Save(folder, [a, b], fanInFanOut: true);
        CheckpointConverter.Convert(folder.Model, folder["out"], new() { Type = BlockFormat.F32, Layout = FileLayout.Plain, LoraFolder = folder["adapter"] });
        using GgufFile file = GgufFile.Open(folder["out"]);
        ReadOnlySpan<float> actual = System.Runtime.InteropServices.MemoryMarshal.Cast<byte, float>(Bytes(file, "position_embd.weight"));
        for (int i = 0; i < rows; i++)
        {
            for (int j = 0; j < width; j++)
            {
                double sum = 0;
                for (int k = 0; k < Rank; k++)
                    sum += (double)b.Values[j * Rank + k] * a.Values[k * rows + i];
                Assert.Equal(positions.Values[i * width + j] + Alpha / Rank * sum, actual[i * width + j], 1e-6);
            }
        }
    }

    [Fact]
    public void Adapter_ThatSaysTransposed_ForAFamilyThatIsNot_IsRefused()
    {
        using var folder = new FamilyFolder("gpt_neo-window8-f32");
        Save(folder, [Random("base_model.model.transformer.h.0.mlp.c_fc.lora_A.weight", Rank, 64), Random("base_model.model.transformer.h.0.mlp.c_fc.lora_B.weight", 256, Rank)], fanInFanOut: true);
        var refused = Assert.Throws<ModelFormatException>(() => CheckpointConverter.Convert(folder.Model, folder["out"], new() { LoraFolder = folder["adapter"] }));
        Assert.Equal(("fan_in_fan_out", ModelFault.Unsupported), (refused.Key, refused.Fault));
    }

    /// <summary>A transposed module whose halves are given as for one that is not.</summary>
    [Fact]
    public void Adapter_OfAWrongShape_NamesTheShapeRequired()
    {
        using var folder = new FamilyFolder("gpt2-buffers-f32");
        Save(folder, [Random("base_model.model.transformer.h.0.attn.c_attn.lora_A.weight", Rank, 192), Random("base_model.model.transformer.h.0.attn.c_attn.lora_B.weight", 64, Rank)], fanInFanOut: true);
        var refused = Assert.Throws<ModelFormatException>(() => CheckpointConverter.Convert(folder.Model, folder["out"], new() { LoraFolder = folder["adapter"] }));
        Assert.Equal(("base_model.model.transformer.h.0.attn.c_attn.lora_A.weight", ModelFault.Damaged), (refused.Tensor, refused.Fault));
        Assert.Contains("requires [rank, 64]", refused.Message);
    }

    private static TestTensor Random(string name, params int[] shape)
    {
        var random = new Random(name.Length);
        return new TestTensor(name, "F32", shape, [.. Enumerable.Range(0, shape[0] * shape[1]).Select(_ => (float)(random.NextDouble() - 0.5))]);
    }

    /// <summary>W + alpha / rank · B A in double precision, transposed where the checkpoint has the matrix so.</summary>
    private static float[] Merge(TestTensor weight, TestTensor a, TestTensor b, bool isTransposed)
    {
        (int rows, int cols, int inputs) = (weight.Shape[0], weight.Shape[1], a.Shape[1]);
        var merged = new float[rows * cols];
        for (int i = 0; i < rows; i++)
        {
            for (int j = 0; j < cols; j++)
            {
                (int output, int input) = isTransposed ? (j, i) : (i, j);
                double sum = 0;
                for (int k = 0; k < Rank; k++)
                    sum += (double)b.Values[output * Rank + k] * a.Values[k * inputs + input];
                merged[i * cols + j] = (float)(weight.Values[i * cols + j] + Alpha / Rank * sum);
            }
        }
        return merged;
    }

    private static void Save(FamilyFolder folder, List<TestTensor> tensors, bool fanInFanOut)
    {
        Directory.CreateDirectory(folder["adapter"]);
        var config = new JsonObject { ["peft_type"] = "LORA", ["r"] = Rank, ["lora_alpha"] = Alpha, ["bias"] = "none", ["fan_in_fan_out"] = fanInFanOut };
        File.WriteAllText(Path.Combine(folder["adapter"], "adapter_config.json"), config.ToJsonString());
        AdapterFolder.Write(Path.Combine(folder["adapter"], "adapter_model.safetensors"), tensors);
    }

    private static ReadOnlySpan<byte> Bytes(GgufFile file, string name) => file.Data(file.Find(name)!).Span(0, (int)file.Find(name)!.Bytes);
}
