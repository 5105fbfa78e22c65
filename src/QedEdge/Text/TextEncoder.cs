using System.Buffers;
using System.Runtime.InteropServices;
using System.Text;

namespace QedEdge.Text;

/// <summary>
/// The way from text to ids: added tokens that are not normalized; what lies between them is normalized, each piece by itself; added tokens that are normalized; words; symbols;
/// merges.
/// </summary>
internal sealed class TextEncoder
{
    private const int Ascii = 128;
    private const int ShortWord = 512; // bytes of symbols that lie on the stack
    private const byte WholeUnknown = 0, Whole = 1, NotWhole = 2;

    private readonly TokenizerData _data;
    private readonly TokenTable _tokens;
    private readonly TokenizerRules _rules;
    private readonly TokenFinder _raw, _normalized;
    private readonly int[] _symbols;          // the token of each byte, or of each ASCII character, or -1
    private readonly int[] _bytes;            // the token of byte fallback for each byte, or -1
    private readonly byte[] _whole;           // for each token: whether merging its own symbols gives it, once that was asked; any thread writes the same
    private readonly WordCache _words = new();
    private readonly bool _cuts;              // whether words may be cut before a ▁
    private bool[]? _joined;                  // bytes before a ▁ where a word may not be cut; null: not asked yet

    /// <summary>Prepares a tokenizer's use.</summary>
    public TextEncoder(TokenizerData data, PieceDecoder pieces)
    {
        (_data, _tokens, _rules) = (data, data.Tokens, data.Rules);
        _raw = new TokenFinder(data, normalized: false);
        _normalized = new TokenFinder(data, normalized: true);
        _symbols = new int[_rules.IsByteLevel ? 256 : Ascii];
        Span<byte> symbol = stackalloc byte[ByteAlphabet.MaxSymbolBytes];
        for (int i = 0; i < _symbols.Length; i++)
        {
            symbol[0] = (byte)i;
            _symbols[i] = FindText(symbol[..(_rules.IsByteLevel ? ByteAlphabet.Encode([(byte)i], symbol) : 1)]);
        }
        _bytes = new int[_rules.HasByteFallback ? 256 : 0];
        for (int i = 0; i < _bytes.Length; i++)
            _bytes[i] = pieces.FindByte((byte)i);
        _whole = new byte[_tokens.Count];
        _cuts = !_rules.IsByteLevel && _rules.PreTokenizer == PreTokenizer.None && !_rules.IgnoresMerges && FindText("▁"u8) >= 0;
    }

    /// <summary>Whether text may give no token at all, or any length of it one.</summary>
    public bool MayVanish => Array.Exists(_data.Added, static token => token.StripsLeft || token.StripsRight)
        || (_rules.IsByteLevel ? _symbols : _bytes).AsSpan().Contains(-1) && (_data.UnkId < 0 || _rules.FusesUnknown) || !_rules.IsByteLevel && !_rules.HasByteFallback;

    /// <summary>Appends a text's ids.</summary>
    /// <param name="text">The text.</param>
    /// <param name="special">Whether special tokens are parsed.</param>
    /// <param name="ids">Where they are appended.</param>
    public void Encode(MarkedText text, bool special, List<int> ids)
    {
        using TokenTable.FileHold hold = _tokens.Hold();
        Encode(text, normalized: false, special, ids);
    }

    private void Encode(MarkedText text, bool normalized, bool special, List<int> ids)
    {
        int begin = 0, at = 0;
        while ((normalized ? _normalized : _raw).Find(text, special, ref at, out int length) is { } token)
        {
            int from = at, to = at + length;
            if (token.StripsLeft && at > begin)
                from -= WordSplitter.SpaceAtEnd(text.Bytes[begin..at]);
            if (token.StripsRight) // within what was stripped already, that is the end of it
                to = to < begin ? begin : to + WordSplitter.SpaceAtStart(text.Bytes[to..]);
            if (begin < from)
                EncodePiece(text[begin..from], normalized, special, ids);
            ids.Add(token.Id);
            begin = to;
            at += length;
        }
        if (begin < text.Length)
            EncodePiece(text[begin..], normalized, special, ids);
    }

    private void EncodePiece(MarkedText text, bool normalized, bool special, List<int> ids)
    {
        if (normalized)
        {
            EncodeWords(text.Bytes, ids);
            return;
        }
        using var own = new NormalizedText(_rules.Normalizer, text);
        if (_normalized.IsEmpty)
            EncodeWords(own.Text.Bytes, ids);
        else
            Encode(own.Text, normalized: true, special, ids);
    }

    private void EncodeWords(ReadOnlySpan<byte> text, List<int> ids)
    {
        bool[] joined = _cuts ? _joined ??= JoinedBeforeMark() : [];
        while (!text.IsEmpty)
        {
            int length = _cuts ? WordBeforeMark(text, joined) : WordSplitter.FirstWord(text, _rules.PreTokenizer);
            EncodeWord(text[..length], ids);
            text = text[length..];
        }
    }

