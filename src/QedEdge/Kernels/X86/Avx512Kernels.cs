using QedEdge.Memory;
using QedEdge.Quantization;

namespace QedEdge.Kernels.X86;

/// <summary>int4 matrices for many tokens with 512-bit vectors; all else keeps to 256 bits (docs/decisions/0004-avx512.md).</summary>
/// <typeparam name="TDot">How four products are summed with 256 bits.</typeparam>
internal unsafe class Avx512Kernels<TDot> : Avx2Kernels<TDot> where TDot : struct, IInt8Dot
{
    /// <inheritdoc/>
    public override string Name => "avx512";

    /// <inheritdoc/>
    protected override void GemmQ4_0(in PackedMatrix w, Activations x, int tokens, int groupBegin, int groupEnd, ref float y, int yStride, NativeView next)
    {
        fixed (float* outputs = &y)
            WideGemm<WideNibbles, Nibbles<TDot>>.Multiply(w, x, tokens, groupBegin, groupEnd, outputs, yStride, next);
    }
}

/// <summary>int8 as well, for processors that have no dot product for it with 256 bits.</summary>
internal sealed unsafe class Avx512Kernels : Avx512Kernels<Avx2Dot>
{
    /// <inheritdoc/>
    protected override void GemmQ8_0(in PackedMatrix w, Activations x, int tokens, int groupBegin, int groupEnd, ref float y, int yStride, NativeView next)
    {
        fixed (float* outputs = &y)
            WideGemm<WideBytes, SignedBytes<Avx2Dot>>.Multiply(w, x, tokens, groupBegin, groupEnd, outputs, yStride, next);
    }

    /// <inheritdoc/>
    protected override void GemmIQ4_NL(in PackedMatrix w, Activations x, int tokens, int groupBegin, int groupEnd, ref float y, int yStride, NativeView next)
    {
        fixed (float* outputs = &y)
            WideGemm<WideNonlinearNibbles, NonlinearNibbles<Avx2Dot>>.Multiply(w, x, tokens, groupBegin, groupEnd, outputs, yStride, next);
    }

    /// <inheritdoc/>
    protected override void GemmNonNegative(in PackedMatrix w, Activations x, int tokens, int groupBegin, int groupEnd, ref float y, int yStride, NativeView next)
    {
        fixed (float* outputs = &y)
            WideGemm<WideBytesByNonNegative, BytesByNonNegative<Avx2Dot>>.Multiply(w, x, tokens, groupBegin, groupEnd, outputs, yStride, next);
    }
}
