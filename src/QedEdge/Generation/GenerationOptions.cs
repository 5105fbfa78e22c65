using QedEdge.Constraints;
using QedEdge.Gguf;
using QedEdge.Sampling;

namespace QedEdge.Generation;

/// <summary>What to generate; the defaults are the reference's.</summary>
public sealed record GenerationOptions
{
    /// <summary>How tokens are chosen.</summary>
    public SamplingOptions Sampling { get; init; } = SamplingOptions.Default;

    /// <summary>The largest number of new tokens.</summary>
    public int MaxTokens { get; init; } = 64;

    /// <summary>The token that ends generation; null is all that end a text by the model's file.</summary>
    public int? EosId { get; init; }

    /// <summary>Texts that end a text before they appear, none of them empty; the text of a special token stands for that token. For <see cref="SessionText"/>: a <see cref="Generator"/> knows tokens alone.</summary>
    public IReadOnlyList<string> Stops { get; init; } = [];

    /// <summary>Goes on to <see cref="MaxTokens"/> whatever is chosen.</summary>
    public bool IgnoreEos { get; init; }

    /// <summary>
    /// What the text must be as a whole, or null: tokens that it does not allow, or behind which it could not be met with the tokens left, are not drawn. Goes neither with
    /// <see cref="Stops"/> nor <see cref="IgnoreEos"/> nor a forbidden token, which would cut the text.
    /// </summary>
    public Constraint? Constraint { get; init; }

    /// <summary>What a model's file asks for (<c>general.sampling.*</c>), and the defaults where it says nothing; greedy where it says not to sample.</summary>
    /// <param name="model">An open model.</param>
    /// <exception cref="ModelFormatException">A value is not usable.</exception>
    public static GenerationOptions Of(QedModel model)
    {
        GgufFile file = model.File;
        GgufMetadata keys = file.Metadata;
        var sampling = new SamplingOptions
        {
            Temperature = Math.Max(0f, keys.FindFloat32(GgufKeys.SamplingTemperature) ?? SamplingOptions.Default.Temperature), // files of earlier versions may have one below 0: greedy
            TopK = Int32(GgufKeys.SamplingTopK) ?? SamplingOptions.Default.TopK,
            TopP = keys.FindFloat32(GgufKeys.SamplingTopP) ?? SamplingOptions.Default.TopP,
        };
        try
        {
            sampling.Validate();
        }
        catch (InvalidOptionException e)
        {
            throw new ModelFormatException(ModelFault.Damaged, file.Name, $"the keys general.sampling.… are not usable: {e.Message}");
        }
        if (keys.FindBool(GgufKeys.SamplingDoSample) == false)
            sampling = sampling with { Temperature = 0f };
        var options = new GenerationOptions { Sampling = sampling };
        return Int32(GgufKeys.SamplingMaxNewTokens) is { } most ? options with { MaxTokens = most } : options;

        int? Int32(string key) => keys.FindUInt32(key) is not { } value ? null
            : value <= int.MaxValue ? (int)value
            : throw new ModelFormatException(ModelFault.Damaged, file.Name, $"the value {value} is too large", key: key);
    }

    /// <summary>The tokens that end a model's generation.</summary>
    internal int[] Ends(QedModel model) => IgnoreEos ? [] : EosId is { } id ? [id] : [.. model.Config.EndIds];

    /// <summary>Refuses what contradicts a constraint.</summary>
    /// <exception cref="InvalidOptionException">Something does.</exception>
    internal void CheckConstraint()
    {
        if (Stops.Count > 0)
            throw new InvalidOptionException("a constraint and stop texts contradict each other: the text would be cut");
        if (IgnoreEos)
            throw new InvalidOptionException("a constraint says where the text ends: end tokens cannot be ignored");
        foreach ((_, float bias) in Sampling.LogitBias ?? new Dictionary<int, float>())
        {
            if (float.IsNegativeInfinity(bias))
                throw new InvalidOptionException("a constraint cannot be kept where a logit bias forbids tokens; a bias of -100 makes one as unlikely");
        }
    }

    /// <summary>Receives how many of the prompt's tokens are done and how many there are: once before it is fed, then after each chunk.</summary>
    public Action<int, int>? OnPrefill { get; init; }

    /// <summary>Called when the prompt is fed, before the first token is chosen.</summary>
    public Action? OnPrompt { get; init; }

    /// <summary>Receives all logits that the run computes and chooses from or might have: after the prompt (index 0), then after every token fed.</summary>
    public LogitsHandler? OnLogits { get; init; }
}

/// <summary>Why generation ended.</summary>
public enum FinishReason
{
    /// <summary>The receiver asked to stop (a stop string, for instance).</summary>
    Stop,
    /// <summary>The largest number of tokens was reached, or the context was full.</summary>
    Length,
    /// <summary>The model ended the text.</summary>
    Eos,
    /// <summary>Cancelled.</summary>
    Cancelled,
}

/// <summary>Receives a new token as soon as it is chosen.</summary>
/// <param name="id">The token.</param>
/// <param name="logits">What it was chosen from [VocabSize]; valid only during the call.</param>
/// <returns>Whether to go on.</returns>
public delegate bool TokenHandler(int id, ReadOnlySpan<float> logits);

/// <summary>What a run of <see cref="Generator"/> did.</summary>
/// <param name="Finish">Why it ended.</param>
/// <param name="PromptTokens">Tokens of the prompt.</param>
/// <param name="CachedTokens">Those of them that need not be computed.</param>
/// <param name="GeneratedTokens">Tokens chosen, the end token not counted.</param>
/// <param name="PrefillTime">Time for the prompt.</param>
/// <param name="DecodeTime">Time from the first new token's choice on.</param>
public readonly record struct GenerationResult(FinishReason Finish, int PromptTokens, int CachedTokens, int GeneratedTokens, TimeSpan PrefillTime, TimeSpan DecodeTime);
