namespace QedEdge;

/// <summary>More tokens were fed than the context holds. Nothing was computed or stored.</summary>
public sealed class ContextLengthException : QedException
{
    /// <summary>Creates the error.</summary>
    /// <param name="past">Tokens already in the session.</param>
    /// <param name="added">Tokens that were to be added.</param>
    /// <param name="limit">The session's capacity in tokens.</param>
    public ContextLengthException(int past, int added, int limit) : this(past, added, limit, limit, false) { }

    /// <summary>Creates the error of a session or a text of a model.</summary>
    /// <param name="past">Tokens already in the session.</param>
    /// <param name="added">Tokens that were to be added.</param>
    /// <param name="limit">The session's capacity in tokens.</param>
    /// <param name="longest">The model's context length.</param>
    /// <param name="isEstimate">Whether <paramref name="added"/> are the fewest that a text can have, which was not encoded.</param>
    internal ContextLengthException(int past, int added, int limit, int longest, bool isEstimate)
        : base($"{(isEstimate ? "at least " : "")}{added} tokens{(past > 0 ? $" after the {past} that are there" : "")} do not fit into the context of {limit}; shorten the text, or open the session with "
            + $"{(limit < longest ? $"a longer context (the model's is {longest}) or " : "")}a sliding one")
    {
        Past = past;
        Added = added;
        Limit = limit;
        Longest = longest;
        IsEstimate = isEstimate;
    }

    /// <summary>Tokens already in the session.</summary>
    public int Past { get; }

    /// <summary>Tokens that were to be added.</summary>
    public int Added { get; }

    /// <summary>The session's capacity in tokens.</summary>
    public int Limit { get; }

    /// <summary>The longest context that a session of the model can be opened with; <see cref="Limit"/> where that is not known.</summary>
    public int Longest { get; }

    /// <summary>Whether <see cref="Added"/> are the fewest tokens that the text can have: it was refused before it was encoded.</summary>
    public bool IsEstimate { get; }
}
