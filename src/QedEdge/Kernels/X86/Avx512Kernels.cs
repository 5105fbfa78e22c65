using QedEdge.Quantization;

namespace QedEdge.Kernels.X86;

/// <summary>Quantized matrices by several tokens with 512-bit vectors; floats and a lone token keep to 256 bits (docs/decisions/0004-avx512.md).</summary>
/// <typeparam name="TDot">How four products are summed.</typeparam>
internal sealed unsafe class Avx512Kernels<TDot> : Avx2Kernels<Avx2Dot> where TDot : struct, IWideDot
{
    /// <inheritdoc/>
    public override string Name => "avx512";

    /// <inheritdoc/>
    protected override void Multiply(in GemmCall call)
    {
        if (call.Tokens == 1)
        {
            base.Multiply(call);
            return;
        }
        fixed (float* y = call.Y)
        {
            switch (call.W.Format)
            {
                case BlockFormat.Q8_0 when call.NonNegative: WideGemm<WideBytesByNonNegative<TDot>, HalfScales>.Multiply(call, y); break;
                case BlockFormat.Q8_0: WideGemm<WideBytes<TDot>, HalfScales>.Multiply(call, y); break;
                case BlockFormat.Q4_0 or BlockFormat.TQ1_0 or BlockFormat.TQ2_0 or BlockFormat.Q1_0 or BlockFormat.Q2_0: WideGemm<WideNibbles<TDot>, HalfScales>.Multiply(call, y); break;
                case BlockFormat.Q4_1: WideGemm<WideNibbles<TDot>, HalfScalesAndMins>.Multiply(call, y); break;
                case BlockFormat.Q5_0: WideGemm<WideFives<TDot>, HalfScales>.Multiply(call, y); break;
                case BlockFormat.Q5_1: WideGemm<WideFives<TDot>, HalfScalesAndMins>.Multiply(call, y); break;
                case BlockFormat.Q2_K: WideGemm<WideNibbles<TDot>, HalfBlockScalesAndMins>.Multiply(call, y); break;
                case BlockFormat.Q3_K: WideGemm<WideNibbles<TDot>, HalfBlockScales>.Multiply(call, y); break;
                case BlockFormat.Q4_K: WideGemm<WideNibbles<TDot>, ByteScalesAndMins>.Multiply(call, y); break;
                case BlockFormat.Q5_K: WideGemm<WideFives<TDot>, ByteScalesAndMins>.Multiply(call, y); break;
                case BlockFormat.Q6_K: WideGemm<WideSixes<TDot>, HalfBlockScales>.Multiply(call, y); break;
                case BlockFormat.IQ4_NL or BlockFormat.MXFP4: WideGemm<WideTableNibbles<TDot>, HalfScales>.Multiply(call, y); break;
                case BlockFormat.IQ4_XS or BlockFormat.IQ1_S or BlockFormat.IQ2_XXS or BlockFormat.IQ3_XXS or BlockFormat.IQ3_S: WideGemm<WideTableNibbles<TDot>, ByteScales>.Multiply(call, y); break;
                case BlockFormat.IQ1_M or BlockFormat.IQ2_XS or BlockFormat.IQ2_S: WideGemm<WideTableNibbles<TDot>, HalfBlockScales>.Multiply(call, y); break;
                case BlockFormat.NVFP4: WideGemm<WideTableNibbles<TDot>, HalfBlockHalves>.Multiply(call, y); break;
                default: base.Multiply(call); break;
            }
        }
    }
}
