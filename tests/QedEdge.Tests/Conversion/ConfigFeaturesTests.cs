using System.Text.Json.Nodes;
using QedEdge.Conversion;
using QedEdge.Conversion.Checkpoints;

namespace QedEdge.Tests.Conversion;

/// <summary>Keys of config.json that change what a model computes: read, or refused by name where QED does something else; never passed over.</summary>
public sealed class ConfigFeaturesTests : IDisposable
{
    private readonly CheckpointFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    // Width 128, 2 heads of 64, 3 layers, context 256, base 10,000, no biases.
    [Theory]
    [InlineData("sliding_window", "4096")]
    [InlineData("use_sliding_window", "true")]
    [InlineData("layer_types", """["full_attention","sliding_attention"]""")]
    [InlineData("layer_types", "\"sliding_attention\"")]
    [InlineData("no_rope_layers", "[1,0,1]")]
    [InlineData("num_key_value_heads", "1")]
    [InlineData("head_dim", "128")]
    [InlineData("attention_multiplier", "0.1")]
    [InlineData("attn_logit_softcapping", "50.0")]
    [InlineData("final_logit_softcapping", "30.0")]
    [InlineData("qk_norm", "true")]
    [InlineData("partial_rotary_factor", "0.5")]
    [InlineData("hidden_act", "\"relu\"")]
    [InlineData("hidden_act", "\"\\ud800\"")]
    [InlineData("hidden_act", "7")]
    [InlineData("attention_bias", "true")]
    [InlineData("mlp_bias", "\"no\"")]
    [InlineData("residual_multiplier", "0.22")]
    [InlineData("embedding_multiplier", "12")]
    [InlineData("logit_scale", "0.0625")]
    [InlineData("num_experts", "8")]
    [InlineData("quantization_config", """{"bits":4}""")]
    [InlineData("hidden_size", "64")]
    [InlineData("num_hidden_layers", "4")]
    [InlineData("max_position_embeddings", "512")]
    [InlineData("rope_base", "50000")]
    public void Read_OtherArithmetic_IsRefusedByName(string key, string value) => Assert.Equal(key, Refuse(key, value).Key);

    [Theory]
    [InlineData("sliding_window", "null")]
    [InlineData("layer_types", """["full_attention","full_attention"]""")]
    [InlineData("no_rope_layers", "[]")]
    [InlineData("num_key_value_heads", "2")]
    [InlineData("head_dim", "64")]
    [InlineData("attention_multiplier", "0.125")]
    [InlineData("attn_logit_softcapping", "null")]
    [InlineData("qk_norm", "false")]
    [InlineData("partial_rotary_factor", "1.0")]
    [InlineData("hidden_act", "\"silu\"")]
    [InlineData("attention_bias", "false")]
    [InlineData("logit_scale", "1")]
    [InlineData("num_experts", "0")]
    [InlineData("pruned_heads", "{}")]
    [InlineData("hidden_size", "128")]
    [InlineData("norm_eps", "1e-05")]
    [InlineData("rope_base", "10000")]
    [InlineData("attention_dropout", "0.1")]
    [InlineData("_attn_implementation_autoset", "true")]
    public void Read_WhatQedDoes_IsTakenWithoutAWord(string key, string value) => Assert.Empty(Read(key, value).UnknownKeys);

    [Fact]
    public void Read_AWindowThatIsSwitchedOff_IsTaken()
    {
        JsonObject config = Config();
        config["sliding_window"] = 4096;
        config["use_sliding_window"] = false;
        Assert.Empty(Read(config).UnknownKeys);
    }

