using System.Text.Json;

namespace QedEdge.Conversion.Checkpoints;

/// <summary>
/// What config.json says of rotary positions, in all three generations of the file: the base in <c>rope_theta</c>, scaling in <c>rope_scaling</c> with its kind
/// under <c>type</c> or <c>rope_type</c>, or both in <c>rope_parameters</c>.
/// </summary>
internal sealed class RopeParameters
{
    /// <summary>The keys that this class reads.</summary>
    public static readonly string[] Keys = [Theta, OtherTheta, "rope_base", "rope_parameters", "rope_scaling"];

    private const string Theta = "rope_theta", OtherTheta = "rotary_emb_base";

    private static readonly string[] Known =
    [
        Theta, "rope_type", "type", "factor", "partial_rotary_factor", "attention_factor", "original_max_position_embeddings", "low_freq_factor", "high_freq_factor",
        "beta_fast", "beta_slow", "truncate", "mscale", "mscale_all_dim", "finetuned",
    ];

    private readonly JsonValues _config;
    private JsonValues? _scaling;

    /// <summary>Reads them.</summary>
    /// <param name="config">config.json.</param>
    /// <exception cref="ModelFormatException">Two places say different things, or a value is of a wrong kind.</exception>
    public RopeParameters(JsonValues config)
    {
        _config = config;
        foreach (string key in (ReadOnlySpan<string>)[Theta, OtherTheta, "rope_base"])
            TakeBase(config, key);
        foreach (string key in (ReadOnlySpan<string>)["rope_parameters", "rope_scaling"])
        {
            if (config.Find(key) is not { } value)
                continue;
            if (value.ValueKind != JsonValueKind.Object)
                throw config.Wrong(key, "the value is no object");
            Take(key, config.Object(value, key), value);
        }
    }

    /// <summary>The base of the frequencies, or null.</summary>
    public float? Base { get; private set; }

    /// <summary>The part of each head that turns, or null.</summary>
    public float? Fraction { get; private set; }

    /// <summary>Where that stands.</summary>
    public string FractionKey { get; private set; } = "partial_rotary_factor";

    /// <summary>The base of layers with a window, where they have one of their own, or null.</summary>
    public float? LocalBase { get; private set; }

    /// <summary>"none", "linear", "yarn", or a kind that is not supported; null where nothing is said. "llama3" is "none" and a table (<see cref="Factors"/>).</summary>
    public string? Kind { get; private set; }

    /// <summary>Where the kind stands.</summary>
    public string KindKey { get; private set; } = "rope_scaling";

    /// <summary>Whether frequencies are divided by a table.</summary>
    public bool IsLlama3 { get; private set; }

    /// <summary>What frequencies are divided by, or null.</summary>
    public float? Factor => IsLlama3 ? null : _scaling?.FindFloat32("factor");

    /// <summary>Positions before the context was stretched, or null.</summary>
    public uint? Original => _scaling?.FindInt32("original_max_position_embeddings", 1, CheckpointLimits.Context) is int value ? (uint)value : null;

    /// <summary>YaRN's upper bound, or null.</summary>
    public float? BetaFast => _scaling?.FindFloat32("beta_fast");

    /// <summary>YaRN's lower bound, or null.</summary>
    public float? BetaSlow => _scaling?.FindFloat32("beta_slow");

    /// <summary>YaRN's factor of cosines and sines beside the usual 0.1 ln(factor) + 1, or null.</summary>
    public float? Attention => _scaling?.FindFloat64("attention_factor") is double value && Kind == "yarn" ? (float)(value / (0.1 * Math.Log(Factor ?? 1) + 1)) : null;

    /// <summary>What "llama3" divides each frequency by: those that turn often over the old context stay, slow ones are divided by the factor, those between are mixed.</summary>
    /// <param name="headSize">Values of a head.</param>
    public float[] Factors(int headSize)
    {
        JsonValues scaling = _scaling!.Value;
        double factor = Positive(scaling, "factor"), low = Positive(scaling, "low_freq_factor"), high = Positive(scaling, "high_freq_factor");
        if (high <= low)
            throw scaling.Wrong("high_freq_factor", "the value is not above low_freq_factor");
        double original = Original ?? throw scaling.Missing("original_max_position_embeddings");
        var factors = new float[headSize / 2];
        for (int j = 0; j < factors.Length; j++)
        {
            double turns = original * Math.Pow(Base ?? 10_000, -2.0 * j / headSize) / (2 * Math.PI), stays = Math.Clamp((turns - low) / (high - low), 0, 1);
            factors[j] = (float)(1 / (stays + (1 - stays) / factor));
        }
        return factors;
    }

