namespace QedEdge.Conversion;

/// <summary>
/// Texts in the order of their characters, for questions about beginnings that cost a binary search. All texts that begin another one lie before it, each the
/// beginning of the next of them.
/// </summary>
internal sealed class SortedTexts
{
    private readonly string[] _texts;
    private readonly int[] _inner; // for each, where its longest proper beginning among the texts stands, or -1

    /// <summary>Sorts texts.</summary>
    /// <param name="texts">None of them empty; one that occurs twice counts once.</param>
    public SortedTexts(IEnumerable<string> texts)
    {
        _texts = [.. texts.Distinct()];
        Array.Sort(_texts, string.CompareOrdinal);
        _inner = new int[_texts.Length];
        for (int i = 0; i < _texts.Length; i++)
        {
            int inner = i - 1;
            while (inner >= 0 && !_texts[i].StartsWith(_texts[inner], StringComparison.Ordinal))
                inner = _inner[inner];
            _inner[i] = inner;
        }
    }

    /// <summary>The longest of the texts that another one begins with, or null.</summary>
    public string? LongestBeginning(ReadOnlySpan<char> text)
    {
        int last = CountNotBehind(text) - 1;
        int common = last < 0 ? 0 : _texts[last].AsSpan().CommonPrefixLength(text);
        while (last >= 0 && _texts[last].Length > common)
            last = _inner[last];
        return last < 0 ? null : _texts[last];
    }

    /// <summary>How many texts are equal to another one or before it.</summary>
    private int CountNotBehind(ReadOnlySpan<char> text)
    {
        int low = 0, high = _texts.Length;
        while (low < high)
        {
            int middle = (low + high) >>> 1;
            if (_texts[middle].AsSpan().SequenceCompareTo(text) <= 0)
                low = middle + 1;
            else
                high = middle;
        }
        return low;
    }
}
