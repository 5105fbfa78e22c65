using System.Text.Json;
using QedEdge.Sampling;

namespace QedEdge.Conversion.Checkpoints;

/// <summary>A checkpoint's <c>generation_config.json</c>: special ids, and how its authors want text to be sampled. Null where a key is absent.</summary>
internal sealed record GenerationConfig
{
    /// <summary>The file's name in a checkpoint.</summary>
    public const string FileName = "generation_config.json";

    /// <summary>Keys that change what is generated and have no place in a model file, each with the value that changes nothing.</summary>
    private static readonly (string Key, double Neutral)[] NotStored =
    [
        ("min_p", 0), ("typical_p", 1), ("epsilon_cutoff", 0), ("eta_cutoff", 0), ("repetition_penalty", 1), ("no_repeat_ngram_size", 0),
        ("num_beams", 1), ("num_beam_groups", 1), ("penalty_alpha", 0), ("min_length", 0), ("min_new_tokens", 0), ("guidance_scale", 1),
        ("bad_words_ids", 0), ("suppress_tokens", 0), ("begin_suppress_tokens", 0), ("sequence_bias", 0), ("forced_bos_token_id", -1),
        ("forced_eos_token_id", -1), ("stop_strings", 0),
    ];

    /// <summary><c>bos_token_id</c>.</summary>
    public int? BosId { get; private init; }

    /// <summary><c>eos_token_id</c>, a number or a list: each of them ends a text. Empty where absent.</summary>
    public required IReadOnlyList<int> EosIds { get; init; }

    /// <summary><c>pad_token_id</c>.</summary>
    public int? PadId { get; private init; }

    /// <summary><c>do_sample</c>.</summary>
    public bool? DoSample { get; private init; }

    /// <summary><c>temperature</c>.</summary>
    public float? Temperature { get; private init; }

    /// <summary><c>top_k</c>.</summary>
    public int? TopK { get; private init; }

    /// <summary><c>top_p</c>.</summary>
    public float? TopP { get; private init; }

    /// <summary><c>max_new_tokens</c>, at least 0.</summary>
    public int? MaxNewTokens { get; private init; }

    /// <summary>Keys that change what is generated and cannot be stored.</summary>
    public required IReadOnlyList<string> Dropped { get; init; }

    /// <summary>Reads the file in a checkpoint's folder, or returns null where there is none.</summary>
    /// <param name="folder">The folder.</param>
    /// <param name="vocabSize">What ids are below.</param>
    /// <exception cref="ModelFormatException">It cannot be read, or a value is of a wrong kind or out of range.</exception>
    public static GenerationConfig? ReadFolder(string folder, int vocabSize)
    {
        string path = Path.Combine(folder, FileName);
        using var document = CheckpointJson.FindObject(path, CheckpointLimits.ConfigBytes);
        if (document is null)
            return null;
        var json = new JsonValues(document.RootElement, path);
        return new GenerationConfig
        {
            BosId = json.FindInt32("bos_token_id", 0, vocabSize - 1),
            EosIds = json.FindIds("eos_token_id", vocabSize),
            PadId = json.FindIdOrNone("pad_token_id", vocabSize),
            DoSample = json.FindBool("do_sample"),
            Temperature = InRange(json, "temperature", json.FindFloat32("temperature") is { } temperature ? Math.Max(0f, temperature) : (float?)null, static value => new SamplingOptions { Temperature = value }), // below 0 is greedy there, as 0
            TopK = InRange(json, "top_k", json.FindInt32("top_k", int.MinValue, int.MaxValue), static value => new SamplingOptions { TopK = value }),
            TopP = InRange(json, "top_p", json.FindFloat32("top_p"), static value => new SamplingOptions { TopP = value }),
            MaxNewTokens = json.FindInt32("max_new_tokens", 0, int.MaxValue),
            Dropped = [.. NotStored.Where(entry => json.Find(entry.Key) is { } value && !IsNeutral(value, entry.Neutral)).Select(static entry => entry.Key)],
        };
    }

    private static bool IsNeutral(JsonElement value, double neutral) => value.ValueKind switch
    {
        JsonValueKind.Number => value.TryGetDouble(out double number) && number == neutral,
        JsonValueKind.Array => value.GetArrayLength() == 0,
        JsonValueKind.False => true,
        _ => false,
    };

    /// <summary>The value, if the runtime takes it: a file that it would refuse to generate from must not be written.</summary>
    private static T? InRange<T>(JsonValues json, string key, T? value, Func<T, SamplingOptions> options) where T : struct
    {
        try
        {
            if (value is { } present)
                options(present).Validate();
            return value;
        }
        catch (QedException exception)
        {
            throw json.Wrong(key, exception.Message);
        }
    }
}
