using System.Text.Json.Nodes;
using QedEdge.Conversion;
using QedEdge.Quantization;

#pragma warning disable xUnit1051 // every call here takes milliseconds; none needs to be cancelled

namespace QedEdge.Tests.Conversion;

/// <summary>Configurations that contradict themselves, the weights or what there is: one line that names file and key.</summary>
public class FamilyConfigRefusalTests
{
    private const string Llama = "llama-smol-tied-bf16", Llama3 = "llama-rope3-untied-bias-f32", SmolLM3 = "smollm3-nope-f16", Qwen2 = "qwen2-tied-f32", Qwen3 = "qwen3-headdim32-bf16",
        Gemma = "gemma3-window8-bf16", Gpt2 = "gpt2-buffers-f32", GptNeo = "gpt_neo-window8-f32", GptNeoX = "gpt_neox-parallel-f16";

    [Theory]
    [InlineData(Llama, "num_attention_heads", "7", "num_attention_heads")]
    [InlineData(Llama, "num_attention_heads", "0", "num_attention_heads")]
    [InlineData(Llama, "num_key_value_heads", "2", "num_key_value_heads")]
    [InlineData(Llama, "num_key_value_heads", "18", "num_key_value_heads")]
    [InlineData(Llama, "head_dim", "15", "head_dim")]
    [InlineData(Llama, "head_dim", "1048576", "head_dim")]
    [InlineData(Llama, "hidden_act", "\"relu\"", "hidden_act")]
    [InlineData(Llama, "hidden_act", "7", "hidden_act")]
    [InlineData(Llama, "n_embd", "99", "hidden_size")]
    [InlineData(Llama, "rope_theta", "0", "rope_theta")]
    [InlineData(Llama, "rms_norm_eps", "0", "rms_norm_eps")]
    [InlineData(Llama, "rope_scaling", "{\"rope_type\":\"dynamic\",\"factor\":2}", "rope_scaling.rope_type")]
    [InlineData(Llama, "rope_scaling", "{\"type\":\"longrope\",\"factor\":2}", "rope_scaling.type")]
    [InlineData(Llama, "rope_scaling", "{\"rope_type\":\"linear\",\"factor\":0}", "factor")]
    [InlineData(Llama, "rope_scaling", "{\"rope_type\":\"linear\",\"factor\":-2}", "factor")]
    [InlineData(Llama, "rope_scaling", "{\"rope_type\":\"yarn\",\"factor\":\"4\"}", "factor")]
    [InlineData(Llama, "rope_scaling", "{\"rope_type\":\"yarn\",\"factor\":1e999}", "factor")]
    [InlineData(Llama, "rope_scaling", "{\"rope_type\":\"yarn\",\"factor\":4,\"original_max_position_embeddings\":0}", "original_max_position_embeddings")]
    [InlineData(Llama, "rope_scaling", "{\"rope_type\":\"linear\",\"factor\":2,\"low\":1}", "rope_scaling.low")]
    [InlineData(Llama, "rope_parameters", "{\"rope_type\":\"default\",\"rope_theta\":77}", "rope_theta")]
    [InlineData(Llama3, "rope_scaling", "{\"rope_type\":\"llama3\",\"factor\":8,\"low_freq_factor\":4,\"high_freq_factor\":4,\"original_max_position_embeddings\":64}", "rope_scaling.high_freq_factor")]
    [InlineData(Llama3, "rope_scaling", "{\"rope_type\":\"llama3\",\"factor\":8,\"low_freq_factor\":0,\"high_freq_factor\":4,\"original_max_position_embeddings\":64}", "rope_scaling.low_freq_factor")]
    [InlineData(Llama3, "rope_scaling", "{\"rope_type\":\"llama3\",\"factor\":8,\"low_freq_factor\":1,\"high_freq_factor\":4}", "rope_scaling.original_max_position_embeddings")]
    [InlineData(SmolLM3, "no_rope_layers", "[1,1,1,0]", "no_rope_layers")]
    [InlineData(SmolLM3, "no_rope_layers", "[1,1,1,2,1]", "no_rope_layers")]
    [InlineData(SmolLM3, "no_rope_layers", "\"all\"", "no_rope_layers")]
    [InlineData(Qwen2, "use_sliding_window", "true", "sliding_window")]
    [InlineData(Qwen3, "head_dim", "0", "head_dim")]
    [InlineData(Qwen3, "layer_types", "[\"full_attention\",\"sliding_attention\",\"full_attention\"]", "layer_types")]
    [InlineData(Gemma, "layer_types", "[\"full_attention\"]", "layer_types")]
    [InlineData(Gemma, "layer_types", "[\"chunked_attention\",\"full_attention\",\"full_attention\",\"full_attention\",\"full_attention\",\"full_attention\",\"full_attention\"]", "layer_types")]
    [InlineData(Gemma, "sliding_window", "0", "sliding_window")]
    [InlineData(Gemma, "sliding_window", "-8", "sliding_window")]
    [InlineData(Gemma, "sliding_window", "2147483647", "sliding_window")]
    [InlineData(Gemma, "sliding_window", "8.5", "sliding_window")]
    [InlineData(Gemma, "query_pre_attn_scalar", "0", "query_pre_attn_scalar")]
    [InlineData(Gemma, "rope_local_base_freq", "-1", "rope_local_base_freq")]
    [InlineData(Gemma, "use_bidirectional_attention", "true", "use_bidirectional_attention")]
    [InlineData(Gemma, "attn_logit_softcapping", "50", "attn_logit_softcapping")]
    [InlineData(Gemma, "final_logit_softcapping", "30", "final_logit_softcapping")]
    [InlineData(Gemma, "hidden_activation", "\"tanh\"", "hidden_activation")]
    [InlineData(Gpt2, "n_head", "5", "n_head")]
    [InlineData(Gpt2, "activation_function", "\"relu\"", "activation_function")]
    [InlineData(Gpt2, "layer_norm_epsilon", "-1e-5", "layer_norm_epsilon")]
    [InlineData(Gpt2, "n_positions", "0", "n_positions")]
    [InlineData(Gpt2, "n_positions", "77", "n_positions")] // of which n_ctx is a copy
    [InlineData(Gpt2, "scale_attn_weights", "false", "scale_attn_weights")]
    [InlineData(Gpt2, "scale_attn_by_inverse_layer_idx", "true", "scale_attn_by_inverse_layer_idx")]
    [InlineData(Gpt2, "add_cross_attention", "true", "add_cross_attention")]
    [InlineData(GptNeo, "attention_types", "[[[\"global\"],99]]", "attention_")]
    [InlineData(GptNeo, "attention_types", "[[\"global\"]]", "attention_")]
    [InlineData(GptNeo, "attention_layers", "[\"global\"]", "attention_")]
    [InlineData(GptNeo, "attention_layers", "[\"global\",\"\\ud800\"]", "attention_layers")]
    [InlineData(Gemma, "layer_types", "[\"\\ud800\"]", "layer_types")]
    [InlineData(GptNeo, "attention_layers", "[\"global\",\"global\",\"global\",\"global\"]", "attention_")]
    [InlineData(GptNeo, "window_size", "0", "window_size")]
    [InlineData(GptNeo, "num_heads", "3", "num_heads")]
    [InlineData(GptNeoX, "rotary_pct", "0", "rotary_pct")]
    [InlineData(GptNeoX, "rotary_pct", "1.5", "rotary_")]
    [InlineData(GptNeoX, "rotary_pct", "0.1", "rotary_")]
    [InlineData(GptNeoX, "hidden_act", "\"mish\"", "hidden_act")]
    [InlineData(GptNeoX, "use_parallel_residual", "\"yes\"", "use_parallel_residual")]
    [InlineData(GptNeoX, "num_attention_heads", "3", "num_attention_heads")]
    public void Key_ThatCannotBe_IsRefusedByName(string golden, string key, string value, string named)
    {
        ModelFormatException refused = Refuse(golden, (key, value));
        Assert.Contains(named, refused.Key);
    }

