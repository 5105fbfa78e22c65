using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using QedEdge.Quantization;

namespace QedEdge.Kernels;

/// <summary>
/// Everything but the matrices, written once in eight-lane operations. The order of every sum is fixed here, so instruction
/// sets cannot disagree; they only say what carries the lanes.
/// </summary>
/// <typeparam name="V">What carries eight floats.</typeparam>
internal abstract class VectorKernels<V> : KernelSet where V : struct, IFloat8<V>
{
    private const int Lanes = 8;

    /// <summary>Where e^x ends, close to the smallest normal number.</summary>
    private const float LeastExponent = -86f;

    /// <inheritdoc/>
    public override void RmsNorm(ReadOnlySpan<float> x, ReadOnlySpan<float> gain, int size, float epsilon, Span<float> y)
    {
        ref float px = ref MemoryMarshal.GetReference(x);
        ref float pg = ref MemoryMarshal.GetReference(gain[..x.Length]);
        ref float py = ref MemoryMarshal.GetReference(y[..x.Length]);
        V sum = V.Broadcast(0f);
        for (nint i = 0; i < x.Length; i += Lanes)
        {
            V v = V.Load(ref px, i);
            sum = V.Fma(v, v, sum);
        }
        V factor = V.Broadcast(1f / MathF.Sqrt(V.Sum(sum) / size + epsilon));
        for (nint i = 0; i < x.Length; i += Lanes)
            V.Store(V.Multiply(V.Multiply(V.Load(ref px, i), factor), V.Load(ref pg, i)), ref py, i);
    }

    /// <inheritdoc/>
    public override void Quantize(Activations x, int token, int cols)
    {
        ref float values = ref MemoryMarshal.GetReference(x.Row(token));
        ref sbyte quants = ref x.Quants.Slice(token * x.Stride, x.Stride)[0];
        Span<float> scales = x.Scales.Slice(token * x.BlockStride, PackedLayout.Blocks(cols));
        Span<int> offsets = x.Offsets.Slice(token * x.BlockStride, scales.Length);
        for (int b = 0; b < scales.Length; b++)
        {
            nint i = b * PackedLayout.BlockSize;
            int sums = QuantizeBlock(V.Load(ref values, i), V.Load(ref values, i + 8), V.Load(ref values, i + 16), V.Load(ref values, i + 24), ref quants, i, out scales[b]);
            offsets[b] = (-8 * sums & 0xFFFF) | (-8 * (sums >> 16) << 16);
        }
    }

    /// <inheritdoc/>
    public override void QuantizeWeighted(ReadOnlySpan<float> x, ReadOnlySpan<ushort> weights, Activations y, int token)
    {
        ref float px = ref MemoryMarshal.GetReference(x);
        ref ushort pw = ref MemoryMarshal.GetReference(weights[..x.Length]);
        ref sbyte quants = ref y.Quants.Slice(token * y.Stride, x.Length)[0];
        Span<float> scales = y.Scales.Slice(token * y.BlockStride, x.Length / PackedLayout.BlockSize);
        for (int b = 0; b < scales.Length; b++)
        {
            nint i = b * PackedLayout.BlockSize;
            V v0 = V.Multiply(V.Load(ref px, i), V.LoadHalf(ref pw, i)), v1 = V.Multiply(V.Load(ref px, i + 8), V.LoadHalf(ref pw, i + 8));
            V v2 = V.Multiply(V.Load(ref px, i + 16), V.LoadHalf(ref pw, i + 16)), v3 = V.Multiply(V.Load(ref px, i + 24), V.LoadHalf(ref pw, i + 24));
            QuantizeBlock(v0, v1, v2, v3, ref quants, i, out scales[b]);
        }
    }

    /// <summary>32 values to quants with a scale; returns the sums of <see cref="IFloat8{TSelf}.StoreInt8"/>.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static int QuantizeBlock(V v0, V v1, V v2, V v3, ref sbyte quants, nint i, out float scale)
    {
        float max = V.MaxAcross(V.Max(V.Max(V.Abs(v0), V.Abs(v1)), V.Max(V.Abs(v2), V.Abs(v3))));
        scale = QuantScale(max, out float inverse);
        V factor = V.Broadcast(inverse);
        return V.StoreInt8(V.Multiply(v0, factor), V.Multiply(v1, factor), V.Multiply(v2, factor), V.Multiply(v3, factor), ref quants, i);
    }

