using QedEdge.Memory;
using QedEdge.Quantization;

namespace QedEdge.Kernels.X86;

/// <summary>Matrices with 256-bit vectors.</summary>
/// <typeparam name="TDot">How four products are summed: <see cref="Avx2Dot"/> or <see cref="AvxVnniDot"/>.</typeparam>
internal unsafe class Avx2Kernels<TDot> : VectorKernels<Avx2Float8> where TDot : struct, IInt8Dot
{
    /// <inheritdoc/>
    public override string Name => TDot.Name;

    /// <inheritdoc/>
    protected override void GemmQ4_0(in PackedMatrix w, Activations x, int tokens, int groupBegin, int groupEnd, ref float y, int yStride, NativeView next)
    {
        fixed (float* outputs = &y)
            BlockGemm<Nibbles<TDot>>.Multiply(w, x, tokens, groupBegin, groupEnd, outputs, yStride, next);
    }

    /// <inheritdoc/>
    protected override void GemmQ8_0(in PackedMatrix w, Activations x, int tokens, int groupBegin, int groupEnd, ref float y, int yStride, NativeView next)
    {
        fixed (float* outputs = &y)
            BlockGemm<SignedBytes<TDot>>.Multiply(w, x, tokens, groupBegin, groupEnd, outputs, yStride, next);
    }

    /// <inheritdoc/>
    protected override void GemmIQ4_NL(in PackedMatrix w, Activations x, int tokens, int groupBegin, int groupEnd, ref float y, int yStride, NativeView next)
    {
        fixed (float* outputs = &y)
            BlockGemm<NonlinearNibbles<TDot>>.Multiply(w, x, tokens, groupBegin, groupEnd, outputs, yStride, next);
    }

    /// <inheritdoc/>
    protected override void GemmNonNegative(in PackedMatrix w, Activations x, int tokens, int groupBegin, int groupEnd, ref float y, int yStride, NativeView next)
    {
        fixed (float* outputs = &y)
            BlockGemm<BytesByNonNegative<TDot>>.Multiply(w, x, tokens, groupBegin, groupEnd, outputs, yStride, next);
    }

    /// <inheritdoc/>
    protected override void GemmF32(in PackedMatrix w, Activations x, int tokens, int groupBegin, int groupEnd, ref float y, int yStride, NativeView next)
    {
        fixed (float* outputs = &y)
            FloatGemm<SingleColumn>.Multiply(w, x, tokens, groupBegin, groupEnd, outputs, yStride, next);
    }

    /// <inheritdoc/>
    protected override void GemmF16(in PackedMatrix w, Activations x, int tokens, int groupBegin, int groupEnd, ref float y, int yStride, NativeView next)
    {
        fixed (float* outputs = &y)
            FloatGemm<HalfColumn>.Multiply(w, x, tokens, groupBegin, groupEnd, outputs, yStride, next);
    }
}
