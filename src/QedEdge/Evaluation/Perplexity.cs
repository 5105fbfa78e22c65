using QedEdge.Text;

namespace QedEdge.Evaluation;

/// <summary>Runs a model over a text.</summary>
public static class Perplexity
{
    /// <summary>Scores the windows of a text.</summary>
    /// <param name="session">The session; what it holds is forgotten.</param>
    /// <param name="windows">Windows that fit its context (<see cref="TextWindows"/>).</param>
    /// <param name="onWindow">Called after each window with the sums so far.</param>
    /// <param name="cancellation">Stops within a layer's time.</param>
    /// <exception cref="QedException">The model has no tokenizer.</exception>
    /// <exception cref="OperationCanceledException">It was stopped.</exception>
    public static PerplexityStatistics Run(Session session, IEnumerable<TextWindow> windows, Action<PerplexityStatistics>? onWindow = null, CancellationToken cancellation = default)
    {
        Tokenizer tokenizer = session.Model.RequireTokenizer();
        var statistics = new PerplexityStatistics();
        foreach (TextWindow window in windows)
        {
            session.Rollback(0);
            double[] scores = SequenceScorer.LogProbabilities(session, window.Ids, window.Begin, cancellation);
            for (int i = 0; i < scores.Length; i++)
            {
                int id = window.Ids[window.Begin + i];
                statistics.Add(window.Begin + i, scores[i], tokenizer.TextBytes(id));
            }
            statistics.Windows++;
            onWindow?.Invoke(statistics);
        }
        return statistics;
    }
}
