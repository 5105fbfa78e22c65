using System.Text.Json;
using QedEdge.Architectures;

namespace QedEdge.Conversion.Checkpoints;

/// <summary>
/// What config.json may say beside what <see cref="CheckpointConfig"/> reads. Keys by which models change their arithmetic must say what the model's
/// description does; those that change nothing are known by name; the rest is handed back, for the user to be told of.
/// </summary>
internal static class ConfigFeatures
{
    /// <summary>Keys that <see cref="CheckpointConfig"/> reads beside hyperparameters.</summary>
    private static readonly string[] Ids = ["model_type", "pad_token_id", "bos_token_id", "eos_token_id", "initializer_range"];

    /// <summary>Keys that do not change what is computed from given weights: notes, training, and wishes for generation that generation_config.json holds today.</summary>
    private static readonly string[] Harmless =
    [
        "architectures", "auto_map", "torch_dtype", "dtype", "transformers_version", "use_cache", "return_dict", "output_attentions", "output_hidden_states", "torchscript",
        "tf_legacy_loss", "use_bfloat16", "finetuning_task", "task_specific_params", "problem_type", "num_labels", "id2label", "label2id", "tokenizer_class", "prefix", "is_decoder",
        "gradient_checkpointing", "use_return_dict", "pretraining_tp", "chunk_size_feed_forward", "model_name", "name_or_path", "use_flash_attention", "use_flash_attn", "attn_implementation",
        "dropout", "attention_dropout", "attn_dropout", "hidden_dropout", "hidden_dropout_prob", "attention_probs_dropout_prob", "resid_pdrop", "embd_pdrop", "attn_pdrop",
        "resid_dropout", "residual_dropout", "embed_dropout", "embedding_dropout", "ffn_dropout", "classifier_dropout", "layerdrop", "initializer_factor", "init_std",
        "router_aux_loss_coef", "output_router_logits", "sep_token_id", "cls_token_id", "unk_token_id", "mask_token_id", "decoder_start_token_id", "max_window_layers",
        "max_length", "max_new_tokens", "min_length", "do_sample", "early_stopping", "num_beams", "num_beam_groups", "diversity_penalty", "temperature", "top_k", "top_p", "typical_p",
        "repetition_penalty", "length_penalty", "no_repeat_ngram_size", "encoder_no_repeat_ngram_size", "bad_words_ids", "num_return_sequences", "output_scores",
        "return_dict_in_generate", "forced_bos_token_id", "forced_eos_token_id", "remove_invalid_values", "exponential_decay_length_penalty", "suppress_tokens", "begin_suppress_tokens",
    ];

    /// <summary>Keys that change the arithmetic, what they must say, and what anything else asks for.</summary>
    private static readonly Feature[] Features =
    [
        new("sliding_window", Off, "attention to a window of the context") { OnlyIf = "use_sliding_window" },
        new("use_sliding_window", Off, "attention to a window of the context"),
        new("attention_window", Off, "attention to a window of the context"),
        new("attention_chunk_size", Off, "attention to a part of the context"),
        new("layer_types", All("full_attention"), "layers of other kinds"),
        new("attention_layers", All("global"), "layers of other kinds"),
        new("no_rope_layers", EachOne, "layers without rotary positions"),
        new("no_rope_layer_interval", Off, "layers without rotary positions"),
        new("multi_query", Off, "key-value heads that are shared between heads"),
        new("q_lora_rank", Off, "compressed queries"),
        new("kv_lora_rank", Off, "compressed keys and values"),
        new("is_causal", On, "attention to later tokens"),
        new("use_bidirectional_attention", Off, "attention to later tokens"),
        new("attention_multiplier", Number(static a => 1 / Math.Sqrt(a.HeadSize)), "another scale of attention"),
        new("query_pre_attn_scalar", Number(static a => a.HeadSize), "another scale of attention"),
        new("scale_attn_weights", On, "another scale of attention"),
        new("scale_attn_by_inverse_layer_idx", Off, "another scale of attention"),
        new("attn_temperature_tuning", Off, "another scale of attention"),
        new("attn_logit_softcapping", Off, "bounded attention scores"),
        new("clip_qkv", Off, "bounded queries, keys and values"),
        new("qk_norm", Off, "normalized queries and keys"),
        new("use_qk_norm", Off, "normalized queries and keys"),
        new("qk_layernorm", Off, "normalized queries and keys"),
        new("use_qk_layernorm", Off, "normalized queries and keys"),
        new("partial_rotary_factor", One, "rotary positions on a part of a head"),
        new("rotary_pct", One, "rotary positions on a part of a head"),
        new("rotary_percent", One, "rotary positions on a part of a head"),
        new("rope_interleave", Off, "rotary positions that pair neighbours"),
        new("rope_interleaved", Off, "rotary positions that pair neighbours"),
        new("rope_local_base_freq", Number(static a => (a.Layers[0].Attention.Rotary?.Theta ?? 0)), "other rotary positions in some layers"),
        new("rope_percent", One, "rotary positions on a part of a head"),
        new("position_embedding_type", Words("rope", "rotary"), "other positions than rotary ones"),
        new("alibi", Off, "other positions than rotary ones"),
        new("hidden_act", Words("silu", "swish"), "another activation than SiLU"),
        new("hidden_activation", Words("silu", "swish"), "another activation than SiLU"),
        new("activation_function", Words("silu", "swish"), "another activation than SiLU"),
        new("mlp_act", Words("silu", "swish"), "another activation than SiLU"),
        new("attention_bias", Biases, "other biases than the model has"),
        new("qkv_bias", Biases, "other biases than the model has"),
        new("attention_out_bias", Biases, "other biases than the model has"),
        new("mlp_bias", Biases, "other biases than the model has"),
        new("use_bias", Biases, "other biases than the model has"),
        new("add_bias_linear", Biases, "other biases than the model has"),
        new("norm_type", Words("rms", "rmsnorm", "rms_norm"), "another norm than RMSNorm"),
        new("norm_bias", Off, "norms with biases"),
        new("use_post_norm", Off, "norms behind the layers' parts"),
        new("post_norm", Off, "norms behind the layers' parts"),
        new("sandwich_norm", Off, "norms behind the layers' parts"),
        new("parallel_attn", Off, "layers whose parts run side by side"),
        new("parallel_residual", Off, "layers whose parts run side by side"),
        new("use_parallel_residual", Off, "layers whose parts run side by side"),
        new("residual_multiplier", One, "a scaled residual stream"),
        new("scale_depth", Off, "a scaled residual stream"),
        new("embedding_multiplier", One, "scaled embeddings"),
        new("scale_emb", One, "scaled embeddings"),
        new("embedding_scale", One, "scaled embeddings"),
        new("scale_embedding", Off, "scaled embeddings"),
        new("logit_scale", One, "scaled logits"),
        new("logits_scaling", One, "scaled logits"),
        new("logit_scaling", One, "scaled logits"),
        new("output_multiplier_scale", One, "scaled logits"),
        new("dim_model_base", Number(static a => a.Width), "scaled logits"),
        new("final_logit_softcapping", Off, "bounded logits"),
        new("logit_softcapping", Off, "bounded logits"),
        new("num_experts", Off, "experts"),
        new("num_local_experts", Off, "experts"),
        new("n_routed_experts", Off, "experts"),
        new("num_experts_per_tok", Off, "experts") { OnlyIf = "num_local_experts" },
        new("is_encoder_decoder", Off, "an encoder"),
        new("add_cross_attention", Off, "an encoder"),
        new("cross_attention_hidden_size", Off, "an encoder"),
        new("pruned_heads", Off, "layers with fewer heads"),
        new("quantization_config", Off, "weights that are quantized already"),
        new("vision_config", Off, "pictures"),
        new("text_config", Off, "a model within another one"),
    ];