    /// <inheritdoc/>
    public override ushort QuantizeRow(ReadOnlySpan<float> x, Span<sbyte> quants)
    {
        ref float px = ref MemoryMarshal.GetReference(x);
        ref sbyte py = ref MemoryMarshal.GetReference(quants[..x.Length]);
        V most = V.Broadcast(0f);
        for (nint i = 0; i < x.Length; i += Lanes)
            most = V.Max(most, V.Abs(V.Load(ref px, i)));
        ushort scale = HalfBits.FromSingle(V.MaxAcross(most) / 127f);
        float d = HalfBits.ToSingle(scale);
        V factor = V.Broadcast(d > 0f ? 1f / d : 0f);
        for (nint i = 0; i < x.Length; i += PackedLayout.BlockSize)
            V.StoreInt8(Scaled(V.Load(ref px, i), factor), Scaled(V.Load(ref px, i + 8), factor), Scaled(V.Load(ref px, i + 16), factor), Scaled(V.Load(ref px, i + 24), factor), ref py, i);
        return scale;
    }

    /// <summary>x · factor, −127..127: a scale that was rounded may be a little too small.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static V Scaled(V x, V factor) => V.Max(V.Broadcast(-127f), V.Min(V.Broadcast(127f), V.Multiply(x, factor)));

    /// <summary>max / 127 and its inverse; 0 and 0 where the inverse would not be finite.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static float QuantScale(float max, out float inverse)
    {
        float scale = max / 127f;
        if (scale < 1e-36f) // so small that 1 / scale may overflow
        {
            inverse = 0f;
            return 0f;
        }
        inverse = 1f / scale;
        return scale;
    }

    /// <inheritdoc/>
    public override void SwiGlu(ReadOnlySpan<float> gate, ReadOnlySpan<float> up, Span<float> y)
    {
        ref float pg = ref MemoryMarshal.GetReference(gate);
        ref float pu = ref MemoryMarshal.GetReference(up[..gate.Length]);
        ref float py = ref MemoryMarshal.GetReference(y[..gate.Length]);
        V one = V.Broadcast(1f), zero = V.Broadcast(0f);
        for (nint i = 0; i < gate.Length; i += Lanes)
        {
            V g = V.Load(ref pg, i);
            V silu = V.Divide(g, V.Add(one, Exp(V.Subtract(zero, g))));
            V.Store(V.Multiply(silu, V.Load(ref pu, i)), ref py, i);
        }
    }

    /// <inheritdoc/>
    public override void Add(ReadOnlySpan<float> x, Span<float> y)
    {
        ref float px = ref MemoryMarshal.GetReference(x);
        ref float py = ref MemoryMarshal.GetReference(y[..x.Length]);
        for (nint i = 0; i < x.Length; i += Lanes)
            V.Store(V.Add(V.Load(ref py, i), V.Load(ref px, i)), ref py, i);
    }

    /// <inheritdoc/>
    public override void ToHalf(ReadOnlySpan<float> x, Span<ushort> y)
    {
        ref float px = ref MemoryMarshal.GetReference(x);
        ref ushort py = ref MemoryMarshal.GetReference(y[..x.Length]);
        for (nint i = 0; i < x.Length; i += Lanes)
            V.StoreHalf(V.Load(ref px, i), ref py, i);
    }

