using System.Text.Json.Nodes;
using QedEdge.Conversion;
using QedEdge.Quantization;

#pragma warning disable xUnit1051 // every call here takes milliseconds; none needs to be cancelled

namespace QedEdge.Tests.Conversion;

/// <summary>Adapters that cannot be merged are refused with one line that names the file and the key or tensor in it.</summary>
public class LoraRefusalTests
{
    private const int Vocab = AdapterFolder.Vocab, Width = AdapterFolder.Width, Inner = AdapterFolder.Inner;
    private const string Query = "layers.0.attention.q_proj", Root = "base_model.model.";
    private const string Config = "adapter_config.json", Weights = "adapter_model.safetensors";

    [Theory]
    [InlineData("peft_type", "\"IA3\"", ModelFault.Unsupported)]
    [InlineData("peft_type", "null", ModelFault.Damaged)]
    [InlineData("use_dora", "true", ModelFault.Unsupported)]
    [InlineData("use_qalora", "true", ModelFault.Unsupported)]
    [InlineData("lora_bias", "true", ModelFault.Unsupported)]
    [InlineData("fan_in_fan_out", "true", ModelFault.Unsupported)]
    [InlineData("modules_to_save", "[\"lm_head\"]", ModelFault.Unsupported)]
    [InlineData("trainable_token_indices", "{\"embed_tokens\":[1]}", ModelFault.Unsupported)]
    [InlineData("layer_replication", "[[0,1]]", ModelFault.Unsupported)]
    [InlineData("alora_invocation_tokens", "[1]", ModelFault.Unsupported)]
    [InlineData("init_lora_weights", "\"pissa_niter_4\"", ModelFault.Unsupported)]
    [InlineData("init_lora_weights", "\"loftq\"", ModelFault.Unsupported)]
    [InlineData("r", "null", ModelFault.Damaged)]
    [InlineData("r", "0", ModelFault.Damaged)]
    [InlineData("r", "4.5", ModelFault.Damaged)]
    [InlineData("lora_alpha", "null", ModelFault.Damaged)]
    [InlineData("lora_alpha", "\"8\"", ModelFault.Damaged)]
    [InlineData("lora_alpha", "1e999", ModelFault.Damaged)]
    [InlineData("use_rslora", "1", ModelFault.Damaged)]
    [InlineData("rank_pattern", "[]", ModelFault.Damaged)]
    [InlineData("rank_pattern", "{\"q_(proj\":4}", ModelFault.Damaged)]
    [InlineData("alpha_pattern", "\"all\"", ModelFault.Damaged)]
    [InlineData("target_modules", "[1]", ModelFault.Damaged)]
    public void Convert_Configuration_IsRefusedByKey(string key, string value, ModelFault fault)
    {
        using var folder = new AdapterFolder();
        folder.Add(Query, Width, Width).Save();
        Converts(folder);
        folder.Config[key] = "HERE";
        folder.Save();
        string file = Path.Combine(folder.Adapter, Config);
        File.WriteAllText(file, File.ReadAllText(file).Replace("\"HERE\"", value));
        var refused = Refuse(folder, Config);
        Assert.Equal((key, fault), (refused.Key, refused.Fault));
    }

    [Theory]
    [InlineData("rank_pattern", "{\"q_proj\":0}", "q_proj")]
    [InlineData("alpha_pattern", "{\"q_proj\":true}", "q_proj")]
    [InlineData("alpha_pattern", "{\"(.*a*)*b\":2}", "(.*a*)*b")] // takes as many steps as there are ways to part a name
    public void Convert_Pattern_IsRefusedByName(string key, string value, string pattern)
    {
        using var folder = new AdapterFolder();
        folder.Config[key] = JsonNode.Parse(value);
        folder.Add(Query, Width, Width).Save();
        Assert.Equal(pattern, Refuse(folder, Config).Key);
    }

