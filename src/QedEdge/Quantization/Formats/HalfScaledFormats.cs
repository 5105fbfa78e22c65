using System.Runtime.InteropServices;

namespace QedEdge.Quantization.Formats;

/// <summary>32 nibbles q, halves d and m: w = d·q + m.</summary>
internal sealed class Q4_1Format() : ImportedFormat(3, 32, 20, 4, BlockScaling.HalfAndMin)
{
    /// <inheritdoc/>
    public override ReadOnlySpan<sbyte> Levels => IntegerLevels.Unsigned(4);

    /// <inheritdoc/>
    protected override void Read(ReadOnlySpan<byte> block, ref PlainBlock to)
    {
        to.D = MemoryMarshal.Read<Half>(block);
        to.M = MemoryMarshal.Read<Half>(block[2..]);
        PlainBits.Nibbles(block[4..], to.Codes);
    }
}

/// <summary>32 quants of five bits, a half d: w = d·(q − 16).</summary>
internal sealed class Q5_0Format() : ImportedFormat(6, 32, 22, 5, BlockScaling.Half)
{
    /// <inheritdoc/>
    public override ReadOnlySpan<sbyte> Levels => IntegerLevels.Signed(5);

    /// <inheritdoc/>
    protected override void Read(ReadOnlySpan<byte> block, ref PlainBlock to)
    {
        to.D = MemoryMarshal.Read<Half>(block);
        PlainBits.Nibbles(block[6..], to.Codes);
        PlainBits.AddFifth(MemoryMarshal.Read<uint>(block[2..]), to.Codes[..32]);
    }
}

/// <summary>32 quants q of five bits, halves d and m: w = d·q + m.</summary>
internal sealed class Q5_1Format() : ImportedFormat(7, 32, 24, 5, BlockScaling.HalfAndMin)
{
    /// <inheritdoc/>
    public override ReadOnlySpan<sbyte> Levels => IntegerLevels.Unsigned(5);

    /// <inheritdoc/>
    protected override void Read(ReadOnlySpan<byte> block, ref PlainBlock to)
    {
        to.D = MemoryMarshal.Read<Half>(block);
        to.M = MemoryMarshal.Read<Half>(block[2..]);
        PlainBits.Nibbles(block[8..], to.Codes);
        PlainBits.AddFifth(MemoryMarshal.Read<uint>(block[4..]), to.Codes[..32]);
    }
}

/// <summary>32 floats of four bits (1 sign, 2 exponent, 1 mantissa) and a power of two 2^(e − 127): levels are twice the floats, d = 2^(e − 128).</summary>
internal sealed class MXFP4Format() : ImportedFormat(39, 32, 17, 4, BlockScaling.Half)
{
    /// <summary>Twice the sixteen floats of four bits.</summary>
    public static ReadOnlySpan<sbyte> Doubled => [0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12];

    /// <inheritdoc/>
    public override ReadOnlySpan<sbyte> Levels => Doubled;

    /// <inheritdoc/>
    /// <remarks>Exact where the power of two is a half, or where all is zero; a scale beyond it becomes infinite or not a number, which is refused when a file is opened.</remarks>
    protected override void Read(ReadOnlySpan<byte> block, ref PlainBlock to)
    {
        PlainBits.Nibbles(block[1..], to.Codes);
        bool zero = !block[1..].ContainsAnyExcept((ReadOnlySpan<byte>)[0, 8, 0x80, 0x88]);
        int exponent = block[0] - 128;
        to.D = zero ? Half.Zero : exponent is >= -24 and <= 15 ? (Half)MathF.ScaleB(1f, exponent) : Half.NaN;
    }
}

/// <summary>64 floats of four bits as in <see cref="MXFP4Format"/>, for each 16 a float of eight bits without a sign.</summary>
internal sealed class NVFP4Format() : ImportedFormat(40, 64, 36, 4, BlockScaling.HalfBlockHalf)
{
    /// <inheritdoc/>
    public override ReadOnlySpan<sbyte> Levels => MXFP4Format.Doubled;