    [Fact]
    public void Convert_UnknownKeys_AreNamed()
    {
        _folder.With("tied-f32");
        JsonObject config = Config();
        config["a_new_idea"] = 0.5;
        for (int i = 0; i < 20; i++)
            config[$"more{i}"] = i;
        File.WriteAllText(_folder["config.json"], config.ToJsonString());
        string warning = Assert.Single(CheckpointConverter.Convert(_folder.Path, _folder["out"], new()).Warnings, static warning => warning.Contains("a_new_idea", StringComparison.Ordinal));
        Assert.Contains("and 9 more", warning, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("""{"rope_theta":50000}""")]
    [InlineData("""{"rope_theta":null,"rope_parameters":{"rope_type":"default","rope_theta":50000.0}}""")]
    [InlineData("""{"rope_theta":null,"rope_parameters":{"type":"default","rope_theta":50000.0,"partial_rotary_factor":1.0}}""")]
    [InlineData("""{"rope_theta":null,"rope_parameters":{"rope_theta":50000.0}}""")]
    [InlineData("""{"rope_theta":50000,"rope_parameters":{"rope_type":"default","rope_theta":50000.0},"rope_scaling":null}""")]
    [InlineData("""{"rope_theta":50000,"rope_scaling":{"type":"default","rope_type":"default"}}""")]
    [InlineData("""{"rope_theta":50000,"rope_scaling":{}}""")]
    [InlineData("""{"rope_theta":null,"rope_scaling":{"rope_theta":50000}}""")]
    public void Read_TheBaseOfRotaryPositions_IsTakenFromWhereItStands(string changes) => Assert.Equal(50000f, Read(Changed(changes)).Architecture.Layers[0].Attention.Rotary!.Theta);

    [Fact]
    public void Read_NoBase_Is10000() => Assert.Equal(10000f, Read("rope_theta", "null").Architecture.Layers[0].Attention.Rotary!.Theta);

    [Theory]
    [InlineData("""{"rope_scaling":{"type":"dynamic","factor":4.0}}""", "rope_scaling.type", "'dynamic'")]
    [InlineData("""{"rope_scaling":{"factor":4.0}}""", "rope_scaling.factor", "scaled")]
    [InlineData("""{"rope_scaling":{"type":"linear"}}""", "rope_scaling.factor", "missing")]
    [InlineData("""{"rope_scaling":"linear"}""", "rope_scaling", "no object")]
    [InlineData("""{"rope_parameters":{"rope_type":"longrope","factor":8.0,"rope_theta":10000}}""", "rope_parameters.rope_type", "'longrope'")]
    [InlineData("""{"rope_parameters":{"rope_type":"default","type":"yarn"}}""", "rope_parameters.type", "correct one")]
    [InlineData("""{"rope_parameters":{"rope_type":5}}""", "rope_parameters.rope_type", "no text")]
    [InlineData("""{"rope_parameters":{"rope_theta":50000}}""", "rope_parameters.rope_theta", "10000 elsewhere")]
    [InlineData("""{"rope_theta":null,"rope_parameters":{"rope_theta":50000},"rope_scaling":{"rope_theta":40000}}""", "rope_scaling.rope_theta", "50000 elsewhere")]
    [InlineData("""{"rope_parameters":{"rope_theta":-1}}""", "rope_parameters.rope_theta", "not positive")]
    [InlineData("""{"rope_parameters":{"rope_theta":"10000"}}""", "rope_parameters.rope_theta", "no number")]
    [InlineData("""{"rope_parameters":{"partial_rotary_factor":0.5}}""", "rope_parameters.partial_rotary_factor", "part of a head")]
    [InlineData("""{"rope_parameters":{"strided_attention":{"rope_theta":10000}}}""", "rope_parameters.strided_attention", "kind of layers")]
    public void Read_OtherRotaryPositions_AreRefusedByName(string changes, string key, string words)
    {
        var refused = Assert.Throws<ModelFormatException>(() => Read(Changed(changes)));
        Assert.Equal(key, refused.Key);
        Assert.Contains(words, refused.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(-1, null)]
    [InlineData(5, 5)]
    public void Read_APaddingIdOfMinusOne_IsNone(int id, int? expected)
    {
        Assert.Equal(expected, Read("pad_token_id", $"{id}").PadId);
        File.WriteAllText(_folder["generation_config.json"], $$"""{"pad_token_id":{{id}}}""");
        Assert.Equal(expected, GenerationConfig.ReadFolder(_folder.Path, 512)!.PadId);
    }

    private static JsonObject Config() => JsonNode.Parse(File.ReadAllText(Path.Combine(CheckpointFolder.Golden("tied-f32"), "config.json")))!.AsObject();

    private static JsonObject Changed(string changes)
    {
        JsonObject config = Config();
        foreach (var (key, value) in JsonNode.Parse(changes)!.AsObject())
            config[key] = value?.DeepClone();
        return config;
    }

    private ModelFormatException Refuse(string key, string value)
    {
        var refused = Assert.Throws<ModelFormatException>(() => Read(key, value));
        Assert.DoesNotContain('\n', refused.Message);
        return refused;
    }

    private CheckpointConfig Read(JsonObject config)
    {
        File.WriteAllText(_folder["c.json"], config.ToJsonString());
        return CheckpointConfig.Read(_folder["c.json"]);
    }

    /// <summary>As text, since JsonNode would not hold lone surrogates.</summary>
    private CheckpointConfig Read(string key, string value)
    {
        JsonObject config = Config();
        config[key] = "HERE";
        File.WriteAllText(_folder["c.json"], config.ToJsonString().Replace("\"HERE\"", value, StringComparison.Ordinal));
        return CheckpointConfig.Read(_folder["c.json"]);
    }
}