    /// <inheritdoc/>
    public override float Softmax(Span<float> scores, int count, ReadOnlySpan<byte> mask, float scale, out float max)
    {
        int padded = (count + Lanes - 1) & ~(Lanes - 1);
        ref float s = ref MemoryMarshal.GetReference(scores[..padded]);
        scores[count..padded].Fill(float.NegativeInfinity);
        for (int i = 0; i < mask.Length && i < count; i++)
        {
            if (mask[i] == 0)
                scores[i] = float.NegativeInfinity;
        }

        V factor = V.Broadcast(scale);
        V most = V.Broadcast(float.NegativeInfinity);
        for (nint i = 0; i < padded; i += Lanes)
        {
            V v = V.Multiply(V.Load(ref s, i), factor);
            V.Store(v, ref s, i);
            most = V.Max(most, v);
        }
        max = V.MaxAcross(most);
        if (float.IsNegativeInfinity(max))
        {
            scores[..padded].Clear();
            return 0f;
        }

        V shift = V.Broadcast(max), sum = V.Broadcast(0f), least = V.Broadcast(LeastExponent);
        for (nint i = 0; i < padded; i += Lanes)
        {
            V x = V.Subtract(V.Load(ref s, i), shift);
            V p = V.ZeroWhereLess(Exp(x), x, least);
            V.Store(p, ref s, i);
            sum = V.Add(sum, p);
        }
        return V.Sum(sum);
    }

    /// <inheritdoc/>
    public override void AddWeightedRows(ReadOnlySpan<float> p, int pStride, int queries, int rows, BlockFormat format, ReadOnlySpan<byte> v, int cols, Span<float> sum)
    {
        if (rows == 0 || queries == 0)
            return;
        // The one check before unchecked loops: the last elements exist.
        _ = p[(queries - 1) * pStride + rows - 1];
        _ = sum[queries * cols - 1];
        _ = v[rows * cols * (format == BlockFormat.F16 ? 2 : 4) - 1];
        if (format == BlockFormat.F16)
            AddRows<HalfRows>(ref MemoryMarshal.GetReference(p), pStride, queries, rows, ref MemoryMarshal.GetReference(v), cols, ref MemoryMarshal.GetReference(sum));
        else
            AddRows<SingleRows>(ref MemoryMarshal.GetReference(p), pStride, queries, rows, ref MemoryMarshal.GetReference(v), cols, ref MemoryMarshal.GetReference(sum));
    }

    private static void AddRows<TRows>(ref float p, int pStride, int queries, int rows, ref byte v, int cols, ref float sum) where TRows : struct, IRows
    {
        const int RowsInCache = 64; // passed over once for every 16 columns
        int q = 0;
        for (; q + 4 <= queries; q += 4)
        {
            for (int begin = 0; begin < rows; begin += RowsInCache)
            {
                int count = Math.Min(RowsInCache, rows - begin);
                ref float weights = ref Unsafe.Add(ref p, q * pStride + begin);
                ref byte first = ref Unsafe.Add(ref v, (nint)begin * cols * TRows.ElementBytes);
                for (int c = 0; c < cols; c += 16)
                    AddToFour<TRows>(ref weights, pStride, count, ref first, cols, ref Unsafe.Add(ref sum, q * cols), c);
            }
        }
        for (; q < queries; q++)
        {
            ref float weights = ref Unsafe.Add(ref p, q * pStride);
            ref float total = ref Unsafe.Add(ref sum, q * cols);
            int c = 0;
            for (; c + 64 <= cols; c += 64) // a row of a head of 64 at once: its cache lines are read once
            {
                AddToOne<TRows>(ref weights, rows, ref v, cols, ref total, c);
            }
            if (c < cols)
                AddToOneNarrow<TRows>(ref weights, rows, ref v, cols, ref total, c);
        }
    }

