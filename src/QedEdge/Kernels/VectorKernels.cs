using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using QedEdge.Quantization;

namespace QedEdge.Kernels;

/// <summary>
/// Everything but the matrices, written once in eight-lane operations. The order of every sum is fixed here, so instruction
/// sets cannot disagree; they only say what carries the lanes.
/// </summary>
/// <typeparam name="V">What carries eight floats.</typeparam>
internal abstract partial class VectorKernels<V> : KernelSet where V : struct, IFloat8<V>
{
    private const int Lanes = 8;

    /// <inheritdoc/>
    public override bool Quantize(Activations x, int token, int cols)
    {
        ref float values = ref MemoryMarshal.GetReference(x.Row(token));
        ref sbyte quants = ref x.Quants.Slice(token * x.Stride, x.Stride)[0];
        Span<float> scales = x.Scales.Slice(token * x.BlockStride, PackedLayout.Blocks(cols));
        Span<int> offsets = x.Offsets.Slice(token * x.BlockStride, scales.Length);
        bool finite = true;
        for (int b = 0; b < scales.Length; b++)
        {
            nint i = b * PackedLayout.BlockSize;
            int sums = QuantizeBlock(V.Load(ref values, i), V.Load(ref values, i + 8), V.Load(ref values, i + 16), V.Load(ref values, i + 24), ref quants, i, out scales[b]);
            offsets[b] = (-8 * sums & 0xFFFF) | (-8 * (sums >> 16) << 16);
            finite &= !float.IsNaN(scales[b]);
        }
        if (x.HalfOffsets is { } halves)
            SumHalves(x.Quants.Slice(token * x.Stride, scales.Length * PackedLayout.BlockSize), halves.Slice(2 * token * x.BlockStride, 2 * scales.Length));
        return finite;
    }

    /// <summary>The offsets of each 16 columns.</summary>
    private static void SumHalves(ReadOnlySpan<sbyte> quants, Span<int> offsets)
    {
        for (int i = 0; i < offsets.Length; i++)
        {
            (Vector128<short> low, Vector128<short> high) = Vector128.Widen(Vector128.Create(quants.Slice(i * 16, 16)));
            Vector128<short> eight = low + high;
            Vector64<short> four = eight.GetLower() + eight.GetUpper();
            offsets[i] = (-8 * (four[0] + four[1]) & 0xFFFF) | (-8 * (four[2] + four[3]) << 16);
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
        float max = V.MagnitudeAcross(V.LargerMagnitude(V.LargerMagnitude(V.Abs(v0), V.Abs(v1)), V.LargerMagnitude(V.Abs(v2), V.Abs(v3))));
        scale = QuantScale(max, out float inverse);
        V factor = V.Broadcast(inverse);
        return V.StoreInt8(V.Multiply(v0, factor), V.Multiply(v1, factor), V.Multiply(v2, factor), V.Multiply(v3, factor), ref quants, i);
    }

    /// <inheritdoc/>
    public override bool IsFinite(ReadOnlySpan<float> x)
    {
        ref float px = ref MemoryMarshal.GetReference(x);
        V most = V.Broadcast(0f);
        for (nint i = 0; i < x.Length; i += Lanes)
            most = V.LargerMagnitude(most, V.Abs(V.Load(ref px, i)));
        return float.IsFinite(V.MagnitudeAcross(most));
    }

    /// <inheritdoc/>
    public override ushort QuantizeRow(ReadOnlySpan<float> x, Span<sbyte> quants)
    {
        ref float px = ref MemoryMarshal.GetReference(x);
        ref sbyte py = ref MemoryMarshal.GetReference(quants[..x.Length]);
        V most = V.Broadcast(0f);
        for (nint i = 0; i < x.Length; i += Lanes)
            most = V.LargerMagnitude(most, V.Abs(V.Load(ref px, i)));
        ushort scale = HalfBits.FromSingle(V.MagnitudeAcross(most) / 127f);
        float d = HalfBits.ToSingle(scale);
        V factor = V.Broadcast(d > 0f ? 1f / d : 0f);
        for (nint i = 0; i < x.Length; i += PackedLayout.BlockSize)
            V.StoreInt8(Scaled(V.Load(ref px, i), factor), Scaled(V.Load(ref px, i + 8), factor), Scaled(V.Load(ref px, i + 16), factor), Scaled(V.Load(ref px, i + 24), factor), ref py, i);
        return scale;
    }

    /// <summary>x · factor, −127..127: a scale that was rounded may be a little too small.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static V Scaled(V x, V factor) => V.Max(V.Broadcast(-127f), V.Min(V.Broadcast(127f), V.Multiply(x, factor)));

    /// <summary>max / 127 and its inverse; 0 and 0 where the inverse would not be finite, NaN and 0 where max is not.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static float QuantScale(float max, out float inverse)
    {
        float scale = max / 127f;
        if (!(scale >= 1e-36f && scale <= float.MaxValue)) // below, 1 / scale may overflow
        {
            inverse = 0f;
            return scale < 1e-36f ? 0f : float.NaN; // infinity too: times a sum of 0 it would be lost in some blocks only
        }
        inverse = 1f / scale;
        return scale;
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
    public override void Multiply(ReadOnlySpan<float> x, Span<float> y)
    {
        ref float px = ref MemoryMarshal.GetReference(x);
        ref float py = ref MemoryMarshal.GetReference(y[..x.Length]);
        for (nint i = 0; i < x.Length; i += Lanes)
            V.Store(V.Multiply(V.Load(ref py, i), V.Load(ref px, i)), ref py, i);
    }

    /// <inheritdoc/>
    public override void ToHalf(ReadOnlySpan<float> x, Span<ushort> y)
    {
        ref float px = ref MemoryMarshal.GetReference(x);
        ref ushort py = ref MemoryMarshal.GetReference(y[..x.Length]);
        for (nint i = 0; i < x.Length; i += Lanes)
            V.StoreHalf(V.Load(ref px, i), ref py, i);
    }
}