    private static double Positive(JsonValues json, string key) => json.FindFloat64(key) is not double value ? throw json.Missing(key) : value > 0 ? value : throw json.Wrong(key, "the value is not positive");

    private void TakeBase(JsonValues json, string key)
    {
        if (json.FindFloat32(key) is not float theta)
            return;
        if (theta <= 0)
            throw json.Wrong(key, "the value is not positive");
        if (Base is float other && other != theta)
            throw json.Wrong(key, FormattableString.Invariant($"the base is {theta} here and {other} elsewhere in the file; correct one of the two"));
        Base = theta;
    }

    private void Take(string key, JsonValues parameters, JsonElement value)
    {
        if (parameters.Find("full_attention") is { ValueKind: JsonValueKind.Object } full)
        {
            foreach (string name in parameters.Keys)
            {
                if (name is not ("full_attention" or "sliding_attention"))
                    throw parameters.Unsupported(name, "the key is not known here beside those of the kinds of layers");
            }
            Take($"{key}.full_attention", parameters.Object(full, "full_attention"), full);
            if (parameters.Find("sliding_attention") is { ValueKind: JsonValueKind.Object } sliding)
                TakeLocal(parameters.Object(sliding, "sliding_attention"));
            return;
        }
        foreach (JsonProperty entry in value.EnumerateObject())
        {
            if (entry.Value.ValueKind == JsonValueKind.Object)
                throw parameters.Unsupported(entry.Name, "the kind of layers is not known here");
        }
        TakeBase(parameters, Theta);
        string? kind = parameters.FindString("rope_type"), older = parameters.FindString("type");
        if (kind is not null && older is not null && kind != older)
            throw parameters.Wrong("type", $"the kind is '{ModelFormatException.OneLine(older)}' here and '{ModelFormatException.OneLine(kind)}' in rope_type; correct one of the two");
        if (parameters.Keys.FirstOrDefault(name => !Known.Contains(name)) is { } unknown)
            throw parameters.Unsupported(unknown, "the key is not known here and may change rotary positions");
        kind ??= older ?? "default";
        string at = $"{key}.{(older is null ? "rope_type" : "type")}";
        if (Kind is not null && _scaling is not null && Kind != kind)
            throw _config.Wrong(at, "rope_scaling and rope_parameters say different things; remove one of the two");
        (Kind, KindKey, _scaling) = (kind is "default" or "llama3" ? "none" : kind, at, parameters);
        IsLlama3 = kind == "llama3";
        if (parameters.FindFloat32("partial_rotary_factor") is float fraction)
            (Fraction, FractionKey) = (fraction, $"{key}.partial_rotary_factor");
        RequireKnown(parameters, kind);
    }

    private void TakeLocal(JsonValues parameters)
    {
        if (parameters.FindString("rope_type") is string kind && kind != "default")
            throw parameters.Unsupported("rope_type", "rotary positions of layers with a window are not scaled");
        LocalBase = (float)Positive(parameters, Theta);
    }

    /// <summary>Refuses parameters that the kind does not have, and those that are not supported.</summary>
    private static void RequireKnown(JsonValues parameters, string kind)
    {
        foreach (string name in (ReadOnlySpan<string>)["factor", "attention_factor"])
        {
            if (kind == "default" && parameters.FindFloat64(name) is double number && number != 1)
                throw parameters.Unsupported(name, FormattableString.Invariant($"the value {number} asks for scaled rotary positions, and the kind is 'default'"));
        }
        if (kind is "linear" or "yarn" && !parameters.Contains("factor"))
            throw parameters.Missing("factor");
        if (kind == "linear" && parameters.FindFloat64("attention_factor") is double attention && attention != 1)
            throw parameters.Unsupported("attention_factor", FormattableString.Invariant($"the value {attention} asks for what rotary positions of the kind 'linear' do not have here"));
        foreach (string name in (ReadOnlySpan<string>)["mscale", "mscale_all_dim"])
        {
            if (parameters.Contains(name))
                throw parameters.Unsupported(name, "scores scaled in this way are not supported");
        }
        if (parameters.FindBool("truncate") == false)
            throw parameters.Unsupported("truncate", "only whole bounds of YaRN's ramp are supported");
    }
}
