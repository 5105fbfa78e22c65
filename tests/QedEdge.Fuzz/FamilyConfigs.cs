namespace QedEdge.Fuzz;

/// <summary>The config.json of a small checkpoint of each family but QED, with the keys that the published ones have.</summary>
internal static class FamilyConfigs
{
    private const string Llama = """
        "vocab_size":13,"hidden_size":8,"num_hidden_layers":2,"num_attention_heads":2,"num_key_value_heads":1,"intermediate_size":12,"max_position_embeddings":64,"rms_norm_eps":1e-05,"hidden_act":"silu",
        "eos_token_id":1,"initializer_range":0.4,"torch_dtype":"float32"
        """;

    /// <summary>All of them.</summary>
    public static IReadOnlyList<string> All { get; } =
    [
        $$$"""
        {"model_type":"llama",{{{Llama}}},"rope_theta":10000.0,"tie_word_embeddings":false,"attention_bias":true,"mlp_bias":true,
        "rope_scaling":{"rope_type":"llama3","factor":8.0,"low_freq_factor":1.0,"high_freq_factor":4.0,"original_max_position_embeddings":16}}
        """,
        $$$"""{"model_type":"smollm3",{{{Llama}}},"rope_theta":10000.0,"tie_word_embeddings":true,"no_rope_layers":[1,0],"no_rope_layer_interval":2}""",
        $$$"""
        {"model_type":"qwen2",{{{Llama}}},"tie_word_embeddings":true,"use_sliding_window":false,"sliding_window":8,"max_window_layers":1,
        "rope_parameters":{"rope_theta":10000.0,"rope_type":"yarn","factor":4.0,"original_max_position_embeddings":16}}
        """,
        $$$"""{"model_type":"qwen3",{{{Llama}}},"rope_theta":10000.0,"rope_scaling":{"type":"linear","factor":2.0},"tie_word_embeddings":true,"head_dim":6}""",
        $$$"""
        {"model_type":"gemma3_text",{{{Llama.Replace("\"hidden_act\":\"silu\"", "\"hidden_activation\":\"gelu_pytorch_tanh\"", StringComparison.Ordinal)}}},"head_dim":6,"query_pre_attn_scalar":6,"rope_theta":1000000.0,
        "rope_local_base_freq":10000.0,"sliding_window":4,"layer_types":["sliding_attention","full_attention"],"bos_token_id":1}
        """,
        """
        {"model_type":"gpt2","vocab_size":13,"n_embd":8,"n_layer":1,"n_head":2,"n_positions":64,"n_ctx":64,"activation_function":"gelu_new","layer_norm_epsilon":1e-05,"bos_token_id":1,"eos_token_id":1,
        "initializer_range":0.4}
        """,
        """
        {"model_type":"gpt_neo","vocab_size":13,"hidden_size":8,"num_layers":2,"num_heads":2,"attention_types":[[["global","local"],1]],"attention_layers":["global","local"],"window_size":4,
        "intermediate_size":null,"max_position_embeddings":64,"activation_function":"gelu_new","layer_norm_epsilon":1e-05,"bos_token_id":1,"eos_token_id":1,"initializer_range":0.4}
        """,
        """
        {"model_type":"gpt_neox","vocab_size":13,"hidden_size":8,"num_hidden_layers":1,"num_attention_heads":2,"intermediate_size":32,"max_position_embeddings":64,"rotary_pct":0.5,"rotary_emb_base":10000,
        "use_parallel_residual":true,"hidden_act":"gelu","layer_norm_eps":1e-05,"tie_word_embeddings":false,"bos_token_id":1,"eos_token_id":1,"initializer_range":0.4}
        """,
    ];
}
