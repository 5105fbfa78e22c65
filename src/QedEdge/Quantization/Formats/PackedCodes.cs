using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

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
    private const int Vector = 32, Quad = 4, Vectors = 4, Nibbles = Vector * Vectors, Half = PackedLayout.BlockSize / 2, Rows = PackedLayout.GroupRows;

    /// <summary>Bytes of a block.</summary>
    public static int Bytes(int bits) => Nibbles + (bits - 4) * Vector;

    /// <summary>Writes a row's 32 codes into its places of a block, whose length says how many bits there are.</summary>
    public static void Store(ReadOnlySpan<byte> codes, int row, Span<byte> block)
    {
        Span<uint> quads = MemoryMarshal.Cast<byte, uint>(block);
        Vector128<byte> low = Vector128.Create(codes[..Half]), high = Vector128.Create(codes.Slice(Half, Half));
        Vector128<uint> pairs = (low & Vector128.Create((byte)15) | high << 4).AsUInt32();
        for (int j = 0; j < Vectors; j++)
            quads[j * Rows + row] = pairs[j];
        Vector128<uint> l = (low >>> 4).AsUInt32(), h = (high >>> 4).AsUInt32(); // bytes of one bit or two, which no shift moves into the next
        if (quads.Length == 5 * Rows)
            quads[4 * Rows + row] = l[0] | l[1] << 1 | l[2] << 2 | l[3] << 3 | h[0] << 4 | h[1] << 5 | h[2] << 6 | h[3] << 7;
        else if (quads.Length == 6 * Rows)
        {
            quads[4 * Rows + row] = l[0] | l[1] << 2 | l[2] << 4 | l[3] << 6;
            quads[5 * Rows + row] = h[0] | h[1] << 2 | h[2] << 4 | h[3] << 6;
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
