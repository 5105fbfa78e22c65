using System.Runtime.InteropServices;

namespace QedEdge.Quantization.Formats;

/// <summary>
/// 32 nibbles: w[j] = d · level[q[j]]. 18 bytes for 32 columns of a row. The scale d is negative where the value of largest magnitude is positive, for the levels reach further down than up.
/// <code>
/// | d: half | q16 q0 | q17 q1 | … | q31 q15 |      (high nibble, low nibble)
/// </code>
/// </summary>
/// <param name="type">The type's number in GGUF.</param>
internal abstract class NibbleFormat(uint type) : ScaledFormat(type, Pairs)
{
    /// <summary>Bytes of a block's nibbles; columns from here on are in the upper halves.</summary>
    protected const int Pairs = PackedLayout.BlockSize / 2;

    private const byte Zero = 0x88; // two nibbles of the middle, which padding holds

    /// <inheritdoc/>
    public override bool HasNibbles => true;

    /// <summary>Chooses scale and nibbles together.</summary>
    private ScaleSearch Search => field ??= new(Nearest);

    /// <inheritdoc/>
    protected override void Decode(float d, ReadOnlySpan<byte> quants, Span<float> values)
    {
        ReadOnlySpan<sbyte> levels = Levels;
        for (int j = 0; j < values.Length; j++)
            values[j] = d * levels[Nibble(quants, j)];
    }

    /// <summary>Column <paramref name="j"/> of a block's nibbles.</summary>
    protected static int Nibble(ReadOnlySpan<byte> quants, int j) => j < Pairs ? quants[j] & 15 : quants[j - Pairs] >> 4;

    /// <inheritdoc/>
    protected override void Store(ReadOnlySpan<byte> quants, Span<byte> block)
    {
        for (int j = 0; j < Pairs; j++)
            block[j] = (byte)(quants[j] | quants[j + Pairs] << 4);
    }

    /// <inheritdoc/>
    public override bool EncodeRow(ReadOnlySpan<float> row, Span<byte> plain, QuantizationMethod method = QuantizationMethod.Nearest, ReadOnlySpan<double> importance = default) =>
        method == QuantizationMethod.Search ? EncodeSearched(row, importance, plain) : base.EncodeRow(row, plain);

    private bool EncodeSearched(ReadOnlySpan<float> row, ReadOnlySpan<double> importance, Span<byte> plain)
    {
        const int BlockSize = PackedLayout.BlockSize;
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
            Half scale = Search.Encode(x, weights, quants);
            StoreBlock(plain, b, scale, quants);
            finite &= Half.IsFinite(scale);
        }
        return finite;
    }

    /// <inheritdoc/>
    protected override void Pack(ReadOnlySpan<byte> plain, int rows, int cols, Span<byte> group)
    {
        group[..(int)ScalesOffset(cols)].Fill(Zero);
        base.Pack(plain, rows, cols, group);
    }

    /// <summary>The first value of largest magnitude, with its sign.</summary>
    protected static float Largest(ReadOnlySpan<float> x)
    {
        float signed = 0;
        foreach (float value in x)
        {
            if (MathF.Abs(value) > MathF.Abs(signed))
                signed = value;
        }
        return signed;
    }
}

/// <summary>int4: a nibble q counts q − 8.</summary>
internal sealed class Q4_0Format() : NibbleFormat(2)
{
    /// <inheritdoc/>
    public override ReadOnlySpan<sbyte> Levels => IntegerLevels.Signed(4);

    /// <inheritdoc/>
    /// <remarks><c>d = max / −8, q = min(15, trunc(x · (1/d) + 8.5))</c>; max is the first value of largest magnitude, with its sign.</remarks>
    protected override Half Encode(ReadOnlySpan<float> x, Span<byte> block)
    {
        float d = Largest(x) / -8f, inverse = Inverse(d);
        for (int j = 0; j < Pairs; j++)
        {
            int low = Math.Min(15, (int)((x[j] * inverse) + 8.5f)), high = Math.Min(15, (int)((x[j + Pairs] * inverse) + 8.5f));
            block[2 + j] = (byte)(low | high << 4);
        }
        var scale = (Half)d;
        MemoryMarshal.Write(block, scale);
        return scale;
    }
}

/// <summary>Nonlinear int4: a nibble is an index of <see cref="NonlinearLevels"/>.</summary>
internal sealed class IQ4_NLFormat() : NibbleFormat(20)
{
    /// <inheritdoc/>
    public override ReadOnlySpan<sbyte> Levels => NonlinearLevels.Values;

    /// <inheritdoc/>
    /// <remarks>
    /// <c>d = max / −127</c>, each value to the nearest level; then the d that is best for these levels: Σ x²·x·level / Σ x²·level², as ggml's
    /// <c>quantize_row_iq4_nl_ref</c> weighs them; the weights are taken of x / d, so that none overflows.
    /// </remarks>
    protected override Half Encode(ReadOnlySpan<float> x, Span<byte> block)
    {
        float d = Largest(x) / NonlinearLevels.Values[0], inverse = Inverse(d), product = 0, square = 0;
        Span<byte> quants = block[2..];
        for (int j = 0; j < Pairs; j++)
        {
            int low = NonlinearLevels.Nearest(x[j] * inverse), high = NonlinearLevels.Nearest(x[j + Pairs] * inverse);
            quants[j] = (byte)(low | high << 4);
        }
        for (int j = 0; j < x.Length; j++)
        {
            float level = NonlinearLevels.Values[Nibble(quants, j)], scaled = x[j] * inverse, weight = scaled * scaled;
            product += weight * level * x[j];
            square += weight * level * level;
        }
        var scale = (Half)(square > 0 ? product / square : d);
        MemoryMarshal.Write(block, scale);
        return scale;
    }
}
