using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace QedEdge.Quantization;

/// <summary>
/// 32 columns of a row as GGUF stores them in <c>Q8_0</c>: w[j] = d · q[j]. 34 bytes.
/// <code>
/// | d: half | q0 | q1 | … | q31 |
/// </code>
/// </summary>
[StructLayout(LayoutKind.Sequential, Pack = 2)]
internal struct BlockQ8_0
{
    /// <summary>The block's scale d.</summary>
    public Half Scale;

    /// <summary>The 32 signed quants.</summary>
    public Bytes Quants;

    /// <summary>The quants' bytes.</summary>
    [InlineArray(PackedLayout.BlockSize)]
    public struct Bytes
    {
        private sbyte _first;
    }
}