    /// <summary>16 columns from c on, four queries: each value is widened once for all of them.</summary>
    private static void AddToFour<TRows>(ref float p, int pStride, int rows, ref byte v, int cols, ref float sum, int c) where TRows : struct, IRows
    {
        V a0 = V.Load(ref sum, c), a1 = V.Load(ref sum, c + 8), b0 = V.Load(ref sum, cols + c), b1 = V.Load(ref sum, cols + c + 8);
        V c0 = V.Load(ref sum, 2 * cols + c), c1 = V.Load(ref sum, 2 * cols + c + 8), d0 = V.Load(ref sum, 3 * cols + c), d1 = V.Load(ref sum, 3 * cols + c + 8);
        ref float p1 = ref Unsafe.Add(ref p, pStride);
        ref float p2 = ref Unsafe.Add(ref p, 2 * pStride);
        ref float p3 = ref Unsafe.Add(ref p, 3 * pStride);
        nint at = c;
        for (nint i = 0; i < rows; i++, at += cols)
        {
            V v0 = TRows.Load(ref v, at), v1 = TRows.Load(ref v, at + 8);
            V w = V.Broadcast(Unsafe.Add(ref p, i) * TRows.Factor);
            a0 = V.Fma(w, v0, a0);
            a1 = V.Fma(w, v1, a1);
            w = V.Broadcast(Unsafe.Add(ref p1, i) * TRows.Factor);
            b0 = V.Fma(w, v0, b0);
            b1 = V.Fma(w, v1, b1);
            w = V.Broadcast(Unsafe.Add(ref p2, i) * TRows.Factor);
            c0 = V.Fma(w, v0, c0);
            c1 = V.Fma(w, v1, c1);
            w = V.Broadcast(Unsafe.Add(ref p3, i) * TRows.Factor);
            d0 = V.Fma(w, v0, d0);
            d1 = V.Fma(w, v1, d1);
        }
        V.Store(a0, ref sum, c);
        V.Store(a1, ref sum, c + 8);
        V.Store(b0, ref sum, cols + c);
        V.Store(b1, ref sum, cols + c + 8);
        V.Store(c0, ref sum, 2 * cols + c);
        V.Store(c1, ref sum, 2 * cols + c + 8);
        V.Store(d0, ref sum, 3 * cols + c);
        V.Store(d1, ref sum, 3 * cols + c + 8);
    }

    /// <summary>64 columns from c on, one query.</summary>
    private static void AddToOne<TRows>(ref float p, int rows, ref byte v, int cols, ref float sum, int c) where TRows : struct, IRows
    {
        V s0 = V.Load(ref sum, c), s1 = V.Load(ref sum, c + 8), s2 = V.Load(ref sum, c + 16), s3 = V.Load(ref sum, c + 24);
        V s4 = V.Load(ref sum, c + 32), s5 = V.Load(ref sum, c + 40), s6 = V.Load(ref sum, c + 48), s7 = V.Load(ref sum, c + 56);
        nint at = c;
        for (nint i = 0; i < rows; i++, at += cols)
        {
            for (int line = 0; line < 64 * TRows.ElementBytes; line += 64)
                V.Prefetch(ref Unsafe.Add(ref v, at * TRows.ElementBytes + RowsAhead + line));
            V w = V.Broadcast(Unsafe.Add(ref p, i) * TRows.Factor);
            s0 = V.Fma(w, TRows.Load(ref v, at), s0);
            s1 = V.Fma(w, TRows.Load(ref v, at + 8), s1);
            s2 = V.Fma(w, TRows.Load(ref v, at + 16), s2);
            s3 = V.Fma(w, TRows.Load(ref v, at + 24), s3);
            s4 = V.Fma(w, TRows.Load(ref v, at + 32), s4);
            s5 = V.Fma(w, TRows.Load(ref v, at + 40), s5);
            s6 = V.Fma(w, TRows.Load(ref v, at + 48), s6);
            s7 = V.Fma(w, TRows.Load(ref v, at + 56), s7);
        }
        Store4(s0, s1, s2, s3, ref sum, c);
        Store4(s4, s5, s6, s7, ref sum, c + 32);
    }

    /// <summary>32 columns from c on, one query.</summary>
    private static void AddToOneNarrow<TRows>(ref float p, int rows, ref byte v, int cols, ref float sum, int c) where TRows : struct, IRows
    {
        V s0 = V.Load(ref sum, c), s1 = V.Load(ref sum, c + 8), s2 = V.Load(ref sum, c + 16), s3 = V.Load(ref sum, c + 24);
        nint at = c;
        for (nint i = 0; i < rows; i++, at += cols)
        {
            V w = V.Broadcast(Unsafe.Add(ref p, i) * TRows.Factor);
            s0 = V.Fma(w, TRows.Load(ref v, at), s0);
            s1 = V.Fma(w, TRows.Load(ref v, at + 8), s1);
            s2 = V.Fma(w, TRows.Load(ref v, at + 16), s2);
            s3 = V.Fma(w, TRows.Load(ref v, at + 24), s3);
        }
        Store4(s0, s1, s2, s3, ref sum, c);
    }

