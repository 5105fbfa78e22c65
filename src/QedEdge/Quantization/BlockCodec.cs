using System.Runtime.InteropServices;

namespace QedEdge.Quantization;

/// <summary>
/// Rows of float32 to plain GGUF rows and back. The block formats are byte for byte what ggml's reference quantizers define
/// (<c>quantize_row_q8_0_ref</c>, <c>quantize_row_q4_0_ref</c>): single operations in float32, none of them fused, no libm. So the
/// same row gives the same bytes on every machine. A width that is no multiple of 32 is zero-padded to whole blocks.
/// </summary>
internal static class BlockCodec
{
    private const int BlockSize = PackedLayout.BlockSize;

    /// <summary>Bytes of a plain row of <paramref name="cols"/> values.</summary>
    public static long RowBytes(BlockFormat format, int cols) => format switch
    {
        BlockFormat.F32 => cols * 4L,
        BlockFormat.F16 => cols * 2L,
        BlockFormat.Q8_0 => PackedLayout.Blocks(cols) * 34L,
        BlockFormat.Q4_0 => PackedLayout.Blocks(cols) * 18L,
        _ => throw new ArgumentOutOfRangeException(nameof(format)),
    };

    /// <summary>Encodes a row.</summary>
    /// <param name="format">The format to encode into.</param>
    /// <param name="row">The finite values, [cols].</param>
    /// <param name="plain">Takes <see cref="RowBytes"/> bytes.</param>
    /// <returns>False where a value or a block's scale is beyond the range of half precision and was stored as infinite.</returns>
    public static bool EncodeRow(BlockFormat format, ReadOnlySpan<float> row, Span<byte> plain)
    {
        switch (format)
        {
            case BlockFormat.F32:
                MemoryMarshal.AsBytes(row).CopyTo(plain);
                return true;
            case BlockFormat.F16:
                var halves = MemoryMarshal.Cast<byte, Half>(plain)[..row.Length];
                FloatCodec.ToHalf(row, halves);
                return AllFinite(halves);
            case BlockFormat.Q8_0:
                return EncodeBlocks(row, MemoryMarshal.Cast<byte, BlockQ8_0>(plain), Encode);
            case BlockFormat.Q4_0:
                return EncodeBlocks(row, MemoryMarshal.Cast<byte, BlockQ4_0>(plain), Encode);
            default:
                throw new ArgumentOutOfRangeException(nameof(format));
        }
    }

    /// <summary>Decodes a row.</summary>
    /// <param name="format">The format of <paramref name="plain"/>.</param>
    /// <param name="plain">A plain row of as many columns as <paramref name="row"/> has.</param>
    /// <param name="row">Takes the values, [cols].</param>
    public static void DecodeRow(BlockFormat format, ReadOnlySpan<byte> plain, Span<float> row)
    {
        switch (format)
        {
            case BlockFormat.F32:
                MemoryMarshal.Cast<byte, float>(plain)[..row.Length].CopyTo(row);
                break;
            case BlockFormat.F16:
                FloatCodec.FromHalf(MemoryMarshal.Cast<byte, Half>(plain)[..row.Length], row);
                break;
            case BlockFormat.Q8_0:
                DecodeQ8_0(MemoryMarshal.Cast<byte, BlockQ8_0>(plain), row);
                break;
            case BlockFormat.Q4_0:
                DecodeQ4_0(MemoryMarshal.Cast<byte, BlockQ4_0>(plain), row);
                break;
            default:
                throw new ArgumentOutOfRangeException(nameof(format));
        }
    }

    private static void DecodeQ8_0(ReadOnlySpan<BlockQ8_0> blocks, Span<float> row)
    {
        for (int b = 0; b * BlockSize < row.Length; b++)
        {
            ref readonly var block = ref blocks[b];
            var part = row[(b * BlockSize)..Math.Min(row.Length, (b + 1) * BlockSize)];
            float d = (float)block.Scale;
            for (int j = 0; j < part.Length; j++)
                part[j] = d * block.Quants[j];
        }
    }

