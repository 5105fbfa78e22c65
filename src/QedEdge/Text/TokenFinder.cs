using System.Buffers;

namespace QedEdge.Text;

/// <summary>
/// Tokens that are recognised in text as a whole, sorted by their bytes, so that a place in a text costs a binary search, however many there are. All that begin
/// a text lie before it in that order, each the beginning of the next; the last that lies before it leads to them.
/// </summary>
internal sealed class TokenFinder
{
    /// <summary>The longest text that is looked for, in bytes.</summary>
    public const int LongestText = 1024;

    private readonly TokenTable _tokens;
    private readonly AddedToken[] _added;   // by their texts
    private readonly byte[]?[] _normalized; // texts that the vocabulary has otherwise
    private readonly int[] _inner;          // for each, where its longest proper beginning that is a token too stands, or -1
    private readonly int[] _groups = new int[257]; // where the tokens stand that begin with a byte, and those with the next
    private readonly int[] _second = new int[256]; // by the first byte: the one that comes next in all of its tokens, or -1; runs of spaces are not looked for at every space
    private readonly SearchValues<byte> _first;

    /// <summary>Sorts the tokens of one pass.</summary>
    /// <param name="data">The tokenizer.</param>
    /// <param name="normalized">Whether those are meant that are looked for in normalized text.</param>
    public TokenFinder(TokenizerData data, bool normalized)
    {
        _tokens = data.Tokens;
        var added = new List<AddedToken>();
        foreach (AddedToken token in data.Added)
        {
            if (token.IsNormalized == normalized && data.Tokens.Text(token.Id).Length <= LongestText)
                added.Add(token);
        }
        _added = [.. added];
        _normalized = new byte[_added.Length][];
        for (int i = 0; normalized && i < _added.Length; i++)
        {
            ReadOnlySpan<byte> text = _tokens.Text(_added[i].Id);
            using var own = new NormalizedText(data.Rules.Normalizer, new MarkedText(text));
            if (!own.Text.Bytes.SequenceEqual(text))
                _normalized[i] = own.Text.Bytes.ToArray();
        }
        Sort();
        _inner = new int[_added.Length];
        for (int i = 0; i < _added.Length; i++)
        {
            _groups[Text(i)[0] + 1] = i + 1;
            int inner = i - 1;
            while (inner >= 0 && !Text(i).StartsWith(Text(inner)))
                inner = _inner[inner];
            _inner[i] = inner;
        }
        var bytes = new List<byte>();
        for (int b = 0; b < 256; b++)
        {
            if (_groups[b + 1] > 0)
                bytes.Add((byte)b);
            _groups[b + 1] = Math.Max(_groups[b], _groups[b + 1]);
            _second[b] = Second(_groups[b], _groups[b + 1]);
        }
        _first = SearchValues.Create([.. bytes]);
    }

    /// <summary>Whether there are none.</summary>
    public bool IsEmpty => _added.Length == 0;

    /// <summary>The first of the tokens in a text, the longest of those that begin there, or null.</summary>
    /// <param name="text">The text.</param>
    /// <param name="special">Whether special tokens are looked for; of them those that nothing was typed of.</param>
    /// <param name="start">Where to begin; where the token begins.</param>
    /// <param name="length">Its length.</param>
    public AddedToken? Find(MarkedText text, bool special, ref int start, out int length)
    {
        for (; start < text.Length; start++)
        {
            int skip = text.Bytes[start..].IndexOfAny(_first);
            if (skip < 0)
                break;
            start += skip;
            if (_second[text.Bytes[start]] is >= 0 and var second && (start + 1 == text.Length || text.Bytes[start + 1] != second))
                continue;
            for (int found = LongestAt(text.Bytes[start..]); found >= 0; found = _inner[found])
            {
                length = Text(found).Length;
                if (!_tokens.IsSpecial(_added[found].Id) || special && !text.IsTyped(start, length))
                    return _added[found];
            }
        }
        length = 0;
        return null;
    }

    private int Second(int low, int high) => low < high && Text(low).Length > 1 && Text(low)[1] == Text(high - 1)[1] ? Text(low)[1] : -1; // they are sorted

    private int LongestAt(ReadOnlySpan<byte> text)
    {
        int low = _groups[text[0]], high = _groups[text[0] + 1]; // those before low are not behind the text, those from high on are
        while (low < high)
        {
            int middle = (low + high) >>> 1;
            if (Text(middle).SequenceCompareTo(text) <= 0)
                low = middle + 1;
            else
                high = middle;
        }
        int last = low - 1;
        int common = last < 0 ? 0 : Text(last).CommonPrefixLength(text);
        while (last >= 0 && Text(last).Length > common)
            last = _inner[last];
        return last;
    }

    private ReadOnlySpan<byte> Text(int index) => _normalized[index] ?? _tokens.Text(_added[index].Id);

    private void Sort()
    {
        for (int i = 1; i < _added.Length; i++)
        {
            if (Text(i - 1).SequenceCompareTo(Text(i)) <= 0)
                continue;
            var order = new int[_added.Length];
            for (int j = 0; j < order.Length; j++)
                order[j] = j;
            order.AsSpan().Sort((a, b) => Text(a).SequenceCompareTo(Text(b)) is not 0 and var sign ? sign : a - b);
            AddedToken[] added = [.. _added];
            byte[]?[] normalized = [.. _normalized];
            for (int j = 0; j < order.Length; j++)
                (_added[j], _normalized[j]) = (added[order[j]], normalized[order[j]]);
            return;
        }
    }
}