    /// <summary>How far ahead of its reading a lone query asks for rows, in bytes.</summary>
    private const int RowsAhead = 4096;

    /// <summary>Rows of values: eight columns as floats, short of a factor that goes into the weights.</summary>
    private interface IRows
    {
        static abstract int ElementBytes { get; }

        static abstract float Factor { get; }

        static abstract V Load(ref byte rows, nint element);
    }

    private readonly struct SingleRows : IRows
    {
        public static int ElementBytes => 4;

        public static float Factor => 1f;

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static V Load(ref byte rows, nint element) => V.Load(ref Unsafe.As<byte, float>(ref rows), element);
    }

    /// <summary>The factor 2^112 that a half's bits need goes into the weight: the product, and so the result, is the same to the bit.</summary>
    private readonly struct HalfRows : IRows
    {
        public static int ElementBytes => 2;

        public static float Factor => HalfBits.Rebias;

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static V Load(ref byte rows, nint element) => V.LoadHalfUnscaled(ref Unsafe.As<byte, ushort>(ref rows), element);
    }

    /// <inheritdoc/>
    public override void Merge(ReadOnlySpan<float> x, float xFactor, Span<float> sum, float sumFactor)
    {
        ref float px = ref MemoryMarshal.GetReference(x);
        ref float ps = ref MemoryMarshal.GetReference(sum[..x.Length]);
        V fx = V.Broadcast(xFactor), fs = V.Broadcast(sumFactor);
        for (nint i = 0; i < x.Length; i += Lanes)
            V.Store(V.Fma(V.Load(ref ps, i), fs, V.Multiply(V.Load(ref px, i), fx)), ref ps, i);
    }

    /// <inheritdoc/>
    public override void Divide(Span<float> x, float divisor)
    {
        ref float px = ref MemoryMarshal.GetReference(x);
        V d = V.Broadcast(divisor);
        for (nint i = 0; i < x.Length; i += Lanes)
            V.Store(V.Divide(V.Load(ref px, i), d), ref px, i);
    }

    /// <summary>
    /// e^x for x clamped to −86..88, within 2 ulp: x = n ln 2 + r, Taylor to r⁷ (|r| ≤ ln2/2, so the rest is below 6e-9), times 2^n.
    /// exp(0) is exactly 1.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static V Exp(V x)
    {
        x = V.Max(V.Broadcast(LeastExponent), V.Min(V.Broadcast(88f), x));
        V n = V.Round(V.Multiply(x, V.Broadcast(1.44269504f)));
        V r = V.Fma(n, V.Broadcast(-0.693145751953125f), x); // the leading 15 bits of ln 2: n times it is exact
        r = V.Fma(n, V.Broadcast(-1.42860682e-6f), r);
        V sum = V.Broadcast(1f / 5040f);
        sum = V.Fma(sum, r, V.Broadcast(1f / 720f));
        sum = V.Fma(sum, r, V.Broadcast(1f / 120f));
        sum = V.Fma(sum, r, V.Broadcast(1f / 24f));
        sum = V.Fma(sum, r, V.Broadcast(1f / 6f));
        sum = V.Fma(sum, r, V.Broadcast(0.5f));
        sum = V.Fma(sum, r, V.Broadcast(1f));
        sum = V.Fma(sum, r, V.Broadcast(1f));
        return V.ScaleByPowerOfTwo(sum, n);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Store4(V s0, V s1, V s2, V s3, ref float y, nint c)
    {
        V.Store(s0, ref y, c);
        V.Store(s1, ref y, c + 8);
        V.Store(s2, ref y, c + 16);
        V.Store(s3, ref y, c + 24);
    }
}