    private static readonly HashSet<string> Known = [.. Ids, .. Harmless, .. Features.Select(static feature => feature.Key)];

    /// <summary>Refuses what the model's description does not have.</summary>
    /// <param name="json">config.json.</param>
    /// <param name="architecture">What was made of it.</param>
    /// <param name="read">The keys that it was made of.</param>
    /// <returns>Keys that are not known; those that begin with an underscore are the library's own notes.</returns>
    /// <exception cref="ModelFormatException">A key asks for other arithmetic; it is named.</exception>
    public static IReadOnlyList<string> Check(JsonValues json, Architecture architecture, IReadOnlySet<string> read)
    {
        foreach (Feature feature in Features)
        {
            if (read.Contains(feature.Key) || json.Find(feature.Key) is not { } value || feature.Accepts(value, architecture)
                || (feature.OnlyIf is { } other && json.Find(other) is { } condition && Off(condition, architecture)))
                continue;
            throw json.Unsupported(feature.Key, $"{JsonValues.Quoted(value)} asks for {feature.Meaning}: models of the family '{architecture.Name}' have no such feature");
        }
        return [.. json.Keys.Where(key => !Known.Contains(key) && !read.Contains(key) && !key.StartsWith('_'))];
    }

    /// <summary>Nothing: false, 0, or empty.</summary>
    private static bool Off(JsonElement value, Architecture architecture) => value.ValueKind switch
    {
        JsonValueKind.False => true,
        JsonValueKind.Number => value.TryGetDouble(out double number) && number == 0,
        JsonValueKind.Array => value.GetArrayLength() == 0,
        JsonValueKind.Object => !value.EnumerateObject().Any(),
        _ => false,
    };

    private static bool On(JsonElement value, Architecture architecture) => value.ValueKind == JsonValueKind.True;

    private static bool One(JsonElement value, Architecture architecture) => IsNumber(value, 1);

    private static bool EachOne(JsonElement value, Architecture architecture) => value.ValueKind == JsonValueKind.Array && value.EnumerateArray().All(static layer => IsNumber(layer, 1));

    private static Func<JsonElement, Architecture, bool> Number(Func<Architecture, double> expected) => (value, architecture) => IsNumber(value, expected(architecture));

    /// <summary>True where all matrices have biases, false where none has.</summary>
    private static bool Biases(JsonElement value, Architecture architecture) =>
        value.ValueKind == (architecture.Layers[0].Biases == default ? JsonValueKind.False : JsonValueKind.True);

    private static Func<JsonElement, Architecture, bool> Words(params string[] words) => (value, _) => words.Any(word => JsonValues.IsText(value, word));

    private static Func<JsonElement, Architecture, bool> All(string word) => (value, _) =>
        value.ValueKind == JsonValueKind.Array && value.EnumerateArray().All(layer => JsonValues.IsText(layer, word));

    /// <summary>Whether a number is the expected one as float32, which weights and sizes are computed in.</summary>
    private static bool IsNumber(JsonElement value, double expected) => value.ValueKind == JsonValueKind.Number && value.TryGetDouble(out double number) && (float)number == (float)expected;

    /// <summary>A key that changes the arithmetic.</summary>
    /// <param name="Key">The key.</param>
    /// <param name="Accepts">Whether a value says what the model does.</param>
    /// <param name="Meaning">What other values ask for.</param>
    private sealed record Feature(string Key, Func<JsonElement, Architecture, bool> Accepts, string Meaning)
    {
        /// <summary>The key does not count where this one says no.</summary>
        public string? OnlyIf { get; init; }
    }
}
