namespace QedEdge.Generation;

/// <summary>
/// Lets text pass until one of the stop strings appears. Text that may be the beginning of one is held back, so that nothing of
/// a stop string and nothing after it is ever shown, wherever the borders of tokens fall. Nothing is allocated per token.
/// </summary>
internal sealed class StopFilter(IReadOnlyList<string> stops)
{
    private char[] _text = new char[256];
    private int _shown; // of them, by the call before
    private int _count;

    /// <summary>Whether a stop string has appeared.</summary>
    public bool Stopped { get; private set; }

    /// <summary>Whether text is held back.</summary>
    public bool IsHolding => _count > _shown;

    /// <summary>Takes more text.</summary>
    /// <returns>What may be shown; valid until the next call.</returns>
    public ReadOnlySpan<char> Append(ReadOnlySpan<char> text)
    {
        if (Stopped)
            return default;
        _text.AsSpan(_shown, _count - _shown).CopyTo(_text);
        _count -= _shown;
        if (_count + text.Length > _text.Length)
            Array.Resize(ref _text, Math.Max(2 * _text.Length, _count + text.Length));
        text.CopyTo(_text.AsSpan(_count));
        _count += text.Length;
        ReadOnlySpan<char> held = _text.AsSpan(0, _count);
        int first = -1;
        for (int i = 0; i < stops.Count; i++)
        {
            int at = held.IndexOf(stops[i]);
            if (at >= 0 && (first < 0 || at < first))
                first = at;
        }
        Stopped = first >= 0;
        _shown = Stopped ? first : _count - LongestPrefixAtEnd(held);
        return held[.._shown];
    }

    /// <summary>Ends the text.</summary>
    /// <returns>What was held back; valid until the next call.</returns>
    public ReadOnlySpan<char> Flush()
    {
        ReadOnlySpan<char> rest = Stopped ? default : _text.AsSpan(_shown, _count - _shown);
        _shown = _count = 0;
        return rest;
    }

    private int LongestPrefixAtEnd(ReadOnlySpan<char> text)
    {
        int longest = 0;
        for (int i = 0; i < stops.Count; i++)
        {
            for (int length = Math.Min(stops[i].Length - 1, text.Length); length > longest; length--)
            {
                if (text[^length..].SequenceEqual(stops[i].AsSpan(0, length)))
                    longest = length;
            }
        }
        return longest;
    }
}
