using System.Text.Json;
using QedEdge.Cli.Json;
using QedEdge.Evaluation;
using QedEdge.Text;

namespace QedEdge.Cli;

/// <summary>A text's tokens with the model's log-probabilities.</summary>
/// <param name="Ids">Token ids, or labels [n].</param>
/// <param name="LogProbabilities">log p in nats, not a number for a token with nothing before it, or that is not to be scored [n].</param>
/// <param name="Pieces">Their texts, null for a model without a tokenizer [n].</param>
/// <param name="Before">What stands before them and is not scored.</param>
internal sealed record TextScore(int[] Ids, double[] LogProbabilities, string[]? Pieces, int[] Before)
{
    /// <summary>Tokens scored.</summary>
    public int Count => LogProbabilities.Count(p => !double.IsNaN(p));

    /// <summary>Σ log p, in nats.</summary>
    public double Total => LogProbabilities.Where(p => !double.IsNaN(p)).Sum();

    /// <summary>Mean −log p, in nats; not a number where nothing was scored.</summary>
    public double MeanNll => -Total / Count;

    /// <summary>e to the <see cref="MeanNll"/>.</summary>
    public double Perplexity => Math.Exp(MeanNll);

    /// <summary>Refuses a score of nothing: there is no mean of no tokens.</summary>
    /// <exception cref="InvalidOptionException">No token was scored.</exception>
    public TextScore RequireAny() => Count > 0 ? this : throw new InvalidOptionException(Ids.Length == 0
        ? "the text is empty; there is nothing to score"
        : "no token can be scored: the first has nothing before it, and a label of -100 is left out");

    /// <summary>Scores a text after what the model wants before texts, and a context; special tokens' text is ordinary text where it is said to be plain.</summary>
    public static TextScore OfText(Session session, Tokenizer tokenizer, ReadOnlySpan<byte> context, ReadOnlySpan<byte> text, bool plain, CancellationToken cancellation)
    {
        EncodeOptions options = tokenizer.PromptOptions & ~(plain ? EncodeOptions.AddEos | EncodeOptions.ParseSpecial : EncodeOptions.AddEos);
        session.Model.RequireFits((long)context.Length + text.Length, session.Capacity); // no command scores in a sliding session
        if (!plain)
            PromptInput.WarnOfSecondBos(tokenizer, context.IsEmpty ? text : context);
        List<int> before = [], whole = [];
        tokenizer.Encode(context, before, options);
        tokenizer.Encode([.. context, .. text], whole, options);
        return OfContinuation(session, [.. before], [.. whole], cancellation);
    }

    /// <summary>Scores what a context was continued with. Where both share a token, it belongs to the text.</summary>
    public static TextScore OfContinuation(Session session, int[] before, int[] whole, CancellationToken cancellation) =>
        Of(session, whole, before.AsSpan().CommonPrefixLength(whole), cancellation);

    /// <summary>Scores token ids as they are; the first has nothing before it.</summary>
    public static TextScore OfTokens(Session session, int[] ids, CancellationToken cancellation) => Of(session, ids, 0, cancellation);

    /// <summary>Scores the labels of tokens.</summary>
    public static TextScore OfLabels(Session session, int[] tokens, int[] labels, LabelConvention convention, CancellationToken cancellation)
    {
        var scores = new double[labels.Length];
        Array.Fill(scores, double.NaN);
        CrossEntropy.Of(session, tokens, labels, convention, new FeedOptions { Cancellation = cancellation }, (t, score) => scores[t] = score);
        return new TextScore(labels, scores, null, []);
    }

    /// <summary>Writes it as the members of a JSON object.</summary>
    public void WriteTo(Utf8JsonWriter json)
    {
        if (Pieces is not null)
        {
            json.WriteStartArray("tokens");
            foreach (string piece in Pieces)
                json.WriteStringValue(piece);
            json.WriteEndArray();
        }
        json.WriteNumbers("ids", Ids);
        json.WriteFinites("logprobs", LogProbabilities);
        json.WriteFinite("total", Total);
        json.WriteFinite("mean_nll", MeanNll);
        json.WriteFinite("perplexity", Perplexity);
    }

    private static TextScore Of(Session session, int[] ids, int begin, CancellationToken cancellation)
    {
        int first = Math.Max(begin, 1); // the first token of all has no probability
        double[] scores = first < ids.Length ? SequenceScorer.LogProbabilities(session, ids, first, cancellation) : [];
        int[] before = ids[..Math.Min(begin, ids.Length)], shown = ids[before.Length..];
        Tokenizer? tokenizer = session.Model.Tokenizer;
        return new TextScore(shown, [.. Enumerable.Repeat(double.NaN, shown.Length - scores.Length), .. scores],
            tokenizer is null ? null : [.. shown.Select(id => id < tokenizer.VocabSize ? tokenizer.Decode([id], SpecialTokenText.Keep, continues: true) : "")], before);
    }
}
