namespace QedEdge.Text;

/// <summary>
/// GPT-2's byte alphabet: each byte is written as one printable character, so that vocabularies are ordinary text. Bytes that are
/// printable in Latin-1 stand for themselves, the other 68 become U+0100 … U+0143 in order.
/// </summary>
internal static class ByteAlphabet
{
    /// <summary>The longest UTF-8 form of a symbol, in bytes.</summary>
    public const int MaxSymbolBytes = 2;

    private const int Symbols = 0x144;
    private const short None = -1;
    private static readonly char[] SymbolOf = new char[256];
    private static readonly short[] ByteOf = new short[Symbols];

    static ByteAlphabet()
    {
        Array.Fill(ByteOf, None);
        char next = '\u0100';
        for (int b = 0; b < 256; b++)
        {
            bool printable = b is (>= 0x21 and <= 0x7E) or (>= 0xA1 and <= 0xAC) or (>= 0xAE and <= 0xFF);
            SymbolOf[b] = printable ? (char)b : next++;
            ByteOf[SymbolOf[b]] = (short)b;
        }
    }

    /// <summary>The character that stands for a byte.</summary>
    public static char Symbol(byte value) => SymbolOf[value];

    /// <summary>Writes bytes as symbols in UTF-8.</summary>
    /// <param name="bytes">Any bytes.</param>
    /// <param name="destination">At least <see cref="MaxSymbolBytes"/> × the number of bytes.</param>
    /// <returns>The number of bytes written.</returns>
    public static int Encode(ReadOnlySpan<byte> bytes, Span<byte> destination)
    {
        int written = 0;
        foreach (byte b in bytes)
        {
            char symbol = SymbolOf[b];
            if (symbol < 0x80)
            {
                destination[written++] = (byte)symbol;
                continue;
            }
            destination[written++] = (byte)(0xC0 | symbol >> 6);
            destination[written++] = (byte)(0x80 | symbol & 0x3F);
        }
        return written;
    }

    /// <summary>Turns symbols in UTF-8 back into bytes.</summary>
    /// <param name="text">Any bytes.</param>
    /// <param name="destination">At least as long as <paramref name="text"/>.</param>
    /// <returns>The number of bytes written, or -1 where the text holds anything that is no symbol.</returns>
    public static int Decode(ReadOnlySpan<byte> text, Span<byte> destination)
    {
        int written = 0;
        for (int i = 0; i < text.Length; i++)
        {
            int symbol = text[i];
            if (symbol >= 0x80)
            {
                // Symbols are at most U+0143: two bytes, the first C2 … C5.
                if (symbol is < 0xC2 or > 0xC5 || ++i == text.Length || (text[i] & 0xC0) != 0x80)
                    return -1;
                symbol = (symbol & 0x1F) << 6 | text[i] & 0x3F;
            }
            if (symbol >= Symbols || ByteOf[symbol] == None)
                return -1;
            destination[written++] = (byte)ByteOf[symbol];
        }
        return written;
    }
}
