namespace QedEdge;

/// <summary>More tokens were fed than the context holds. Nothing was computed or stored.</summary>
public sealed class ContextLengthException : QedException
{
    /// <summary>Creates the error.</summary>
    /// <param name="past">Tokens already in the session.</param>
    /// <param name="added">Tokens that were to be added.</param>
    /// <param name="limit">The session's capacity in tokens.</param>
    public ContextLengthException(int past, int added, int limit)
        : base($"{past} past + {added} new tokens exceed the context of {limit} tokens; shorten the input or open a longer context")
    {
        Past = past;
        Added = added;
        Limit = limit;
    }

    /// <summary>Tokens already in the session.</summary>
    public int Past { get; }

    /// <summary>Tokens that were to be added.</summary>
    public int Added { get; }

    /// <summary>The session's capacity in tokens.</summary>
    public int Limit { get; }
}
