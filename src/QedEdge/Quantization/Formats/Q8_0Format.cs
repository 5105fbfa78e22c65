using System.Runtime.InteropServices;

namespace QedEdge.Quantization.Formats;

/// <summary>
/// Signed bytes: w[j] = d · q[j]. 34 bytes for 32 columns of a row.
/// <code>
/// | d: half | q0 | q1 | … | q31 |
/// </code>
/// </summary>
internal sealed class Q8_0Format() : ScaledFormat(8, PackedLayout.BlockSize)
{
    private static readonly sbyte[] AllLevels = Range(-127, 127);

    /// <inheritdoc/>
    /// <remarks>Quant i counts i − 127.</remarks>
    public override ReadOnlySpan<sbyte> Levels => AllLevels;

    /// <inheritdoc/>
    protected override void Decode(float d, ReadOnlySpan<byte> quants, Span<float> values)
    {
        for (int j = 0; j < values.Length; j++)
            values[j] = d * (sbyte)quants[j];
    }

    /// <inheritdoc/>
    protected override void Store(ReadOnlySpan<byte> quants, Span<byte> block)
    {
        for (int j = 0; j < block.Length; j++)
            block[j] = (byte)AllLevels[quants[j]];
    }

    /// <inheritdoc/>
    /// <remarks><c>d = max|x| / 127, q = round(x · (1/d))</c>, halves away from zero.</remarks>
    protected override Half Encode(ReadOnlySpan<float> x, Span<byte> block)
    {
        float largest = 0;
        foreach (float value in x)
            largest = MathF.Max(largest, MathF.Abs(value));
        float d = largest / 127f, inverse = Inverse(d);
        for (int j = 0; j < x.Length; j++)
        {
            float scaled = x[j] * inverse;
            int truncated = (int)scaled;
            float rest = scaled - truncated; // exact: |scaled| is below 128
            block[2 + j] = (byte)(truncated + (rest >= 0.5f ? 1 : 0) - (rest <= -0.5f ? 1 : 0));
        }
        var scale = (Half)d;
        MemoryMarshal.Write(block, scale);
        return scale;
    }

    private static sbyte[] Range(int first, int last)
    {
        var levels = new sbyte[last - first + 1];
        for (int i = 0; i < levels.Length; i++)
            levels[i] = (sbyte)(first + i);
        return levels;
    }
}
