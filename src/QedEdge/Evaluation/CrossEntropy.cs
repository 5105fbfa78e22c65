namespace QedEdge.Evaluation;

/// <summary>Where a label stands.</summary>
public enum LabelConvention
{
    /// <summary>Hugging Face's: the logits at t are scored against the label at t + 1.</summary>
    NextPosition,
    /// <summary>Some training code's: the labels are shifted already, the logits at t are scored against the label at t.</summary>
    SamePosition,
}

/// <summary>How well a model predicts labels: the reference's loss (docs/numerics.md).</summary>
/// <param name="Sum">Σ −log p(label), in nats.</param>
/// <param name="Count">Labels scored.</param>
public readonly record struct CrossEntropy(double Sum, int Count)
{
    /// <summary>The label that is not scored.</summary>
    public const int Ignore = -100;

    /// <summary>The mean in nats; not a number where nothing was scored.</summary>
    public double Mean => Sum / Count;

    /// <summary>Feeds tokens and scores their labels.</summary>
    /// <param name="session">Receives the tokens; what was fed before is their context.</param>
    /// <param name="tokens">Ids [n].</param>
    /// <param name="labels">The label of each token, <see cref="Ignore"/> where it is not scored [n].</param>
    /// <param name="convention">Where the labels stand.</param>
    /// <param name="options">Mask, positions, cancellation; its receiver and choice of logits are not looked at.</param>
    /// <param name="onLabel">Receives the index of each label that is scored, and its log p.</param>
    /// <exception cref="InvalidOptionException">A label is neither in the vocabulary nor <see cref="Ignore"/>, or the tokens cannot be fed; nothing was computed.</exception>
    /// <exception cref="ContextLengthException">The tokens do not fit; nothing was computed.</exception>
    public static CrossEntropy Of(Session session, ReadOnlySpan<int> tokens, ReadOnlySpan<int> labels, LabelConvention convention = LabelConvention.NextPosition, FeedOptions? options = null, Action<int, double>? onLabel = null)
    {
        if (labels.Length != tokens.Length)
            throw new InvalidOptionException($"{labels.Length} labels were given for {tokens.Length} tokens");
        int shift = convention == LabelConvention.NextPosition ? 1 : 0;
        var at = new List<int>();
        for (int t = 0; t < labels.Length; t++)
        {
            if (labels[t] != Ignore && (uint)labels[t] >= (uint)session.VocabSize)
                throw new InvalidOptionException($"label {labels[t]} is outside the vocabulary of {session.VocabSize} entries and not {Ignore}");
            if (t >= shift && labels[t] != Ignore)
                at.Add(t - shift);
        }
        int[] wanted = labels.ToArray();
        double sum = 0;
        session.Feed(tokens, (options ?? FeedOptions.Plain) with
        {
            LogitsAt = at.ToArray(),
            OnLogits = at.Count == 0 ? null : (t, logits) =>
            {
                double score = LogProbability(logits, wanted[t + shift]);
                sum -= score;
                onLabel?.Invoke(t + shift, score);
            },
        });
        return new CrossEntropy(sum, at.Count);
    }

    /// <summary>log p(id), in nats: the same double on every machine.</summary>
    /// <param name="logits">Logits of one position [vocabulary].</param>
    /// <param name="id">The token.</param>
    public static double LogProbability(ReadOnlySpan<float> logits, int id) => logits[id] - LogSoftmax.Of(logits).LogSum;
}
