using System.Buffers.Binary;
using System.Text;
using QedEdge.Conversion;
using QedEdge.Conversion.Checkpoints;
using QedEdge.Quantization;

#pragma warning disable xUnit1051 // every call here takes milliseconds; none needs to be cancelled

namespace QedEdge.Tests.Conversion;

public class CheckpointRefusalTests
{
    private const string Weights = "model.safetensors";
    private const string Index = "model.safetensors.index.json";

    [Theory]
    [InlineData("\"norm.weight\"", "\"nor2.weight\"", "norm.weight", ModelFault.MissingTensor)]
    [InlineData("layers.2.mlp.up_proj.weight", "layers.9.mlp.up_proj.weight", "layers.2.mlp.up_proj.weight", ModelFault.MissingTensor)]
    [InlineData("[256,128]", "[128,256]", "layers.0.mlp.gate_proj.weight", ModelFault.Damaged)]
    [InlineData("\"F32\"", "\"I32\"", "embed_tokens.weight", ModelFault.Unsupported)]
    public void Convert_TensorsThatDoNotFit_AreRefusedByName(string from, string to, string tensor, ModelFault fault)
    {
        using var folder = new CheckpointFolder().With("tied-f32");
        folder.Replace(Weights, from, to);
        var refused = Refuse(folder);
        Assert.Equal((tensor, fault), (refused.Tensor, refused.Fault));
    }

    [Theory]
    [InlineData("\"bias\": true", "\"bias\": null", "layers.0.attention.k_proj.bias")]
    public void Convert_UnknownTensor_IsRefusedByName(string from, string to, string tensor)
    {
        using var folder = new CheckpointFolder().With("untied-bias-bf16");
        folder.Replace("config.json", from, to);
        Assert.Equal(tensor, Refuse(folder).Tensor);
    }

    [Theory]
    [InlineData("unmask", false)]
    [InlineData("learned_mask", false)]
    [InlineData("mask_", false)]
    [InlineData("tri.l", false)]
    [InlineData("old_inv_freq", false)]
    [InlineData("mask", true)]
    [InlineData("attn_mask", true)]
    [InlineData("rotary.inv_freq", true)]
    public void Convert_FurtherTensor_IsIgnoredOnlyIfABuffer(string name, bool buffer)
    {
        using var folder = new CheckpointFolder().With("tied-f32");
        string tensor = $"layers.0.attention.{name}";
        byte[] bytes = File.ReadAllBytes(folder[Weights]);
        int length = BinaryPrimitives.ReadInt32LittleEndian(bytes);
        byte[] header = [.. "{"u8, .. Encoding.ASCII.GetBytes($$"""
            "{{tensor}}":{"dtype":"F32","shape":[1],"data_offsets":[{{bytes.Length - 8 - length}},{{bytes.Length - 4 - length}}]},
            """), .. bytes.AsSpan(9, length - 1)];
        File.WriteAllBytes(folder[Weights], [.. BitConverter.GetBytes((long)header.Length), .. header, .. bytes.AsSpan(8 + length), 0, 0, 0, 0]);
        if (buffer)
            CheckpointConverter.Convert(folder.Path, folder["out"], new());
        else
            Assert.Equal((tensor, ModelFault.Unsupported), (Refuse(folder).Tensor, Refuse(folder).Fault));
    }

    [Theory]
    [InlineData(float.NaN)]
    [InlineData(float.NegativeInfinity)]
    public void Convert_NonFiniteWeight_IsRefusedByName(float value)
    {
        using var folder = new CheckpointFolder().With("tied-f32");
        var tensor = SafetensorsHeader.Read(folder[Weights]).Single(static tensor => tensor.Name == "layers.1.mlp.down_proj.weight");
        byte[] bytes = File.ReadAllBytes(folder[Weights]);
        BinaryPrimitives.WriteSingleLittleEndian(bytes.AsSpan((int)tensor.Offset + (4 * ((256 * 100) + 7))), value);
        File.WriteAllBytes(folder[Weights], bytes);
        var refused = Refuse(folder);
        Assert.Equal(tensor.Name, refused.Tensor);
        Assert.Contains("[100, 7]", refused.Message);
    }

    [Fact]
    public void Convert_ValueBeyondTheFormat_IsRefusedByName()
    {
        using var folder = new CheckpointFolder().With("tied-f32");
        var tensor = SafetensorsHeader.Read(folder[Weights]).Single(static tensor => tensor.Name == "layers.1.mlp.down_proj.weight");
        byte[] bytes = File.ReadAllBytes(folder[Weights]);
        BinaryPrimitives.WriteSingleLittleEndian(bytes.AsSpan((int)tensor.Offset), 1e30f);
        File.WriteAllBytes(folder[Weights], bytes);
        Assert.Equal((tensor.Name, ModelFault.Unsupported), (Refuse(folder).Tensor, Refuse(folder).Fault));
        CheckpointConverter.Convert(folder.Path, folder["out"], new() { Type = BlockFormat.F32 });
    }

    [Fact]
    public void Convert_TiedHeadThatDiffers_IsRefused()
    {
        using var folder = new CheckpointFolder().With("head32-odd-vocab");
        CheckpointConverter.Convert(folder.Path, folder["good"], new());
        var head = SafetensorsHeader.Read(folder[Weights]).Single(static tensor => tensor.Name == "lm_head.weight");
        byte[] bytes = File.ReadAllBytes(folder[Weights]);
        bytes[head.Offset + head.Bytes - 1] ^= 1;
        File.WriteAllBytes(folder[Weights], bytes);
        Assert.Equal("lm_head.weight", Refuse(folder).Tensor);
    }

