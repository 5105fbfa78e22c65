using QedEdge.Quantization;

namespace QedEdge.Kernels.X86;

/// <summary>int4 matrices for many tokens with 512-bit vectors; all else keeps to 256 bits (docs/decisions/0004-avx512.md).</summary>
/// <typeparam name="TDot">How four products are summed with 256 bits.</typeparam>
internal unsafe class Avx512Kernels<TDot> : Avx2Kernels<TDot> where TDot : struct, IInt8Dot
{
    /// <inheritdoc/>
    public override string Name => "avx512";

    /// <inheritdoc/>
    protected override void Multiply(in GemmCall call)
    {
        fixed (float* y = call.Y)
        {
            if (call.W.Format == BlockFormat.Q4_0)
                WideGemm<WideNibbles, Nibbles<TDot>>.Multiply(call, y);
            else
                base.Multiply(call);
        }
    }
}

/// <summary>int8 as well, for processors that have no dot product for it with 256 bits.</summary>
internal sealed unsafe class Avx512Kernels : Avx512Kernels<Avx2Dot>
{
    /// <inheritdoc/>
    protected override void Multiply(in GemmCall call)
    {
        fixed (float* y = call.Y)
        {
            switch (call.W.Format)
            {
                case BlockFormat.Q8_0 when call.NonNegative: WideGemm<WideBytesByNonNegative, BytesByNonNegative<Avx2Dot>>.Multiply(call, y); break;
                case BlockFormat.Q8_0: WideGemm<WideBytes, SignedBytes<Avx2Dot>>.Multiply(call, y); break;
                case BlockFormat.IQ4_NL: WideGemm<WideNonlinearNibbles, NonlinearNibbles<Avx2Dot>>.Multiply(call, y); break;
                default: base.Multiply(call); break;
            }
        }
    }
}
