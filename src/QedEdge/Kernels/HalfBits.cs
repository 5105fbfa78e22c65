namespace QedEdge.Kernels;

/// <summary>
/// Half-precision numbers as the kernels see them: 16 bits moved into a float's place and scaled by 2^112. Exact for every finite
/// half; the pattern of infinity reads as 65536, which is why weights are checked for non-finite values before a kernel sees them.
/// </summary>
internal static class HalfBits
{
    /// <summary>2^112: the distance of the exponent biases (127 − 15).</summary>
    public const float Rebias = 5.192296858534828e33f;

    /// <summary>2^−112.</summary>
    public const float Unbias = 1.9259299443872359e-34f;

    /// <summary>The value of a half's bits.</summary>
    public static float ToSingle(ushort half) => Unscaled(half) * Rebias;

    /// <summary>The value of a half's bits times 2^−112.</summary>
    public static float Unscaled(ushort half) => BitConverter.Int32BitsToSingle(((short)half << 13) & unchecked((int)0x8FFF_E000));

    /// <summary>Whether a half's bits are a number: their exponent is not all ones.</summary>
    public static bool IsFinite(ushort half) => (half & 0x7C00) != 0x7C00;

    /// <summary>The nearest half (ties to even); magnitudes of 65520 and more give the pattern 0x7C00.</summary>
    public static ushort FromSingle(float value)
    {
        uint bits = BitConverter.SingleToUInt32Bits(value);
        uint sign = (bits >> 16) & 0x8000;
        float magnitude = BitConverter.UInt32BitsToSingle(bits & 0x7FFF_FFFF);
        uint rounded;
        if (magnitude < 6.103515625e-5f) // 2^-14: subnormal as a half, a multiple of 2^-24, which is the last bit of 0.5
            rounded = BitConverter.SingleToUInt32Bits(magnitude + 0.5f) - 0x3F00_0000;
        else
        {
            uint m = bits & 0x7FFF_FFFF;
            rounded = (m + 0xFFF + ((m >> 13) & 1) - (112u << 23)) >> 13;
            if (rounded > 0x7C00)
                rounded = 0x7C00;
        }
        return (ushort)(sign | rounded);
    }
}
