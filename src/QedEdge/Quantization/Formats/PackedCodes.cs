namespace QedEdge.Quantization.Formats;

/// <summary>
/// Quants of four, five or six bits in a packed block (8 rows, 32 columns): four vectors of 32 nibble pairs as for <c>Q4_0</c>, and behind them the upper bits of
/// each pair, for byte p of the vectors in byte p.
/// <code>
/// 5 bits   32 bytes:      bit j: columns 4j .. 4j + 3 (vector j's lower nibbles), bit 4 + j: columns 16 + 4j .. (its upper nibbles)
/// 6 bits   2 × 32 bytes:  bits 2j, 2j + 1: columns 4j .. in the first 32, columns 16 + 4j .. in the second
/// </code>
/// </summary>
internal static class PackedCodes
{
    private const int Vector = 32, Quad = 4, Vectors = 4, Nibbles = Vector * Vectors, Half = PackedLayout.BlockSize / 2;

    /// <summary>Bytes of a block.</summary>
    public static int Bytes(int bits) => Nibbles + (bits - 4) * Vector;

    /// <summary>Writes a row's 32 codes into a cleared block; its length says how many bits there are.</summary>
    public static void Store(ReadOnlySpan<byte> codes, int row, Span<byte> block)
    {
        int bits = 4 + (block.Length - Nibbles) / Vector;
        for (int i = 0; i < Half; i++)
        {
            int j = i / Quad, p = row * Quad + i % Quad, low = codes[i], high = codes[i + Half];
            block[j * Vector + p] = (byte)(low & 15 | high << 4);
            if (bits == 5)
                block[Nibbles + p] |= (byte)((low >> 4) << j | (high >> 4) << (4 + j));
            else if (bits == 6)
            {
                block[Nibbles + p] |= (byte)((low >> 4) << (2 * j));
                block[Nibbles + Vector + p] |= (byte)((high >> 4) << (2 * j));
            }
        }
    }

    /// <summary>Reads a row's 32 codes.</summary>
    public static void Load(ReadOnlySpan<byte> block, int row, Span<byte> codes)
    {
        int bits = 4 + (block.Length - Nibbles) / Vector;
        for (int i = 0; i < Half; i++)
        {
            int j = i / Quad, p = row * Quad + i % Quad, pair = block[j * Vector + p], low = pair & 15, high = pair >> 4;
            if (bits == 5)
            {
                int upper = block[Nibbles + p] >> j;
                low |= (upper & 1) << 4;
                high |= (upper >> 4 & 1) << 4;
            }
            else if (bits == 6)
            {
                low |= (block[Nibbles + p] >> (2 * j) & 3) << 4;
                high |= (block[Nibbles + Vector + p] >> (2 * j) & 3) << 4;
            }
            codes[i] = (byte)low;
            codes[i + Half] = (byte)high;
        }
    }
}