    private static void DecodeQ4_0(ReadOnlySpan<BlockQ4_0> blocks, Span<float> row)
    {
        for (int b = 0; b * BlockSize < row.Length; b++)
        {
            ref readonly var block = ref blocks[b];
            var part = row[(b * BlockSize)..Math.Min(row.Length, (b + 1) * BlockSize)];
            float d = (float)block.Scale;
            for (int j = 0; j < part.Length; j++)
            {
                int nibble = j < BlockSize / 2 ? block.Quants[j] & 15 : block.Quants[j - (BlockSize / 2)] >> 4;
                part[j] = d * (nibble - 8);
            }
        }
    }

    private delegate Half BlockEncoder<TBlock>(ReadOnlySpan<float> values, ref TBlock block);

    private static bool EncodeBlocks<TBlock>(ReadOnlySpan<float> row, Span<TBlock> blocks, BlockEncoder<TBlock> encode)
        where TBlock : struct
    {
        bool finite = true;
        int whole = row.Length / BlockSize;
        for (int b = 0; b < whole; b++)
            finite &= Half.IsFinite(encode(row.Slice(b * BlockSize, BlockSize), ref blocks[b]));
        if (row.Length % BlockSize != 0)
        {
            Span<float> padded = stackalloc float[BlockSize];
            padded.Clear();
            row[(whole * BlockSize)..].CopyTo(padded);
            finite &= Half.IsFinite(encode(padded, ref blocks[whole]));
        }
        return finite;
    }

    /// <summary><c>d = max|x| / 127, q = round(x · (1/d))</c>, halves away from zero.</summary>
    private static Half Encode(ReadOnlySpan<float> x, ref BlockQ8_0 block)
    {
        float largest = 0;
        foreach (float value in x)
            largest = MathF.Max(largest, MathF.Abs(value));
        float d = largest / 127f;
        float inverse = Inverse(d);
        for (int j = 0; j < BlockSize; j++)
        {
            float scaled = x[j] * inverse;
            int truncated = (int)scaled;
            float rest = scaled - truncated; // exact: |scaled| is below 128
            block.Quants[j] = (sbyte)(truncated + (rest >= 0.5f ? 1 : 0) - (rest <= -0.5f ? 1 : 0));
        }
        return block.Scale = (Half)d;
    }

    /// <summary><c>d = max / −8, q = min(15, trunc(x · (1/d) + 8.5))</c>; max is the first value of largest magnitude, with its sign.</summary>
    private static Half Encode(ReadOnlySpan<float> x, ref BlockQ4_0 block)
    {
        float largest = 0, signed = 0;
        foreach (float value in x)
        {
            if (MathF.Abs(value) > largest)
            {
                largest = MathF.Abs(value);
                signed = value;
            }
        }
        float d = signed / -8f;
        float inverse = Inverse(d);
        for (int j = 0; j < BlockSize / 2; j++)
        {
            int low = Math.Min(15, (int)((x[j] * inverse) + 8.5f));
            int high = Math.Min(15, (int)((x[j + (BlockSize / 2)] * inverse) + 8.5f));
            block.Quants[j] = (byte)(low | (high << 4));
        }
        return block.Scale = (Half)d;
    }

    /// <summary>
    /// 1/d, or 0 for a block of zeros. Below 2^-128 the quotient is infinite, which the reference then converts to an integer,
    /// undefined in C; such a block's scale is 0 in half precision whatever its quants are, so it is taken as zeros.
    /// </summary>
    private static float Inverse(float d)
    {
        float inverse = d != 0 ? 1f / d : 0f;
        return float.IsInfinity(inverse) ? 0f : inverse;
    }

    private static bool AllFinite(ReadOnlySpan<Half> values)
    {
        foreach (var value in values)
        {
            if (!Half.IsFinite(value))
                return false;
        }
        return true;
    }
}
