using System.Buffers;

namespace QedEdge.Text;

/// <summary>
/// The tokens that are recognised in text as a whole, sorted by their bytes, so that a place in a text costs a binary search, however many there are. All that begin
/// a text lie before it in that order, each the beginning of the next; the last that lies before it leads to them.
/// </summary>
internal sealed class TokenFinder
{
    /// <summary>The longest text that is looked for, in bytes.</summary>
    public const int LongestText = 1024;

    private readonly TokenTable _tokens;
    private readonly int[] _ids;    // by their texts
    private readonly int[] _inner;  // for each, where its longest proper beginning that is a token too stands, or -1
    private readonly SearchValues<byte> _first;

    /// <summary>Sorts a vocabulary's special and added tokens.</summary>
    public TokenFinder(TokenTable tokens)
    {
        _tokens = tokens;
        var first = new HashSet<byte>();
        var ids = new List<int>();
        for (int id = 0; id < tokens.Count; id++)
        {
            if (!tokens.IsAdded(id) || tokens.Text(id).Length > LongestText)
                continue;
            first.Add(tokens.Text(id)[0]);
            ids.Add(id);
        }
        ids.Sort((a, b) => tokens.Text(a).SequenceCompareTo(tokens.Text(b)));
        _first = SearchValues.Create([.. first]);
        _ids = [.. ids];
        _inner = new int[_ids.Length];
        for (int i = 0; i < _ids.Length; i++)
        {
            int inner = i - 1;
            while (inner >= 0 && !Text(i).StartsWith(Text(inner)))
                inner = _inner[inner];
            _inner[i] = inner;
        }
    }

    /// <summary>The first of the tokens in a text, the longest of those that begin there, or -1.</summary>
    /// <param name="text">The text.</param>
    /// <param name="special">Whether special tokens are looked for; of them those that nothing was typed of.</param>
    /// <param name="start">Where it begins.</param>
    /// <param name="length">Its length.</param>
    public int Find(MarkedText text, bool special, out int start, out int length)
    {
        for (start = 0; start < text.Bytes.Length; start++)
        {
            int skip = text.Bytes[start..].IndexOfAny(_first);
            if (skip < 0)
                break;
            start += skip;
            for (int found = LongestAt(text.Bytes[start..]); found >= 0; found = _inner[found])
            {
                length = Text(found).Length;
                if (!_tokens.IsSpecial(_ids[found]) || special && !text.IsTyped(start, length))
                    return _ids[found];
            }
        }
        length = 0;
        return -1;
    }

    private int LongestAt(ReadOnlySpan<byte> text)
    {
        int low = 0, high = _ids.Length; // those before low are not behind the text, those from high on are
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

    private ReadOnlySpan<byte> Text(int index) => _tokens.Text(_ids[index]);
}