    /// <summary>Values that mean nothing, and those that PEFT writes beside plain LoRA.</summary>
    [Theory]
    [InlineData("use_dora", "false")]
    [InlineData("modules_to_save", "[]")]
    [InlineData("modules_to_save", "null")]
    [InlineData("rank_pattern", "{}")]
    [InlineData("rank_pattern", "null")]
    [InlineData("bias", "\"lora_only\"")]
    [InlineData("init_lora_weights", "true")]
    [InlineData("init_lora_weights", "\"gaussian\"")]
    [InlineData("loftq_config", "{}")]
    [InlineData("layers_to_transform", "[0]")]
    public void Convert_HarmlessConfiguration_IsAccepted(string key, string value)
    {
        using var folder = new AdapterFolder();
        folder.Config[key] = JsonNode.Parse(value);
        Converts(folder.Add(Query, Width, Width).Save());
    }

    [Fact]
    public void Convert_MissingFiles_AreNamed()
    {
        using var folder = new AdapterFolder();
        Directory.Delete(folder.Adapter);
        Assert.Contains("no such folder", Refuse(folder, "adapter").Message);
        File.WriteAllText(folder.Adapter, "");
        Assert.Contains("is a file", Refuse(folder, "adapter").Message);
        File.Delete(folder.Adapter);
        Directory.CreateDirectory(folder.Adapter);
        Assert.Contains("no " + Config, Refuse(folder, "adapter").Message);
        folder.Add(Query, Width, Width).Save();
        File.Delete(Path.Combine(folder.Adapter, Weights));
        Assert.Contains("no " + Weights, Refuse(folder, "adapter").Message);
        File.WriteAllText(Path.Combine(folder.Adapter, "adapter_model.bin"), "");
        Assert.Contains("as safetensors", Refuse(folder, "adapter").Message);
        Directory.CreateDirectory(Path.Combine(folder.Adapter, Weights));
        Assert.Contains("is a folder", Refuse(folder, Weights).Message);
    }

    [Fact]
    public void Convert_AdapterWithoutTensors_IsRefused()
    {
        using var folder = new AdapterFolder();
        Assert.Contains("no LoRA tensors", Refuse(folder.Save(), Weights).Message);
    }

    [Theory]
    [InlineData("layers.2.attention.q_proj", Width, Width)] // a layer too many
    [InlineData("layers.0.self_attn.q_proj", Width, Width)] // another family
    [InlineData("layers.0.input_norm", 1, Width)]           // a vector
    [InlineData("embed_tokens", Vocab, Width)]              // not as an embedding
    [InlineData("layers.0.mlp.gate_proj", Width, Width)]    // B of another shape
    [InlineData("layers.0.mlp.down_proj", Width, Width)]    // A of another shape
    [InlineData(Query, Width, Width, 3)]                    // another rank than the configuration's
    [InlineData(Query, Width, Width, 4, "F64")]
    public void Convert_TensorsThatDoNotFit_AreRefusedByName(string module, int outputs, int inputs, int rank = 4, string type = "F32")
    {
        using var folder = new AdapterFolder();
        folder.Add("layers.1.attention.k_proj", Width, Width).Add(module, outputs, inputs, rank, type).Save();
        Assert.StartsWith($"{Root}{module}.lora_", Refuse(folder, Weights).Tensor);
    }

    /// <summary>Also where the checkpoint holds the head a second time: merged into it alone, the two would differ.</summary>
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Convert_TiedHead_IsRefused(bool duplicate)
    {
        using var folder = new AdapterFolder(tied: true);
        var checkpoint = folder.Checkpoint();
        if (duplicate)
            AdapterFolder.Write(Path.Combine(folder.Model, "model.safetensors"), [.. checkpoint.Values, checkpoint["embed_tokens.weight"] with { Name = "lm_head.weight" }]);
        Converts(folder.Add(Query, Width, Width).Save());
        var refused = Refuse(folder.Add("lm_head", Vocab, Width).Save(), Weights);
        Assert.StartsWith(Root + "lm_head.lora_", refused.Tensor);
        Assert.Contains("tie_word_embeddings", refused.Message);
    }

