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
                case BlockFormat.Q8_0 when call.NonNegative: BlockGemm<BytesByNonNegative<TDot>, HalfScales>.Multiply(call, y); break;
                case BlockFormat.Q8_0: BlockGemm<SignedBytes<TDot>, HalfScales>.Multiply(call, y); break;
                case BlockFormat.BF16: FloatGemm<BrainColumn>.Multiply(call, y); break;
                case BlockFormat.Q4_0 or BlockFormat.TQ1_0 or BlockFormat.TQ2_0 or BlockFormat.Q1_0 or BlockFormat.Q2_0: BlockGemm<Nibbles<TDot>, HalfScales>.Multiply(call, y); break;
                case BlockFormat.IQ4_NL: BlockGemm<NonlinearNibbles<TDot>, HalfScales>.Multiply(call, y); break;
                case BlockFormat.Q4_1: BlockGemm<Nibbles<TDot>, HalfScalesAndMins>.Multiply(call, y); break;
                case BlockFormat.Q5_0: BlockGemm<Fives<TDot>, HalfScales>.Multiply(call, y); break;
                case BlockFormat.Q5_1: BlockGemm<Fives<TDot>, HalfScalesAndMins>.Multiply(call, y); break;
                case BlockFormat.Q2_K: BlockGemm<Nibbles<TDot>, HalfBlockScalesAndMins>.Multiply(call, y); break;
                case BlockFormat.Q3_K: BlockGemm<Nibbles<TDot>, HalfBlockScales>.Multiply(call, y); break;
                case BlockFormat.Q4_K: BlockGemm<Nibbles<TDot>, ByteScalesAndMins>.Multiply(call, y); break;
                case BlockFormat.Q5_K: BlockGemm<Fives<TDot>, ByteScalesAndMins>.Multiply(call, y); break;
                case BlockFormat.Q6_K: BlockGemm<Sixes<TDot>, HalfBlockScales>.Multiply(call, y); break;
                case BlockFormat.MXFP4: BlockGemm<TableNibbles<TDot>, HalfScales>.Multiply(call, y); break;
                case BlockFormat.IQ4_XS or BlockFormat.IQ1_S or BlockFormat.IQ2_XXS or BlockFormat.IQ3_XXS or BlockFormat.IQ3_S: BlockGemm<TableNibbles<TDot>, ByteScales>.Multiply(call, y); break;
                case BlockFormat.IQ1_M or BlockFormat.IQ2_XS or BlockFormat.IQ2_S: BlockGemm<TableNibbles<TDot>, HalfBlockScales>.Multiply(call, y); break;
                case BlockFormat.NVFP4: BlockGemm<TableNibbles<TDot>, HalfBlockHalves>.Multiply(call, y); break;
                default: throw new ArgumentOutOfRangeException(nameof(call), call.W.Format, "no kernel for this format");
            }
        }
    }
}
