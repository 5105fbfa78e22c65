using QedEdge.Quantization;

namespace QedEdge.Kernels.X86;

/// <summary>Matrices with 256-bit vectors.</summary>
/// <typeparam name="TDot">How four products are summed: <see cref="Avx2Dot"/> or <see cref="AvxVnniDot"/>.</typeparam>
internal unsafe class Avx2Kernels<TDot> : VectorKernels<Avx2Float8> where TDot : struct, IInt8Dot
{
    /// <inheritdoc/>
    public override string Name => TDot.Name;

    /// <inheritdoc/>
    protected override void Multiply(in GemmCall call)
    {
        fixed (float* y = call.Y)
        {
            switch (call.W.Format)
            {
                case BlockFormat.F32: FloatGemm<SingleColumn>.Multiply(call, y); break;
                case BlockFormat.F16: FloatGemm<HalfColumn>.Multiply(call, y); break;
                case BlockFormat.Q8_0 when call.NonNegative: BlockGemm<BytesByNonNegative<TDot>>.Multiply(call, y); break;
                case BlockFormat.Q8_0: BlockGemm<SignedBytes<TDot>>.Multiply(call, y); break;
                case BlockFormat.Q4_0: BlockGemm<Nibbles<TDot>>.Multiply(call, y); break;
                case BlockFormat.IQ4_NL: BlockGemm<NonlinearNibbles<TDot>>.Multiply(call, y); break;
                default: throw new ArgumentOutOfRangeException(nameof(call), call.W.Format, "no kernel for this format");
            }
        }
    }
}
