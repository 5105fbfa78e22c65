using QedEdge.Memory;
using QedEdge.Quantization;

namespace QedEdge.Kernels.X86;

/// <summary>
/// Matrices for many tokens with 512-bit vectors. A lone token waits for memory and keeps to 256 bits; so does int8 where AVX-VNNI has a dot product for it
/// (docs/decisions/0004-avx512.md).
/// </summary>
/// <typeparam name="TDot">How four products are summed with 256 bits.</typeparam>
internal sealed unsafe class Avx512Kernels<TDot> : Avx2Kernels<TDot> where TDot : struct, IInt8Dot
{
    /// <inheritdoc/>
    public override string Name => "avx512";

    /// <summary>Whether int8 products are of 16-bit pairs with 256 bits too.</summary>
    private static bool BytesInPairs => typeof(TDot) == typeof(Avx2Dot);

    /// <inheritdoc/>
    protected override void GemmQ4_0(in PackedMatrix w, Activations x, int tokens, int groupBegin, int groupEnd, ref float y, int yStride, NativeView next)
    {
        fixed (float* outputs = &y)
            WideGemm<WideNibbles, Nibbles<TDot>>.Multiply(w, x, tokens, groupBegin, groupEnd, outputs, yStride, next);
    }

    /// <inheritdoc/>
    protected override void GemmQ8_0(in PackedMatrix w, Activations x, int tokens, int groupBegin, int groupEnd, ref float y, int yStride, NativeView next)
    {
        if (!BytesInPairs)
        {
            base.GemmQ8_0(w, x, tokens, groupBegin, groupEnd, ref y, yStride, next);
            return;
        }
        fixed (float* outputs = &y)
            WideGemm<WideBytes, SignedBytes<TDot>>.Multiply(w, x, tokens, groupBegin, groupEnd, outputs, yStride, next);
    }

    /// <inheritdoc/>
    protected override void GemmIQ4_NL(in PackedMatrix w, Activations x, int tokens, int groupBegin, int groupEnd, ref float y, int yStride, NativeView next)
    {
        if (!BytesInPairs)
        {
            base.GemmIQ4_NL(w, x, tokens, groupBegin, groupEnd, ref y, yStride, next);
            return;
        }
        fixed (float* outputs = &y)
            WideGemm<WideNonlinearNibbles, NonlinearNibbles<TDot>>.Multiply(w, x, tokens, groupBegin, groupEnd, outputs, yStride, next);
    }

    /// <inheritdoc/>
    protected override void GemmNonNegative(in PackedMatrix w, Activations x, int tokens, int groupBegin, int groupEnd, ref float y, int yStride, NativeView next)
    {
        if (!BytesInPairs)
        {
            base.GemmNonNegative(w, x, tokens, groupBegin, groupEnd, ref y, yStride, next);
            return;
        }
        fixed (float* outputs = &y)
            WideGemm<WideBytesByNonNegative, BytesByNonNegative<TDot>>.Multiply(w, x, tokens, groupBegin, groupEnd, outputs, yStride, next);
    }
}
