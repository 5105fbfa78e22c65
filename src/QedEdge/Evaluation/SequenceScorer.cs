namespace QedEdge.Evaluation;

/// <summary>How likely a model thinks given tokens.</summary>
public static class SequenceScorer
{
    /// <summary>
    /// log p of each token from <paramref name="begin"/> on, given all before it, in nats. What the session holds of the tokens already, or the model file as a baked
    /// prefix, is not computed again, so that texts that begin alike are best scored with one session, one after another.
    /// </summary>
    /// <param name="session">The session; what it holds beyond the tokens' beginning is forgotten.</param>
    /// <param name="ids">Token ids; the last is not fed.</param>
    /// <param name="begin">The first that is scored, at least 1: the first token of a context has no probability.</param>
    /// <param name="cancellation">Stops within a layer's time.</param>
    /// <returns>One value per token from <paramref name="begin"/> on.</returns>
    /// <exception cref="ContextLengthException">They do not fit; nothing was computed.</exception>
    /// <exception cref="InvalidOptionException">An id or <paramref name="begin"/> is out of range.</exception>
    /// <exception cref="OperationCanceledException">Cancelled.</exception>
    public static double[] LogProbabilities(Session session, ReadOnlySpan<int> ids, int begin, CancellationToken cancellation = default)
    {
        if (begin < 1 || begin > ids.Length)
            throw new InvalidOptionException($"the first token to score must be 1 to {ids.Length}, got {begin}");
        foreach (int id in ids[begin..])
        {
            if ((uint)id >= (uint)session.VocabSize)
                throw new InvalidOptionException($"token id {id} is outside the vocabulary of {session.VocabSize} entries");
        }
        var scores = new double[ids.Length - begin];
        if (scores.Length == 0)
            return scores;
        using Engine.Use hold = session.Hold();
        ReadOnlySpan<int> fed = ids[..^1];
        int held = Math.Min(session.CommonPrefix(fed), begin - 1);
        if (held == 0)
        {
            session.Rollback(0);
            held = Math.Min(session.TakeBaked(fed), begin - 1);
        }
        session.Rollback(held);
        int[] next = ids[begin..].ToArray();
        int first = begin - 1 - held; // among those fed now, the one that the first score comes from
        session.Feed(fed[held..], new FeedOptions
        {
            LogitsAt = Enumerable.Range(first, next.Length).ToArray(),
            OnLogits = (index, logits) => scores[index - first] = CrossEntropy.LogProbability(logits, next[index - first]),
            Cancellation = cancellation,
        });
        return scores;
    }
}
