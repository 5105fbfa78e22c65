namespace QedEdge.Cli;

/// <summary>What the command line says of an input that its context does not hold: the library's words are for programs.</summary>
internal static class ContextMessage
{
    /// <summary>The message, with those remedies alone that can be taken.</summary>
    /// <param name="error">The library's.</param>
    /// <param name="what">What does not fit.</param>
    /// <param name="slides">Whether the command takes --overflow slide.</param>
    public static string Of(ContextLengthException error, string what = "input", bool slides = false)
    {
        bool grows = error.Limit < error.Longest;
        string size = grows ? $"a larger --ctx-size (up to {error.Longest})" : "", slide = slides ? "--overflow slide" : "";
        string remedies = size + (grows && slides ? " or " : "") + slide;
        return $"the {what} has {(error.IsEstimate ? "at least " : "")}{(long)error.Past + error.Added} tokens, and the {(grows ? "context" : "model's context")} holds {error.Limit}; shorten it"
            + (remedies.Length > 0 ? $", or use {remedies}" : "");
    }
}
