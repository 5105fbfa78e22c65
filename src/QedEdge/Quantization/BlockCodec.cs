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
        BlockFormat.Q4_0 or BlockFormat.IQ4_NL => PackedLayout.Blocks(cols) * 18L,
        _ => throw new ArgumentOutOfRangeException(nameof(format)),
    };

    /// <summary>Encodes a row.</summary>
    /// <param name="format">The format to encode into.</param>
    /// <param name="row">The finite values, [cols].</param>
    /// <param name="plain">Takes <see cref="RowBytes"/> bytes.</param>
    /// <param name="method">How nibbles are chosen.</param>
    /// <param name="importance">The weight of each column's squared error [cols] where the method is a search, or empty: all alike.</param>
    /// <returns>False where a value or a block's scale is beyond the range of half precision and was stored as infinite.</returns>
    public static bool EncodeRow(BlockFormat format, ReadOnlySpan<float> row, Span<byte> plain, QuantizationMethod method = QuantizationMethod.Nearest,
        ReadOnlySpan<double> importance = default)
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
            case BlockFormat.Q4_0 or BlockFormat.IQ4_NL when method == QuantizationMethod.Search:
                return EncodeSearched(row, importance, MemoryMarshal.Cast<byte, BlockNibbles>(plain), format == BlockFormat.Q4_0 ? ScaleSearch.Linear : ScaleSearch.Nonlinear);
            case BlockFormat.Q4_0:
                return EncodeBlocks(row, MemoryMarshal.Cast<byte, BlockNibbles>(plain), EncodeLinear);
            case BlockFormat.IQ4_NL:
                return EncodeBlocks(row, MemoryMarshal.Cast<byte, BlockNibbles>(plain), EncodeNonlinear);
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
            case BlockFormat.Q4_0 or BlockFormat.IQ4_NL:
                DecodeNibbles(MemoryMarshal.Cast<byte, BlockNibbles>(plain), Levels(format), row);
                break;
            default:
                throw new ArgumentOutOfRangeException(nameof(format));
        }
    }

    /// <summary>What a nibble counts in a format of nibbles.</summary>
    public static ReadOnlySpan<sbyte> Levels(BlockFormat format) =>
        format == BlockFormat.IQ4_NL ? NonlinearLevels.Values : [-8, -7, -6, -5, -4, -3, -2, -1, 0, 1, 2, 3, 4, 5, 6, 7];

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

    private static void DecodeNibbles(ReadOnlySpan<BlockNibbles> blocks, ReadOnlySpan<sbyte> levels, Span<float> row)
    {
        for (int b = 0; b * BlockSize < row.Length; b++)
        {
            ref readonly var block = ref blocks[b];
            var part = row[(b * BlockSize)..Math.Min(row.Length, (b + 1) * BlockSize)];
            float d = (float)block.Scale;
            for (int j = 0; j < part.Length; j++)
            {
                int nibble = j < BlockSize / 2 ? block.Quants[j] & 15 : block.Quants[j - (BlockSize / 2)] >> 4;
                part[j] = d * levels[nibble];
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
    private static Half EncodeLinear(ReadOnlySpan<float> x, ref BlockNibbles block)
    {
        float d = Largest(x) / -8f;
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
    /// <c>d = max / −127</c>, each value to the nearest level; then the d that is best for these levels: Σ x²·x·level / Σ x²·level², as ggml's
    /// <c>quantize_row_iq4_nl_ref</c> weighs them; the weights are taken of x / d, so that none overflows.
    /// </summary>
    private static Half EncodeNonlinear(ReadOnlySpan<float> x, ref BlockNibbles block)
    {
        float d = Largest(x) / NonlinearLevels.Values[0];
        float inverse = Inverse(d);
        float product = 0, square = 0;
        for (int j = 0; j < BlockSize / 2; j++)
        {
            int low = NonlinearLevels.Nearest(x[j] * inverse), high = NonlinearLevels.Nearest(x[j + (BlockSize / 2)] * inverse);
            block.Quants[j] = (byte)(low | (high << 4));
        }
        for (int j = 0; j < BlockSize; j++)
        {
            int nibble = j < BlockSize / 2 ? block.Quants[j] & 15 : block.Quants[j - (BlockSize / 2)] >> 4;
            float level = NonlinearLevels.Values[nibble], scaled = x[j] * inverse, weight = scaled * scaled;
            product += weight * level * x[j];
            square += weight * level * level;
        }
        return block.Scale = (Half)(square > 0 ? product / square : d);
    }

    private static bool EncodeSearched(ReadOnlySpan<float> row, ReadOnlySpan<double> importance, Span<BlockNibbles> blocks, ScaleSearch search)
    {
        bool finite = true;
        Span<float> x = stackalloc float[BlockSize];
        Span<double> weights = stackalloc double[importance.IsEmpty ? 0 : BlockSize];
        Span<byte> quants = stackalloc byte[BlockSize];
        for (int b = 0; b * BlockSize < row.Length; b++)
        {
            int begin = b * BlockSize, count = Math.Min(BlockSize, row.Length - begin);
            row.Slice(begin, count).CopyTo(x);
            x[count..].Clear();
            if (!importance.IsEmpty)
            {
                importance.Slice(begin, count).CopyTo(weights);
                weights[count..].Clear();
            }
            Half scale = search.Encode(x, weights, quants);
            Store(ref blocks[b], scale, quants);
            finite &= Half.IsFinite(scale);
        }
        return finite;
    }

    /// <summary>Writes a block whose scale and quants were chosen elsewhere.</summary>
    /// <param name="format">Q8_0, Q4_0 or IQ4_NL.</param>
    /// <param name="plain">The row.</param>
    /// <param name="index">Which of its blocks.</param>
    /// <param name="scale">The scale.</param>
    /// <param name="quants">The quants as indices into <see cref="LevelTable.Levels"/> [32].</param>
    public static void StoreBlock(BlockFormat format, Span<byte> plain, int index, Half scale, ReadOnlySpan<byte> quants)
    {
        if (format != BlockFormat.Q8_0)
        {
            Store(ref MemoryMarshal.Cast<byte, BlockNibbles>(plain)[index], scale, quants);
            return;
        }
        ref BlockQ8_0 block = ref MemoryMarshal.Cast<byte, BlockQ8_0>(plain)[index];
        block.Scale = scale;
        for (int j = 0; j < BlockSize; j++)
            block.Quants[j] = LevelTable.Bytes.Levels[quants[j]];
    }

    private static void Store(ref BlockNibbles block, Half scale, ReadOnlySpan<byte> quants)
    {
        block.Scale = scale;
        for (int j = 0; j < BlockSize / 2; j++)
            block.Quants[j] = (byte)(quants[j] | (quants[j + (BlockSize / 2)] << 4));
    }

    /// <summary>The first value of largest magnitude, with its sign.</summary>
    private static float Largest(ReadOnlySpan<float> x)
    {
        float signed = 0;
        foreach (float value in x)
        {
            if (MathF.Abs(value) > MathF.Abs(signed))
                signed = value;
        }
        return signed;
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