    /// <summary>The length of what stands before the next ▁ that no token has behind what is before it.</summary>
    private static int WordBeforeMark(ReadOnlySpan<byte> text, bool[] joined)
    {
        int length = 0;
        do
        {
            int more = text[(length + 1)..].IndexOf("▁"u8);
            if (more < 0)
                return text.Length;
            length += 1 + more;
        }
        while (joined[text[length - 1]] || text[..length].EndsWith("▁"u8));
        return length;
    }

    /// <summary>Appends a word's ids: of one that is a token which its merges lead to (most words are), that is found at once.</summary>
    private void EncodeWord(ReadOnlySpan<byte> word, List<int> ids)
    {
        int id = -1;
        if (word.Length <= _tokens.LongestText)
        {
            int most = _rules.IsByteLevel ? ByteAlphabet.MaxSymbolBytes * word.Length : 0;
            byte[]? rented = most > ShortWord ? ArrayPool<byte>.Shared.Rent(most) : null;
            Span<byte> written = rented ?? stackalloc byte[ShortWord];
            id = FindText(_rules.IsByteLevel ? written[..ByteAlphabet.Encode(word, written)] : word);
            if (rented is not null)
                ArrayPool<byte>.Shared.Return(rented);
            if (id >= 0 && (_rules.IgnoresMerges || _whole[id] == Whole))
            {
                ids.Add(id);
                return;
            }
        }
        int slot = -1;
        if (word.Length <= WordCache.LongestWord && _words.Find(word, out slot) is { IsEmpty: false } kept)
        {
            ids.AddRange(kept);
            return;
        }
        int count = ids.Count;
        CollectionsMarshal.SetCount(ids, count + word.Length);
        Span<int> symbols = CollectionsMarshal.AsSpan(ids)[count..];
        symbols = symbols[..(_rules.IsByteLevel ? ByteSymbols(word, symbols) : CodePointSymbols(word, symbols))];
        int merged = symbols.Length > 1 ? WordMerger.Merge(_data.Merges, symbols) : symbols.Length;
        if (id >= 0 && _whole[id] == WholeUnknown)
            _whole[id] = merged == 1 && symbols[0] == id ? Whole : NotWhole;
        if (slot >= 0 && merged > 1)
            _words.Set(slot, word, symbols[..merged]);
        CollectionsMarshal.SetCount(ids, count + merged);
    }

    private int ByteSymbols(ReadOnlySpan<byte> word, Span<int> ids)
    {
        int count = 0;
        bool wasUnknown = false;
        foreach (byte b in word)
        {
            int id = _symbols[b];
            if (id >= 0)
                ids[count++] = id;
            else if (_data.UnkId >= 0 && !(wasUnknown && _rules.FusesUnknown))
                ids[count++] = _data.UnkId;
            wasUnknown = id < 0;
        }
        return count;
    }

    private int CodePointSymbols(ReadOnlySpan<byte> word, Span<int> ids)
    {
        int count = 0;
        bool wasUnknown = false;
        while (!word.IsEmpty)
        {
            int bytes = 1;
            if (word[0] >= Ascii)
                Rune.DecodeFromUtf8(word, out _, out bytes);
            int id = word[0] < Ascii ? _symbols[word[0]] : FindText(word[..bytes]);
            bool isUnknown = id < 0 && !HasBytes(word[..bytes]);
            if (id >= 0)
                ids[count++] = id;
            else if (!isUnknown)
            {
                foreach (byte b in word[..bytes])
                    ids[count++] = _bytes[b];
            }
            else if (_data.UnkId >= 0 && !(wasUnknown && _rules.FusesUnknown))
                ids[count++] = _data.UnkId;
            wasUnknown = isUnknown;
            word = word[bytes..];
        }
        return count;
    }

    private bool HasBytes(ReadOnlySpan<byte> bytes)
    {
        foreach (byte b in bytes)
        {
            if (!_rules.HasByteFallback || _bytes[b] < 0)
                return false;
        }
        return true;
    }

    /// <summary>The id that text gives, or -1: of a special token it does not.</summary>
    private int FindText(ReadOnlySpan<byte> text)
    {
        int id = _tokens.Find(text);
        return id >= 0 && _tokens.Type(id) is TokenType.Normal or TokenType.UserDefined ? id : -1;
    }

    /// <summary>
    /// What bytes tokens have before a ▁, but for its own. Elsewhere no merge goes over that place, and a text without a pre-tokenizer can be merged word by word, with the same
    /// result: words are short then, and most are tokens.
    /// </summary>
    private bool[] JoinedBeforeMark()
    {
        var joined = new bool[256];
        for (int id = 0; id < _tokens.Count; id++)
        {
            ReadOnlySpan<byte> text = _tokens.Type(id) is TokenType.Normal or TokenType.UserDefined ? _tokens.Text(id) : default;
            for (int at = 1; at < text.Length && text[at..].IndexOf("▁"u8) is >= 0 and var more; at++)
            {
                at += more;
                joined[text[at - 1]] |= !text[..at].EndsWith("▁"u8);
            }
        }
        return joined;
    }
}
