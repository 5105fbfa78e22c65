namespace QedEdge.Sampling;

/// <summary>
/// How the next token is chosen. The order is that of Hugging Face transformers, whose settings checkpoints carry: logit bias; repetition, presence and frequency
/// penalty; greedy if the temperature is 0; top-k; softmax of logits / temperature; top-p; min-p; typical; one draw. The defaults are the reference's.
/// </summary>
public sealed record SamplingOptions
{
    /// <summary>The reference's defaults.</summary>
    public static SamplingOptions Default { get; } = new();

    /// <summary>Always the most likely token, the lowest id among equals.</summary>
    public static SamplingOptions Greedy { get; } = new() { Temperature = 0f };

    /// <summary>Divides the logits; 0 is greedy.</summary>
    public float Temperature { get; init; } = 0.8f;

    /// <summary>Keeps every logit that is at least the k-th largest (ties stay); 0 keeps all.</summary>
    public int TopK { get; init; } = 50;

    /// <summary>Keeps the most likely tokens until their probabilities sum to this; 1 keeps all.</summary>
    public float TopP { get; init; } = 1f;

    /// <summary>Drops tokens less likely than this share of the most likely one; 0 drops none.</summary>
    public float MinP { get; init; }

    /// <summary>
    /// Keeps the tokens whose −log p is nearest to the distribution's entropy until their probabilities sum to this (Meister et al. 2023, locally typical sampling); 1 keeps all.
    /// </summary>
    public float TypicalP { get; init; } = 1f;

    /// <summary>Added to the logits of single tokens, by id, before all else; negative infinity forbids a token.</summary>
    public IReadOnlyDictionary<int, float>? LogitBias { get; init; }

    /// <summary>Divides positive and multiplies negative logits of tokens in the window (Keskar et al. 2019); 1 is off.</summary>
    public float RepeatPenalty { get; init; } = 1f;

    /// <summary>Subtracted once from the logits of tokens in the window; 0 is off.</summary>
    public float PresencePenalty { get; init; }

    /// <summary>Subtracted from the logits of tokens in the window for each occurrence; 0 is off.</summary>
    public float FrequencyPenalty { get; init; }

    /// <summary>How many of the last tokens the penalties look at.</summary>
    public int PenaltyWindow { get; init; } = 64;

    /// <summary>Whether the penalties look at the prompt too; else at what was generated alone, as OpenAI's do.</summary>
    public bool PenalizesPrompt { get; init; } = true;

    /// <summary>Starts the random generator; the same seed gives the same text on every machine.</summary>
    public ulong Seed { get; init; }

    /// <summary>Checks all ranges.</summary>
    /// <exception cref="InvalidOptionException">A value is out of range.</exception>
    public void Validate()
    {
        Require(Temperature >= 0f && float.IsFinite(Temperature), "temperature must be finite and not below 0", Temperature);
        Require(TopK is >= 0 and <= RequestLimits.TopK, "top-k must be 0 or more", TopK);
        Require(TopP is > 0f and <= 1f, "top-p must be above 0 and at most 1", TopP);
        Require(MinP is >= 0f and <= 1f, "min-p must be 0 to 1", MinP);
        Require(TypicalP is > 0f and <= 1f, "typical must be above 0 and at most 1", TypicalP);
        Require(RepeatPenalty > 0f && float.IsFinite(RepeatPenalty), "the repeat penalty must be above 0", RepeatPenalty);
        Require(float.IsFinite(PresencePenalty), "the presence penalty must be a finite number", PresencePenalty);
        Require(float.IsFinite(FrequencyPenalty), "the frequency penalty must be a finite number", FrequencyPenalty);
        Require(PenaltyWindow is >= 0 and <= RequestLimits.PenaltyWindow, $"the penalty window must be 0 to {RequestLimits.PenaltyWindow}", PenaltyWindow);
        Require((LogitBias?.Count ?? 0) <= RequestLimits.LogitBiases, $"there can be {RequestLimits.LogitBiases} logit biases at most", LogitBias?.Count ?? 0);
        foreach (float bias in LogitBias?.Values ?? [])
            Require(bias < float.PositiveInfinity, "a logit bias must be a finite number or negative infinity", bias);
    }

    private static void Require(bool holds, string rule, double value)
    {
        if (!holds)
            throw new InvalidOptionException(string.Create(System.Globalization.CultureInfo.InvariantCulture, $"{rule}, got {value}"));
    }
}
