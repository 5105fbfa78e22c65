using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace QedEdge.Kernels;

/// <content>Attention: softmax, sums of float values, merging of chunks.</content>
internal abstract partial class VectorKernels<V>
{
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
            most = V.Max(v, most); // passes over what is not a number: exp below does not
        }
        max = V.MaxAcross(most) + 0f; // a zero of either sign becomes +0
        if (float.IsNegativeInfinity(max))
        {
            // Nothing takes part, or nothing that is a number.
            bool lost = false;
            foreach (float score in scores[..count])
                lost |= float.IsNaN(score);
            scores[..padded].Fill(lost ? float.NaN : 0f);
            max = lost ? float.NaN : max;
            return lost ? float.NaN : 0f;
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
    public override void AddWeightedRows(ReadOnlySpan<float> p, int pStride, int queries, int rows, bool halves, ReadOnlySpan<byte> v, int cols, Span<float> sum)
    {
        if (rows == 0 || queries == 0)
            return;
        // The one check before unchecked loops: the last elements exist.
        _ = p[(queries - 1) * pStride + rows - 1];
        _ = sum[queries * cols - 1];
        _ = v[rows * cols * (halves ? 2 : 4) - 1];
        if (halves)
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

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Store4(V s0, V s1, V s2, V s3, ref float y, nint c)
    {
        V.Store(s0, ref y, c);
        V.Store(s1, ref y, c + 8);
        V.Store(s2, ref y, c + 16);
        V.Store(s3, ref y, c + 24);
    }
}
