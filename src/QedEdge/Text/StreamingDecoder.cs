using System.Buffers;
using System.Text;

namespace QedEdge.Text;

/// <summary>
/// Turns token ids into text one by one. A character whose bytes are spread over several tokens appears when it is whole; up to 3
/// bytes are held back for it. Ill-formed sequences become U+FFFD, as when the whole text is decoded at once. Of vocabularies with byte fallback a run of byte tokens is held back
/// until it ends: it is text if it is well-formed as a whole, else U+FFFD for each byte. Allocates nothing after its construction. Not for several threads at a time.
/// </summary>
public sealed class StreamingDecoder
{
    /// <summary>Bytes of a run that are held back; a longer one is taken for several.</summary>
    internal const int LongestRun = 4096;

    private const int MaxPending = 3;
    private readonly Tokenizer _tokenizer;
    private readonly SpecialTokenText _special;
    private readonly int[] _kept;
    private readonly bool _holdsRuns;
    private readonly byte[] _bytes; // what is held back, then the next piece
    private readonly char[] _chars;
    private bool _strips; // the space that would begin the text

    /// <summary>Starts a text.</summary>
    /// <param name="tokenizer">What the ids belong to.</param>
    /// <param name="special">What to do with special tokens.</param>
    /// <param name="continues">Whether it follows other text: it keeps a space at its beginning, which some tokenizers leave out of a text of its own.</param>
    public StreamingDecoder(Tokenizer tokenizer, SpecialTokenText special = SpecialTokenText.Skip, bool continues = false) : this(tokenizer, special, continues, [])
    {
    }

    /// <inheritdoc cref="StreamingDecoder(Tokenizer, SpecialTokenText, bool)"/>
    /// <param name="tokenizer">What the ids belong to.</param>
    /// <param name="special">What to do with special tokens.</param>
    /// <param name="continues">Whether it follows other text.</param>
    /// <param name="kept">Special tokens that are text all the same.</param>
    internal StreamingDecoder(Tokenizer tokenizer, SpecialTokenText special, bool continues, int[] kept)
    {
        _tokenizer = tokenizer;
        _special = special;
        _kept = kept;
        _holdsRuns = tokenizer.Rules.HasByteFallback;
        _bytes = new byte[(_holdsRuns ? LongestRun : MaxPending) + tokenizer.Pieces.LongestPiece];
        // A byte gives at most one UTF-16 unit: 4 give two, an ill-formed one gives one U+FFFD.
        _chars = new char[_bytes.Length];
        Reset(continues);
    }

    /// <summary>Bytes held back: the beginning of a character, or a run of byte tokens.</summary>
    public int PendingBytes { get; private set; }

    /// <summary>Adds a token.</summary>
    /// <param name="id">Its id.</param>
    /// <returns>The text that became whole; often empty. Valid until the next call.</returns>
    /// <exception cref="QedException">The id is outside the vocabulary.</exception>
    public ReadOnlySpan<char> Append(int id)
    {
        if (_special == SpecialTokenText.Skip && _tokenizer.IsSpecial(id) && Array.IndexOf(_kept, id) < 0)
            return default;
        int count = PendingBytes + _tokenizer.Pieces.Copy(_tokenizer.Checked(id), _bytes.AsSpan(PendingBytes));
        if (_holdsRuns)
            return AppendRun(id, count);
        int whole = count - Incomplete(_bytes.AsSpan(0, count));
        return Take(Encoding.UTF8.GetChars(_bytes.AsSpan(0, whole), _chars), whole, count);
    }

    /// <summary>Ends the text: what is held back cannot become whole any more.</summary>
    /// <returns>U+FFFD or nothing, or a run. Valid until the next call.</returns>
    public ReadOnlySpan<char> Flush() =>
        Take(_holdsRuns ? Run(PendingBytes) : Encoding.UTF8.GetChars(_bytes.AsSpan(0, PendingBytes), _chars), PendingBytes, PendingBytes);

    /// <summary>Forgets what is held back, to begin another text.</summary>
    /// <param name="continues">Whether it follows other text.</param>
    public void Reset(bool continues = false)
    {
        PendingBytes = 0;
        _strips = _tokenizer.Rules.StripsSpace && !continues;
    }

    private ReadOnlySpan<char> AppendRun(int id, int count)
    {
        if (count == PendingBytes)
            return default;
        if (_tokenizer.Pieces.ByteOf(id) >= 0)
        {
            PendingBytes = count;
            if (count < LongestRun)
                return default;
            int whole = count - Incomplete(_bytes.AsSpan(0, count));
            return Take(Run(whole), whole, count);
        }
        int chars = Run(PendingBytes);
        return Take(chars + Encoding.UTF8.GetChars(_bytes.AsSpan(PendingBytes, count - PendingBytes), _chars.AsSpan(chars)), count, count);
    }

    /// <summary>Writes the text of a run of bytes that has ended; returns its length.</summary>
    private int Run(int bytes)
    {
        if (System.Text.Unicode.Utf8.IsValid(_bytes.AsSpan(0, bytes)))
            return Encoding.UTF8.GetChars(_bytes.AsSpan(0, bytes), _chars);
        _chars.AsSpan(0, bytes).Fill('\uFFFD');
        return bytes;
    }

    /// <summary>Hands out what was written, and keeps the bytes behind what it came from.</summary>
    private ReadOnlySpan<char> Take(int chars, int taken, int count)
    {
        PendingBytes = count - taken;
        _bytes.AsSpan(taken, PendingBytes).CopyTo(_bytes);
        if (chars == 0)
            return default;
        int begin = _strips && _chars[0] == ' ' ? 1 : 0;
        _strips = false;
        return _chars.AsSpan(begin, chars - begin);
    }

    /// <summary>The length of the unfinished but so far well-formed character at the end, 0 to 3 bytes.</summary>
    private static int Incomplete(ReadOnlySpan<byte> bytes)
    {
        for (int length = 1; length <= Math.Min(MaxPending, bytes.Length); length++)
        {
            // Continuation bytes are 10xxxxxx; the first other byte from the end decides.
            if ((bytes[^length] & 0xC0) != 0x80)
                return Rune.DecodeFromUtf8(bytes[^length..], out _, out _) == OperationStatus.NeedMoreData ? length : 0;
        }
        return 0;
    }
}
