using QedEdge.Architectures;
using QedEdge.Architectures.Families;
using QedEdge.Gguf;

namespace QedEdge.Conversion.Checkpoints;

/// <summary>Hyperparameters in a checkpoint's config.json, under the names that families have for them.</summary>
/// <param name="json">config.json.</param>
/// <param name="family">Whose it is.</param>
internal sealed class ConfigHyperparameters(JsonValues json, Family family) : IHyperparameterSource
{
    /// <summary>What config.json calls a key of a GGUF file; the first is Hugging Face's usual name, the last QED's own.</summary>
    private static readonly Dictionary<string, string[]> Names = new()
    {
        [GgufKeys.EmbeddingLength] = ["hidden_size", "n_embd", "d_model"],
        [GgufKeys.BlockCount] = ["num_hidden_layers", "n_layer", "num_layers", "n_layers"],
        [GgufKeys.HeadCount] = ["num_attention_heads", "n_head", "num_heads", "n_heads"],
        [GgufKeys.HeadCountKv] = ["num_key_value_heads", "num_kv_heads", "n_kv_heads", "n_head_kv"],
        [GgufKeys.KeyLength] = ["head_dim"],
        [GgufKeys.ValueLength] = ["v_head_dim"],
        [GgufKeys.FeedForwardLength] = ["intermediate_size", "n_inner", "ffn_hidden_dim"],
        [GgufKeys.ContextLength] = ["max_position_embeddings", "n_positions", "n_ctx", "max_seq_len"],
        [GgufKeys.VocabSize] = ["vocab_size"],
        [GgufKeys.RmsNormEpsilon] = ["rms_norm_eps", "norm_eps", "layer_norm_eps", "layer_norm_epsilon"],
        [GgufKeys.LayerNormEpsilon] = ["layer_norm_epsilon", "layer_norm_eps"],
        [GgufKeys.Activation] = ["hidden_act", "hidden_activation", "activation_function"],
        [GgufKeys.SlidingWindow] = ["sliding_window", "window_size"],
        [GgufKeys.WindowInterval] = ["sliding_window_pattern", "_sliding_window_pattern"],
        [GgufKeys.WindowLayers] = ["layer_types", "attention_layers", "attention_types"],
        [GgufKeys.RotatedLayers] = ["no_rope_layers"],
        [GgufKeys.RotatedInterval] = ["no_rope_layer_interval"],
        [GgufKeys.ParallelResidual] = ["use_parallel_residual"],
        [GgufKeys.RopeFraction] = ["rotary_pct", "partial_rotary_factor"],
        [GgufKeys.RopeLocalBase] = ["rope_local_base_freq"],
        [GgufKeys.QueryScalar] = ["query_pre_attn_scalar"],
        [GgufKeys.TieWordEmbeddings] = ["tie_word_embeddings"],
        [GgufKeys.RopeDimensionCount] = ["rotary_dim"],
    };

    private readonly RopeParameters _rope = new(json);
    private readonly HashSet<string> _read = [.. RopeParameters.Keys];

    /// <summary>The keys that were asked for.</summary>
    public IReadOnlySet<string> Read => _read;

    /// <inheritdoc/>
    public bool HasDefaults => true;

    /// <inheritdoc/>
    public uint? FindNumber(string key) => key == GgufKeys.RopeScalingOriginal ? _rope.Original
        : (uint?)(Find(key, name => json.FindInt32(name, 0, int.MaxValue)) ?? family.Usual(key));

    /// <inheritdoc/>
    public float? FindReal(string key) => key switch
    {
        GgufKeys.RopeFreqBase => _rope.Base,
        GgufKeys.RopeFraction when _rope.Fraction is float fraction => fraction,
        GgufKeys.RopeLocalBase when _rope.LocalBase is float local => local,
        GgufKeys.RopeScalingFactor => _rope.Factor,
        GgufKeys.RopeYarnBetaFast => _rope.BetaFast,
        GgufKeys.RopeYarnBetaSlow => _rope.BetaSlow,
        GgufKeys.RopeScalingAttention => _rope.Attention,
        _ => Find(key, name => json.FindFloat32(name)),
    };

    /// <inheritdoc/>
    public bool? FindFlag(string key) => Find(key, name => json.FindBool(name));

    /// <inheritdoc/>
    public string? FindText(string key) => key == GgufKeys.RopeScalingType ? _rope.Kind : FindFirst(key) is { } name ? json.FindString(name) : null;

    /// <inheritdoc/>
    public bool[]? FindFlags(string key) => LayerLists.Find(json, key, _read);

    /// <inheritdoc/>
    public bool? HasBias(Slot slot)
    {
        string key = family.Name == GgufKeys.Qed ? "bias" : SlotSet.Attention.Contains(slot) ? "attention_bias" : "mlp_bias";
        _read.Add(key);
        return json.FindBool(key);
    }

    /// <inheritdoc/>
    public bool? HasHead() => null;

    /// <inheritdoc/>
    public bool? HasHeadBias() => null;

    /// <inheritdoc/>
    public bool HasRotaryFactors() => _rope.IsLlama3;

    /// <summary>What each frequency is divided by ("llama3"), or null.</summary>
    public float[]? RotaryFactors(Architecture architecture) => _rope.IsLlama3 ? _rope.Factors(architecture.HeadSize) : null;

    /// <inheritdoc/>
    public ModelFormatException Wrong(string key, string problem) => json.Wrong(Own(key), problem);

    /// <inheritdoc/>
    public ModelFormatException Unsupported(string key, string problem) => json.Unsupported(Own(key), problem);

    /// <summary>The value under the first of a key's names that is there; others must say the same.</summary>
    private T? Find<T>(string key, Func<string, T?> find) where T : struct
    {
        (string Name, T Value)? found = null;
        foreach (string name in Names.GetValueOrDefault(key) ?? [])
        {
            _read.Add(name);
            if (find(name) is not { } value)
                continue;
            if (found is { } other && !other.Value.Equals(value))
                throw json.Wrong(other.Name, $"{other.Value} contradicts key '{name}', which has {value}; correct one of the two");
            found ??= (name, value);
        }
        return found?.Value;
    }

    /// <summary>The first of a key's names that is there, or null.</summary>
    private string? FindFirst(string key)
    {
        string[] names = Names.GetValueOrDefault(key) ?? [];
        _read.UnionWith(names);
        return Array.Find(names, json.Contains);
    }

    /// <summary>What an error calls a key: as the file has it, else as the family does.</summary>
    private string Own(string key)
    {
        if (key == GgufKeys.RopeScalingType)
            return _rope.KindKey;
        if (key == GgufKeys.RopeFraction && _rope.Fraction is not null)
            return _rope.FractionKey;
        if (!Names.TryGetValue(key, out string[]? names))
            return key == GgufKeys.RopeFreqBase ? "rope_theta" : key["qed.".Length..];
        return Array.Find(names, json.Contains) ?? (family.Name == GgufKeys.Qed && key is not GgufKeys.RmsNormEpsilon ? names[^1] : names[0]);
    }
}
