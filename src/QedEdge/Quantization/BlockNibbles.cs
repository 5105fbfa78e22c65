using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace QedEdge.Quantization;

/// <summary>
/// 32 columns of a row as GGUF stores them in <c>Q4_0</c>, w[j] = d · (q[j] − 8), and in <c>IQ4_NL</c>, w[j] = d · <see cref="NonlinearLevels"/>[q[j]]; q in 0..15. 18 bytes.
/// <code>
/// | d: half | q16 q0 | q17 q1 | … | q31 q15 |      (high nibble, low nibble)
/// </code>
/// </summary>
[StructLayout(LayoutKind.Sequential, Pack = 2)]
internal struct BlockNibbles
{
    /// <summary>The block's scale d; negative where the value of largest magnitude is positive, for the levels reach further down than up.</summary>
    public Half Scale;

    /// <summary>The 32 nibbles: byte j holds column j in its low and column j + 16 in its high half.</summary>
    public Bytes Quants;

    /// <summary>The nibbles' bytes.</summary>
    [InlineArray(PackedLayout.BlockSize / 2)]
    public struct Bytes
    {
        private byte _first;
    }
}
