using System.Runtime.InteropServices;

namespace QedEdge.Quantization;

/// <summary>Conversions between float32 and the 16-bit floats, whole spans at a time, the same on every machine.</summary>
internal static class FloatCodec
{
    /// <summary>Half to float32; exact.</summary>
    /// <param name="source">The halves.</param>
    /// <param name="destination">As many floats.</param>
    public static void FromHalf(ReadOnlySpan<Half> source, Span<float> destination)
    {
        destination = destination[..source.Length];
        for (int i = 0; i < source.Length; i++)
            destination[i] = (float)source[i];
    }

    /// <summary>float32 to half, round to nearest, ties to even; beyond 65,504 (after rounding) it becomes infinite.</summary>
    /// <param name="source">The floats.</param>
    /// <param name="destination">As many halves.</param>
    public static void ToHalf(ReadOnlySpan<float> source, Span<Half> destination)
    {
        destination = destination[..source.Length];
        for (int i = 0; i < source.Length; i++)
            destination[i] = (Half)source[i];
    }

    /// <summary>bfloat16 (the upper 16 bits of a float32) to float32; exact.</summary>
    /// <param name="source">The values' bits.</param>
    /// <param name="destination">As many floats.</param>
    public static void FromBFloat16(ReadOnlySpan<ushort> source, Span<float> destination)
    {
        var bits = MemoryMarshal.Cast<float, uint>(destination)[..source.Length];
        for (int i = 0; i < source.Length; i++)
            bits[i] = (uint)source[i] << 16;
    }

    /// <summary>float32 to bfloat16, round to nearest, ties to even. The values are numbers (no NaN).</summary>
    /// <param name="source">The floats.</param>
    /// <param name="destination">As many values' bits.</param>
    public static void ToBFloat16(ReadOnlySpan<float> source, Span<ushort> destination)
    {
        var bits = MemoryMarshal.Cast<float, uint>(source);
        destination = destination[..source.Length];
        for (int i = 0; i < bits.Length; i++)
            destination[i] = (ushort)((bits[i] + 0x7FFF + ((bits[i] >> 16) & 1)) >> 16);
    }
}