    /// <summary>A size that no key contradicts is contradicted by the weights.</summary>
    [Theory]
    [InlineData(Llama, "intermediate_size", "100", "layers.0.mlp.gate_proj.weight")]
    [InlineData(Llama, "vocab_size", "333", "embed_tokens.weight")]
    [InlineData(Llama, "num_hidden_layers", "99", "input_layernorm.weight")]
    [InlineData(Llama, "num_hidden_layers", "1", "layers.1.")]
    [InlineData(Llama, "attention_bias", "true", "q_proj.bias")]
    [InlineData(Llama, "tie_word_embeddings", "false", "lm_head.weight")]
    [InlineData(Llama3, "mlp_bias", "false", ".bias")]
    [InlineData(Gpt2, "n_inner", "100", "mlp.c_fc.weight")]
    [InlineData(GptNeoX, "attention_bias", "false", "attention.")]
    public void Size_ThatTheWeightsContradict_NamesTheTensor(string golden, string key, string value, string tensor) => Assert.Contains(tensor, Refuse(golden, (key, value)).Tensor);

    private static ModelFormatException Refuse(string golden, params (string Key, string Value)[] changes)
    {
        using var folder = new CheckpointFolder();
        folder.With(golden);
        JsonObject config = FamilyFolder.Config(golden);
        foreach ((string key, string value) in changes)
            config[key] = "HERE" + key;
        string text = config.ToJsonString();
        foreach ((string key, string value) in changes)
            text = text.Replace($"\"HERE{key}\"", value); // numbers beyond any type stay as they are
        File.WriteAllText(folder["config.json"], text);
        var refused = Assert.Throws<ModelFormatException>(() => CheckpointConverter.Convert(folder.Path, folder["refused"], new() { Type = BlockFormat.F32 }));
        Assert.DoesNotContain('\n', refused.Message);
        Assert.False(File.Exists(folder["refused"]));
        return refused;
    }
}
