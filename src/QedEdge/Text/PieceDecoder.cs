namespace QedEdge.Text;

/// <summary>What bytes of a text a token stands for, and back.</summary>
internal sealed class PieceDecoder(TokenTable tokens, TokenizerRules rules)
{
    private const int ByteTokenLength = 6; // <0x41>

    /// <summary>The length of the longest piece in bytes: no piece is longer than its token's text.</summary>
    public int LongestPiece => tokens.LongestText;

    /// <summary>
    /// Writes the bytes that an id stands for, as Hugging Face's decoders give them: bytes of the alphabet, where all of the text is in it; a space for ▁, a byte for its token;
    /// else the text itself.
    /// </summary>
    /// <param name="id">A valid id.</param>
    /// <param name="destination">At least as long as the id's text.</param>
    /// <returns>The number of bytes written.</returns>
    public int Copy(int id, Span<byte> destination)
    {
        if (tokens.Type(id) == TokenType.Unused)
            return 0;
        using TokenTable.FileHold hold = tokens.Hold();
        ReadOnlySpan<byte> text = tokens.Text(id);
        if (rules.IsByteLevel)
        {
            int written = ByteAlphabet.Decode(text, destination);
            if (written >= 0)
                return written;
            text.CopyTo(destination);
            return text.Length;
        }
        if (rules.HasByteFallback && ByteOf(text) is >= 0 and var value)
        {
            destination[0] = (byte)value;
            return 1;
        }
        int length = 0;
        while (text.IndexOf("▁"u8) is >= 0 and var at)
        {
            text[..at].CopyTo(destination[length..]);
            length += at;
            destination[length++] = (byte)' ';
            text = text[(at + "▁"u8.Length)..];
        }
        text.CopyTo(destination[length..]);
        return length + text.Length;
    }

    /// <summary>The byte that a token of byte fallback stands for, or -1.</summary>
    public int ByteOf(int id)
    {
        using TokenTable.FileHold hold = tokens.Hold();
        return rules.HasByteFallback ? ByteOf(tokens.Text(id)) : -1;
    }

    /// <summary>The byte whose token has this text, or -1.</summary>
    public static int ByteOf(ReadOnlySpan<byte> text) =>
        text.Length == ByteTokenLength && text.StartsWith("<0x"u8) && text[^1] == (byte)'>' && Digit(text[3]) is >= 0 and var high && Digit(text[4]) is >= 0 and var low ? high << 4 | low : -1;

    /// <summary>The bytes that an id stands for.</summary>
    public byte[] Piece(int id)
    {
        using TokenTable.FileHold hold = tokens.Hold();
        var piece = new byte[tokens.Text(id).Length];
        return piece[..Copy(id, piece)];
    }

    /// <summary>The id that stands for exactly these bytes, or -1: the normal token, else the one with this text.</summary>
    public int Find(ReadOnlySpan<byte> bytes)
    {
        using TokenTable.FileHold hold = tokens.Hold();
        int id = tokens.Find(Written(bytes));
        if (id >= 0 && tokens.Type(id) == TokenType.Normal)
            return id;
        id = tokens.Find(bytes);
        if (id >= 0 && tokens.Type(id) != TokenType.Unused && Piece(id).AsSpan().SequenceEqual(bytes))
            return id;
        return rules.HasByteFallback && bytes.Length == 1 ? FindByte(bytes[0]) : -1;
    }

    /// <summary>The token of byte fallback for a byte, or -1.</summary>
    public int FindByte(byte value)
    {
        ReadOnlySpan<byte> digits = "0123456789ABCDEF"u8;
        return tokens.Find([(byte)'<', (byte)'0', (byte)'x', digits[value >> 4], digits[value & 15], (byte)'>']);
    }

    /// <summary>Bytes as the vocabulary writes them.</summary>
    private byte[] Written(ReadOnlySpan<byte> bytes)
    {
        if (rules.IsByteLevel)
        {
            var text = new byte[ByteAlphabet.MaxSymbolBytes * bytes.Length];
            return text[..ByteAlphabet.Encode(bytes, text)];
        }
        using var spaces = new NormalizedText(Normalizer.Spaces, new MarkedText(bytes));
        return spaces.Text.Bytes.ToArray();
    }

    private static int Digit(byte c) => c switch
    {
        >= (byte)'0' and <= (byte)'9' => c - '0',
        >= (byte)'A' and <= (byte)'F' => c - 'A' + 10,
        >= (byte)'a' and <= (byte)'f' => c - 'a' + 10,
        _ => -1,
    };
}
