namespace QedEdge.Generation;

/// <summary>
/// Lets text pass until one of the stop strings appears. Text that may be the beginning of one is held back, so that nothing of
/// a stop string and nothing after it is ever shown, wherever the borders of tokens fall.
/// </summary>
public sealed class StopFilter(IReadOnlyList<string> stops)
{
    private readonly System.Text.StringBuilder _held = new();

    /// <summary>Whether a stop string has appeared.</summary>
    public bool Stopped { get; private set; }

    /// <summary>Takes more text; returns what may be shown.</summary>
    public string Append(ReadOnlySpan<char> text)
    {
        if (Stopped)
            return "";
        if (stops.Count == 0)
            return text.ToString();
        string held = _held.Append(text).ToString();
        int first = -1;
        foreach (string stop in stops)
        {
            int at = held.IndexOf(stop, StringComparison.Ordinal);
            if (at >= 0 && (first < 0 || at < first))
                first = at;
        }
        Stopped = first >= 0;
        int shown = Stopped ? first : held.Length - LongestPrefixAtEnd(held);
        _held.Clear().Append(held, shown, held.Length - shown);
        return held[..shown];
    }

    /// <summary>What was held back, when no more text comes.</summary>
    public string Flush()
    {
        string rest = Stopped ? "" : _held.ToString();
        _held.Clear();
        return rest;
    }

    private int LongestPrefixAtEnd(string text)
    {
        int longest = 0;
        foreach (string stop in stops)
        {
            for (int length = Math.Min(stop.Length - 1, text.Length); length > longest; length--)
            {
                if (text.AsSpan(text.Length - length).SequenceEqual(stop.AsSpan(0, length)))
                    longest = length;
            }
        }
        return longest;
    }
}