    /// <inheritdoc/>
    protected override void Read(ReadOnlySpan<byte> block, ref PlainBlock to)
    {
        MemoryMarshal.Cast<byte, sbyte>(block[..4]).CopyTo(to.Scales);
        for (int g = 0; g < 4; g++)
            PlainBits.Nibbles(block.Slice(4 + 8 * g, 8), to.Codes[(16 * g)..]);
    }

    /// <summary>Half of a float of eight bits (4 exponent, 3 mantissa), levels being doubled; 0 for 127, which is not a number.</summary>
    public static float Widen(byte bits)
    {
        int exponent = bits >> 3 & 15, mantissa = bits & 7;
        return (bits & 127) == 127 ? 0f : exponent == 0 ? MathF.ScaleB(mantissa, -10) : MathF.ScaleB(8 + mantissa, exponent - 11);
    }
}

/// <summary>128 signs and a half d: w = ±d.</summary>
internal sealed class Q1_0Format() : ImportedFormat(41, 128, 18, 4, BlockScaling.Half)
{
    /// <inheritdoc/>
    public override ReadOnlySpan<sbyte> Levels => IntegerLevels.Signed(4);

    /// <inheritdoc/>
    protected override void Read(ReadOnlySpan<byte> block, ref PlainBlock to)
    {
        to.D = MemoryMarshal.Read<Half>(block);
        for (int i = 0; i < 128; i++)
            to.Codes[i] = (byte)(TQ2_0Format.Middle + 2 * (block[2 + i / 8] >> (i % 8) & 1));
    }
}

/// <summary>64 quants q of two bits and a half d: w = d·(q − 1).</summary>
internal sealed class Q2_0Format() : ImportedFormat(42, 64, 18, 4, BlockScaling.Half)
{
    /// <inheritdoc/>
    public override ReadOnlySpan<sbyte> Levels => IntegerLevels.Signed(4);

    /// <inheritdoc/>
    protected override void Read(ReadOnlySpan<byte> block, ref PlainBlock to)
    {
        to.D = MemoryMarshal.Read<Half>(block);
        for (int i = 0; i < 64; i++)
            to.Codes[i] = (byte)(TQ2_0Format.Middle + (block[2 + i / 4] >> (2 * (i % 4)) & 3));
    }
}

/// <summary>256 digits of three values, five in a byte, and a half d: w = d·(t − 1).</summary>
internal sealed class TQ1_0Format() : ImportedFormat(34, 256, 54, 4, BlockScaling.Half)
{
    /// <inheritdoc/>
    public override ReadOnlySpan<sbyte> Levels => IntegerLevels.Signed(4);

    /// <inheritdoc/>
    protected override void Read(ReadOnlySpan<byte> block, ref PlainBlock to)
    {
        to.D = MemoryMarshal.Read<Half>(block[52..]);
        int at = 0;
        at = Digits(block[..32], 5, to.Codes, at);
        at = Digits(block[32..48], 5, to.Codes, at);
        Digits(block[48..52], 4, to.Codes, at);
    }

    /// <summary>The first digit of all bytes, then the second: digit k of x is the upper part of 3 · (x · 3^k mod 256).</summary>
    private static int Digits(ReadOnlySpan<byte> bytes, int count, Span<byte> codes, int at)
    {
        for (int k = 0, power = 1; k < count; k++, power *= 3)
        {
            foreach (byte x in bytes)
                codes[at++] = (byte)(TQ2_0Format.Middle + ((byte)(x * power) * 3 >> 8));
        }
        return at;
    }
}

/// <summary>256 quants q of two bits and a half d: w = d·(q − 1).</summary>
internal sealed class TQ2_0Format() : ImportedFormat(35, 256, 66, 4, BlockScaling.Half)
{
    /// <summary>The code of −1 where codes are those of <c>Q4_0</c>, whose kernels serve the formats of two bits and less: 8 counts 0.</summary>
    public const int Middle = 7;

    /// <inheritdoc/>
    public override ReadOnlySpan<sbyte> Levels => IntegerLevels.Signed(4);

    /// <inheritdoc/>
    protected override void Read(ReadOnlySpan<byte> block, ref PlainBlock to)
    {
        to.D = MemoryMarshal.Read<Half>(block[64..]);
        PlainBits.Pairs(block[..64], to.Codes);
        PlainBits.Add(Middle, to.Codes[..256]);
    }
}
