using System.Buffers;
using System.Text;

namespace QedEdge.Text;

/// <summary>
/// Turns token ids into text one by one. A character whose bytes are spread over several tokens appears when it is whole; up to 3
/// bytes are held back for it. Ill-formed sequences become U+FFFD, as when the whole text is decoded at once. Allocates nothing
/// after its construction. Not for several threads at a time.
/// </summary>
public sealed class StreamingDecoder
{
    private const int MaxPending = 3;
    private readonly Tokenizer _tokenizer;
    private readonly SpecialTokenText _special;
    private readonly byte[] _bytes;
    private readonly char[] _chars;

    /// <summary>Starts an empty text.</summary>
    /// <param name="tokenizer">What the ids belong to.</param>
    /// <param name="special">What to do with special tokens.</param>
    public StreamingDecoder(Tokenizer tokenizer, SpecialTokenText special = SpecialTokenText.Skip)
    {
        _tokenizer = tokenizer;
        _special = special;
        _bytes = new byte[MaxPending + tokenizer.LongestPiece];
        // A byte gives at most one UTF-16 unit: 4 give two, an ill-formed one gives one U+FFFD.
        _chars = new char[_bytes.Length];
    }

    /// <summary>Bytes held back, 0 to 3: the beginning of a character.</summary>
    public int PendingBytes { get; private set; }

    /// <summary>Adds a token.</summary>
    /// <param name="id">Its id.</param>
    /// <returns>The text that became whole; often empty. Valid until the next call.</returns>
    /// <exception cref="QedException">The id is outside the vocabulary.</exception>
    public ReadOnlySpan<char> Append(int id)
    {
        int count = PendingBytes + _tokenizer.CopyPiece(id, _special, _bytes.AsSpan(PendingBytes));
        int whole = count - Incomplete(_bytes.AsSpan(0, count));
        int chars = Encoding.UTF8.GetChars(_bytes.AsSpan(0, whole), _chars);
        PendingBytes = count - whole;
        _bytes.AsSpan(whole, PendingBytes).CopyTo(_bytes);
        return _chars.AsSpan(0, chars);
    }

    /// <summary>Ends the text: what is held back cannot become whole any more.</summary>
    /// <returns>U+FFFD or nothing. Valid until the next call.</returns>
    public ReadOnlySpan<char> Flush()
    {
        int chars = Encoding.UTF8.GetChars(_bytes.AsSpan(0, PendingBytes), _chars);
        PendingBytes = 0;
        return _chars.AsSpan(0, chars);
    }

    /// <summary>Forgets what is held back, to begin another text.</summary>
    public void Reset() => PendingBytes = 0;

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
