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
        int blocks = PackedLayout.Blocks(cols);
        ref float values = ref MemoryMarshal.GetReference(x.Row(token));
        ref sbyte quants = ref x.Quants[token * x.Stride];
        Span<float> scales = x.Scales.Slice(token * x.BlockStride, blocks);
        Span<int> sums = x.Sums.Slice(token * x.BlockStride, blocks);
        for (int b = 0; b < blocks; b++)
        {
            nint i = b * PackedLayout.BlockSize;
            V v0 = V.Load(ref values, i), v1 = V.Load(ref values, i + 8);
            V v2 = V.Load(ref values, i + 16), v3 = V.Load(ref values, i + 24);
            float max = V.MaxAcross(V.Max(V.Max(V.Abs(v0), V.Abs(v1)), V.Max(V.Abs(v2), V.Abs(v3))));
            float scale = QuantScale(max, out float inverse);
            V factor = V.Broadcast(inverse);
            v0 = V.Round(V.Multiply(v0, factor));
            v1 = V.Round(V.Multiply(v1, factor));
            v2 = V.Round(V.Multiply(v2, factor));
            v3 = V.Round(V.Multiply(v3, factor));
            V.StoreInt8(v0, ref quants, i);
            V.StoreInt8(v1, ref quants, i + 8);
            V.StoreInt8(v2, ref quants, i + 16);
            V.StoreInt8(v3, ref quants, i + 24);
            scales[b] = scale;
            // Integers of at most 32 · 127: their float sum is exact in any order.
            sums[b] = (int)V.Sum(V.Add(V.Add(v0, v1), V.Add(v2, v3)));
        }
    }

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
            return 0f;

        V shift = V.Broadcast(max);
        for (nint i = 0; i < padded; i += Lanes)
            V.Store(Exp(V.Subtract(V.Load(ref s, i), shift)), ref s, i);
        scores[count..padded].Clear();
        for (int i = 0; i < mask.Length && i < count; i++)
        {
            if (mask[i] == 0)
                scores[i] = 0f;
        }

        V sum = V.Broadcast(0f);
        for (nint i = 0; i < padded; i += Lanes)
            sum = V.Add(sum, V.Load(ref s, i));
        return V.Sum(sum);
    }

    /// <inheritdoc/>
    public override void AddWeightedRowsF32(ReadOnlySpan<float> p, ReadOnlySpan<float> v, int cols, Span<float> sum)
    {
        ref float rows = ref MemoryMarshal.GetReference(v[..(p.Length * cols)]);
        ref float total = ref MemoryMarshal.GetReference(sum[..cols]);
        for (nint c = 0; c < cols; c += 4 * Lanes)
        {
            V s0 = V.Load(ref total, c), s1 = V.Load(ref total, c + 8), s2 = V.Load(ref total, c + 16), s3 = V.Load(ref total, c + 24);
            for (int i = 0; i < p.Length; i++)
            {
                V weight = V.Broadcast(p[i]);
                nint row = (nint)i * cols + c;
                s0 = V.Fma(weight, V.Load(ref rows, row), s0);
                s1 = V.Fma(weight, V.Load(ref rows, row + 8), s1);
                s2 = V.Fma(weight, V.Load(ref rows, row + 16), s2);
                s3 = V.Fma(weight, V.Load(ref rows, row + 24), s3);
            }
            Store4(s0, s1, s2, s3, ref total, c);
        }
    }

    /// <inheritdoc/>
    public override void AddWeightedRowsF16(ReadOnlySpan<float> p, ReadOnlySpan<ushort> v, int cols, Span<float> sum)
    {
        ref ushort rows = ref MemoryMarshal.GetReference(v[..(p.Length * cols)]);
        ref float total = ref MemoryMarshal.GetReference(sum[..cols]);
        nint c = 0;
        // The factor 2^112 that a half's bits need goes into the weight: the product, and so the result, is the same to the bit.
        for (; c + 8 * Lanes <= cols; c += 8 * Lanes) // a row of a head of 64 at once: its cache lines are read once
        {
            V s0 = V.Load(ref total, c), s1 = V.Load(ref total, c + 8), s2 = V.Load(ref total, c + 16), s3 = V.Load(ref total, c + 24);
            V s4 = V.Load(ref total, c + 32), s5 = V.Load(ref total, c + 40), s6 = V.Load(ref total, c + 48), s7 = V.Load(ref total, c + 56);
            nint row = c;
            for (int i = 0; i < p.Length; i++, row += cols)
            {
                V weight = V.Broadcast(p[i] * HalfBits.Rebias);
                s0 = V.Fma(weight, V.LoadHalfUnscaled(ref rows, row), s0);
                s1 = V.Fma(weight, V.LoadHalfUnscaled(ref rows, row + 8), s1);
                s2 = V.Fma(weight, V.LoadHalfUnscaled(ref rows, row + 16), s2);
                s3 = V.Fma(weight, V.LoadHalfUnscaled(ref rows, row + 24), s3);
                s4 = V.Fma(weight, V.LoadHalfUnscaled(ref rows, row + 32), s4);
                s5 = V.Fma(weight, V.LoadHalfUnscaled(ref rows, row + 40), s5);
                s6 = V.Fma(weight, V.LoadHalfUnscaled(ref rows, row + 48), s6);
                s7 = V.Fma(weight, V.LoadHalfUnscaled(ref rows, row + 56), s7);
            }
            Store4(s0, s1, s2, s3, ref total, c);
            Store4(s4, s5, s6, s7, ref total, c + 32);
        }
        for (; c < cols; c += 4 * Lanes)
        {
            V s0 = V.Load(ref total, c), s1 = V.Load(ref total, c + 8), s2 = V.Load(ref total, c + 16), s3 = V.Load(ref total, c + 24);
            nint row = c;
            for (int i = 0; i < p.Length; i++, row += cols)
            {
                V weight = V.Broadcast(p[i] * HalfBits.Rebias);
                s0 = V.Fma(weight, V.LoadHalfUnscaled(ref rows, row), s0);
                s1 = V.Fma(weight, V.LoadHalfUnscaled(ref rows, row + 8), s1);
                s2 = V.Fma(weight, V.LoadHalfUnscaled(ref rows, row + 16), s2);
                s3 = V.Fma(weight, V.LoadHalfUnscaled(ref rows, row + 24), s3);
            }
            Store4(s0, s1, s2, s3, ref total, c);
        }
    }

    /// <inheritdoc/>
    public override void AddWeightedRowsQ8_0(ReadOnlySpan<float> p, ReadOnlySpan<sbyte> v, ReadOnlySpan<ushort> scales, int cols, Span<float> sum)
    {
        ref sbyte rows = ref MemoryMarshal.GetReference(v[..(p.Length * cols)]);
        ref float total = ref MemoryMarshal.GetReference(sum[..cols]);
        int blocks = cols / PackedLayout.BlockSize;
        for (int b = 0; b < blocks; b++)
        {
            nint c = b * PackedLayout.BlockSize;
            V s0 = V.Load(ref total, c), s1 = V.Load(ref total, c + 8), s2 = V.Load(ref total, c + 16), s3 = V.Load(ref total, c + 24);
            for (int i = 0; i < p.Length; i++)
            {
                V weight = V.Broadcast(p[i] * HalfBits.ToSingle(scales[i * blocks + b]));
                nint row = (nint)i * cols + c;
                s0 = V.Fma(weight, V.LoadInt8(ref rows, row), s0);
                s1 = V.Fma(weight, V.LoadInt8(ref rows, row + 8), s1);
                s2 = V.Fma(weight, V.LoadInt8(ref rows, row + 16), s2);
                s3 = V.Fma(weight, V.LoadInt8(ref rows, row + 24), s3);
            }
            Store4(s0, s1, s2, s3, ref total, c);
        }
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
        x = V.Max(V.Broadcast(-86f), V.Min(V.Broadcast(88f), x));
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