    [Theory]
    [InlineData("model-00002-of-00003", "../el-00002-of-00003")]
    [InlineData("model-00002-of-00003", "mod/l-00002-of-00003")]
    [InlineData("model-00002-of-00003", "C:del-00002-of-00003")]
    [InlineData("\"model.layers.0.mlp.gate_proj.weight\"", "\"model.layers.9.mlp.gate_proj.weight\"")]
    [InlineData("model-00002-of-00003", "model-00009-of-00003")]
    [InlineData("\"model.norm.weight\": \"model-00003", "\"model.norm.weight\": \"model-00001")]
    public void Open_IndexThatLeadsElsewhere_IsRefused(string from, string to)
    {
        using var folder = new CheckpointFolder().With("sharded-f16-model-prefix");
        folder.Replace(Index, from, to);
        Refuse(folder);
    }

    [Theory]
    [InlineData("\"d_model\": 128", "\"d_model\": 127")]
    [InlineData("\"d_model\": 128", "\"d_modes\": 128")]
    [InlineData("\"n_heads\": 2", "\"n_heads\": 0")]
    [InlineData("\"n_heads\": 2", "\"n_heads\": 3")]
    [InlineData("\"n_layers\": 3", "\"n_layers\":-3")]
    [InlineData("\"rms_norm_eps\": 1e-05", "\"rms_norm_eps\": -1e-5")]
    [InlineData("\"rope_theta\": 10000.0", "\"rope_theta\": \"10000\"")]
    [InlineData("\"rope_theta\": 10000.0", "\"rope_theta\": 9e99999")]
    [InlineData("\"bias\": false", "\"bias\": \"no!\"")]
    [InlineData("\"tie_word_embeddings\": true", "\"tie_word_embeddings\":    1")]
    [InlineData("\"eos_token_id\": 2", "\"eos_token_id\":-2")]
    [InlineData("\"model_type\": \"qed\"", "\"model_type\": \"gpt\"")]
    [InlineData("\"dropout\": 0.0", "\"n_heads\": 2.0")]
    public void Open_WrongConfiguration_IsRefused(string from, string to)
    {
        using var folder = new CheckpointFolder().With("tied-f32");
        folder.Replace("config.json", from, to);
        Assert.Contains("config.json", Refuse(folder).Message);
    }

    [Theory]
    [InlineData("config.json")]
    [InlineData(Weights)]
    [InlineData(Index)]
    [InlineData("tokenizer.json")]
    [InlineData("tokenizer_config.json")]
    [InlineData("special_tokens_map.json")]
    [InlineData("chat_template.jinja")]
    [InlineData("generation_config.json")]
    public void Open_FolderOrDanglingLinkInAFilesPlace_IsNamed(string name)
    {
        using var folder = new CheckpointFolder();
        string golden = name == Index ? "sharded-f16-model-prefix" : "tied-f32";
        folder.With(golden);
        if (name != "tokenizer.json")
            File.Copy(Path.Combine(TestData.TinyQed, "tokenizer.json"), folder["tokenizer.json"]);
        File.Delete(folder[name]);
        Directory.CreateDirectory(folder[name]);
        Assert.EndsWith($"{name}: is a folder, not a file", Refuse(folder).Message);
        Assert.SkipWhen(OperatingSystem.IsWindows(), "links need a privilege there");
        Directory.Delete(folder[name]);
        File.CreateSymbolicLink(folder[name], folder["gone"]);
        Assert.EndsWith($"{name}: is a link to a file that is not there", Refuse(folder).Message);
    }

    [Theory]
    [InlineData("0")]
    [InlineData("-1")]
    [InlineData("\"none\"")]
    public void Convert_ValuesForTrainingOnly_AreIgnored(string deviation)
    {
        using var folder = new CheckpointFolder().With("tied-f32");
        string config = folder["config.json"], text = File.ReadAllText(config);
        File.WriteAllText(config, text.Replace("\"initializer_range\": 0.02", $"\"initializer_range\": {deviation}"));
        Assert.NotEqual(text, File.ReadAllText(config));
        CheckpointConverter.Convert(folder.Path, folder["out"], new());
        var refused = Assert.Throws<ModelFormatException>(() => RandomCheckpoint.Write(config, folder["random"], 0, CheckpointType.F16, overwrite: false));
        Assert.Equal("initializer_range", refused.Key);
        Assert.False(Path.Exists(folder["random"]));
    }

    [Fact]
    public void Open_MissingFiles_AreNamed()
    {
        using var folder = new CheckpointFolder();
        Assert.Contains("config.json", Refuse(folder).Message);
        folder.With("tied-f32");
        File.Delete(folder[Weights]);
        Assert.Contains(Weights, Refuse(folder).Message);
        Assert.Throws<ModelFormatException>(() => Checkpoint.Open(folder["nowhere"]));
        Assert.Throws<ModelFormatException>(() => Checkpoint.Open(folder["config.json"]));
    }

    private static ModelFormatException Refuse(CheckpointFolder folder)
    {
        var refused = Assert.Throws<ModelFormatException>(() => CheckpointConverter.Convert(folder.Path, folder["refused"], new() { Threads = 2 }));
        Assert.DoesNotContain('\n', refused.Message);
        Assert.False(File.Exists(folder["refused"]));
        return refused;
    }
}
