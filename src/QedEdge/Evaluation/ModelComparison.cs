using QedEdge.Text;

namespace QedEdge.Evaluation;

/// <summary>Runs two models side by side over a text.</summary>
public static class ModelComparison
{
    private const int Together = 32; // tokens whose logits are held

    /// <summary>Compares a model with a reference of the same vocabulary.</summary>
    /// <param name="reference">The session of the reference; what it holds is forgotten.</param>
    /// <param name="session">The session of the model.</param>
    /// <param name="windows">Windows that fit both contexts (<see cref="TextWindows"/>), in the reference's token ids.</param>
    /// <param name="onWindow">Called after each window with the tokens compared so far.</param>
    /// <param name="cancellation">Stops within a window.</param>
    /// <exception cref="InvalidOptionException">The vocabularies differ.</exception>
    /// <exception cref="OperationCanceledException">It was stopped.</exception>
    public static DivergenceStatistics Run(Session reference, Session session, IEnumerable<TextWindow> windows, Action<long>? onWindow = null, CancellationToken cancellation = default)
    {
        int vocab = reference.VocabSize;
        if (session.VocabSize != vocab)
            throw new InvalidOptionException($"the models have {vocab} and {session.VocabSize} tokens in their vocabularies; only models of the same vocabulary can be compared");
        if (reference.Model.Tokenizer is { } first && session.Model.Tokenizer is { } second && FirstDifference(first, second) is { } id)
            throw new InvalidOptionException($"token {id} has another text in {session.Model.File.Name} than in {reference.Model.File.Name}; only models of the same vocabulary can be compared");
        var statistics = new DivergenceStatistics();
        var expected = new float[Together * vocab];
        foreach ((int[] window, int scored) in windows)
        {
            reference.Rollback(0);
            session.Rollback(0);
            for (int begin = 0; begin < window.Length; begin += Together)
            {
                ReadOnlySpan<int> tokens = window.AsSpan(begin, Math.Min(Together, window.Length - begin));
                reference.Feed(tokens, new FeedOptions { Cancellation = cancellation, OnLogits = (t, logits) => logits.CopyTo(expected.AsSpan(t * vocab)) });
                int start = begin;
                session.Feed(tokens, new FeedOptions
                {
                    Cancellation = cancellation,
                    OnLogits = (t, logits) =>
                    {
                        if (start + t + 1 >= scored && start + t + 1 < window.Length)
                            statistics.Add(expected.AsSpan(t * vocab, vocab), logits, window[start + t + 1]);
                    },
                });
            }
            onWindow?.Invoke(statistics.Count);
        }
        return statistics;
    }

    private static int? FirstDifference(Tokenizer a, Tokenizer b)
    {
        for (int id = 0; id < Math.Max(a.VocabSize, b.VocabSize); id++)
        {
            if (id >= a.VocabSize || id >= b.VocabSize || !a.Piece(id).AsSpan().SequenceEqual(b.Piece(id)))
                return id;
        }
        return null;
    }
}