    /// <summary>Tensors beside, instead of or without those of a sound adapter.</summary>
    [Theory]
    [InlineData(Query + ".lora_A.weight", null)]                              // B without A
    [InlineData(Query + ".lora_B.weight", null)]
    [InlineData(Query + ".lora_B.weight", Query + ".lora_B.weight", Width, 3)] // its rank is not A's
    [InlineData(Query + ".lora_B.weight", Query + ".lora_B.weight", Width, 4, 1)]
    [InlineData(null, Query + ".lora_magnitude_vector", Width)]
    [InlineData(null, Query + ".lora_B.bias", Width)]
    [InlineData(null, Query + ".lora_A.other.weight", 4, Width)]
    [InlineData(null, Query + ".bias", Width)]                                // the checkpoint has none
    [InlineData(null, "lm_head.bias", Vocab)]                                 // trained
    [InlineData(null, "lm_head.modules_to_save.weight", Vocab, Width)]
    [InlineData(null, "embed_tokens.weight", Vocab + 1, Width)]               // resized
    [InlineData(null, "norm.weight", Width)]
    [InlineData(null, Query + ".lora_A.default.weight", 4, Width)]            // twice
    [InlineData(null, "model." + Query + ".lora_A.weight", 4, Width)]
    [InlineData(null, Query + ".lora_embedding_A", 4, Width)]
    public void Convert_OtherTensors_AreRefusedByName(string? without, string? with, params int[] shape)
    {
        using var folder = new AdapterFolder();
        Converts(folder.Add(Query, Width, Width).Save());
        string other = folder.Tensors.Single(tensor => !tensor.Name.EndsWith(without ?? "lora_B.weight", StringComparison.Ordinal)).Name;
        folder.Tensors.RemoveAll(tensor => tensor.Name == Root + without);
        if (with is not null)
            folder.Tensors.Add(folder.Random(Root + with, "F32", shape));
        Assert.Equal(with is null ? other : Root + with, Refuse(folder.Save(), Weights).Tensor);
    }

    [Theory]
    [InlineData(0, float.NaN)]
    [InlineData(1, float.PositiveInfinity)]
    public void Convert_ValueNotFinite_IsRefusedByPlace(int tensor, float value)
    {
        using var folder = new AdapterFolder();
        folder.Add("layers.0.mlp.down_proj", Width, Inner);
        folder.Tensors[tensor].Values[folder.Tensors[tensor].Shape[1] + 2] = value;
        var refused = Refuse(folder.Save(), Weights);
        Assert.Equal(folder.Tensors[tensor].Name, refused.Tensor);
        Assert.Contains("[1, 2]", refused.Message);
    }

    [Fact]
    public void Convert_SumBeyondFloat32_IsRefusedByPlace()
    {
        using var folder = new AdapterFolder();
        folder.Config["lora_alpha"] = 1e300;
        folder.Add(Query, Width, Width).Save();
        var refused = Refuse(folder, "model.safetensors");
        Assert.Equal(Query + ".weight", refused.Tensor);
        Assert.Contains("adapter", refused.Message);
    }

    private static void Converts(AdapterFolder folder)
    {
        Assert.Equal(1, CheckpointConverter.Convert(folder.Model, folder["good"], Options(folder)).MergedMatrices);
        File.Delete(folder["good"]);
    }

    private static ModelFormatException Refuse(AdapterFolder folder, string file)
    {
        var refused = Assert.Throws<ModelFormatException>(() => CheckpointConverter.Convert(folder.Model, folder["refused"], Options(folder)));
        Assert.DoesNotContain('\n', refused.Message);
        Assert.Equal(file, Path.GetFileName(refused.File));
        Assert.False(File.Exists(folder["refused"]));
        return refused;
    }

    private static ConversionOptions Options(AdapterFolder folder) => new() { Type = BlockFormat.F32, LoraFolder = folder.Adapter, Threads = 2 };
}
