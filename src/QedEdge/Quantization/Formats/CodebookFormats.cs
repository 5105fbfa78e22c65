using System.Runtime.InteropServices;

namespace QedEdge.Quantization.Formats;

/// <summary>
/// 256 weights whose magnitudes are entries of a codebook (<see cref="Codebook"/>), eight or four at once, with signs beside them. Packed, a weight is the nibble that
/// stands for its signed level, as in <c>IQ4_XS</c>: one kernel serves all of them, and no codebook is needed once a file is packed.
/// </summary>
/// <param name="type">The type's number in GGUF.</param>
/// <param name="plainBytes">Bytes of 256 weights.</param>
/// <param name="scaling">Whether 32 or 16 weights share a scale.</param>
/// <param name="factor">A power of two that scales are multiplied by besides.</param>
internal abstract class CodebookFormat(uint type, int plainBytes, BlockScaling scaling, float factor) : ImportedFormat(type, 256, plainBytes, 4, scaling)
{
    /// <inheritdoc/>
    public override float Factor => factor;

    /// <summary>Codes of one entry, with the sign of weight j in bit j.</summary>
    protected static void Put(Codebook codebook, int index, int signs, Span<byte> codes)
    {
        ulong entry = codebook.Codes(index) | Codebook.Negative(signs);
        if (codes.Length == 8)
            MemoryMarshal.Write(codes, entry);
        else
            MemoryMarshal.Write(codes, (uint)entry);
    }

    /// <summary>Seven signs, and an eighth that makes the number of minus signs even.</summary>
    protected static int EvenSigns(uint seven)
    {
        int signs = (int)(seven & 127);
        return signs | (System.Numerics.BitOperations.PopCount((uint)signs) & 1) << 7;
    }

    /// <summary>Odd scales 2s + 1 from nibbles, low halves first.</summary>
    protected static void OddScales(ReadOnlySpan<byte> nibbles, Span<sbyte> scales)
    {
        for (int i = 0; i < nibbles.Length; i++)
        {
            scales[2 * i] = (sbyte)(2 * (nibbles[i] & 15) + 1);
            scales[2 * i + 1] = (sbyte)(2 * (nibbles[i] >> 4) + 1);
        }
    }
}

/// <summary>Nibbles as in <c>IQ4_NL</c> in groups of 32 with scales k of six bits, a half d: w = d·(k − 32)·level[q].</summary>
internal sealed class IQ4_XSFormat() : ImportedFormat(23, 256, 136, 4, BlockScaling.Byte)
{
    /// <inheritdoc/>
    public override ReadOnlySpan<sbyte> Levels => NonlinearLevels.Values;

    /// <inheritdoc/>
    protected override void Read(ReadOnlySpan<byte> block, ref PlainBlock to)
    {
        to.D = MemoryMarshal.Read<Half>(block);
        int upper = MemoryMarshal.Read<ushort>(block[2..]);
        for (int g = 0; g < 8; g++)
        {
            to.Scales[g] = (sbyte)((block[4 + g / 2] >> (4 * (g % 2)) & 15 | (upper >> (2 * g) & 3) << 4) - 32);
            PlainBits.Nibbles(block.Slice(8 + 16 * g, 16), to.Codes[(32 * g)..]);
        }
    }
}

/// <summary>Eights of 256 entries, 7 signs each: w = d·(2s + 1)·v / 8.</summary>
internal sealed class IQ2_XXSFormat() : CodebookFormat(16, 66, BlockScaling.Byte, 1 / 8f)
{
    /// <inheritdoc/>
    public override ReadOnlySpan<sbyte> Levels => Codebook.TwoBitLevels;

    /// <inheritdoc/>
    protected override void Read(ReadOnlySpan<byte> block, ref PlainBlock to)
    {
        to.D = MemoryMarshal.Read<Half>(block);
        for (int g = 0; g < 8; g++)
        {
            ReadOnlySpan<byte> group = block.Slice(2 + 8 * g, 8);
            uint word = MemoryMarshal.Read<uint>(group[4..]);
            to.Scales[g] = (sbyte)(2 * (word >> 28) + 1);
            for (int e = 0; e < 4; e++)
                Put(Codebook.IQ2_XXS, group[e], EvenSigns(word >> (7 * e)), to.Codes.Slice(32 * g + 8 * e, 8));
        }
    }
}

/// <summary>Eights of 512 entries, 7 signs each, scales for 16: w = d·(2s + 1)·v / 8.</summary>
internal sealed class IQ2_XSFormat() : CodebookFormat(17, 74, BlockScaling.HalfBlockByte, 1 / 8f)
{
    /// <inheritdoc/>
    public override ReadOnlySpan<sbyte> Levels => Codebook.TwoBitLevels;

    /// <inheritdoc/>
    protected override void Read(ReadOnlySpan<byte> block, ref PlainBlock to)
    {
        to.D = MemoryMarshal.Read<Half>(block);
        OddScales(block.Slice(66, 8), to.Scales);
        ReadOnlySpan<ushort> words = MemoryMarshal.Cast<byte, ushort>(block.Slice(2, 64));
        for (int e = 0; e < 32; e++)
            Put(Codebook.IQ2_XS, words[e] & 511, EvenSigns((uint)words[e] >> 9), to.Codes.Slice(8 * e, 8));
    }
}

/// <summary>Eights of 1,024 entries, 8 signs each, scales for 16: w = d·(2s + 1)·v / 8.</summary>
internal sealed class IQ2_SFormat() : CodebookFormat(22, 82, BlockScaling.HalfBlockByte, 1 / 8f)
{
    /// <inheritdoc/>
    public override ReadOnlySpan<sbyte> Levels => Codebook.TwoBitLevels;

    /// <inheritdoc/>
    protected override void Read(ReadOnlySpan<byte> block, ref PlainBlock to)
    {
        to.D = MemoryMarshal.Read<Half>(block);
        OddScales(block.Slice(74, 8), to.Scales);
        for (int e = 0; e < 32; e++)
            Put(Codebook.IQ2_S, block[2 + e] | (block[66 + e / 4] >> (2 * (e % 4)) & 3) << 8, block[34 + e], to.Codes.Slice(8 * e, 8));
    }
}

/// <summary>Fours of 256 entries, 7 signs for eight: w = d·(2s + 1)·v / 4.</summary>
internal sealed class IQ3_XXSFormat() : CodebookFormat(18, 98, BlockScaling.Byte, 1 / 4f)
{
    /// <inheritdoc/>
    public override ReadOnlySpan<sbyte> Levels => [4, 12, 20, 28, 36, 44, 52, 62, -4, -12, -20, -28, -36, -44, -52, -62];

    /// <inheritdoc/>
    protected override void Read(ReadOnlySpan<byte> block, ref PlainBlock to)
    {
        to.D = MemoryMarshal.Read<Half>(block);
        for (int g = 0; g < 8; g++)
        {
            uint word = MemoryMarshal.Read<uint>(block[(66 + 4 * g)..]);
            to.Scales[g] = (sbyte)(2 * (word >> 28) + 1);
            for (int f = 0; f < 8; f++)
                Put(Codebook.IQ3_XXS, block[2 + 8 * g + f], EvenSigns(word >> (7 * (f / 2))) >> (4 * (f % 2)), to.Codes.Slice(32 * g + 4 * f, 4));
        }
    }
}

/// <summary>Fours of 512 entries, 8 signs for eight: w = d·(2s + 1)·v.</summary>
internal sealed class IQ3_SFormat() : CodebookFormat(21, 110, BlockScaling.Byte, 1f)
{
    /// <inheritdoc/>
    public override ReadOnlySpan<sbyte> Levels => [1, 3, 5, 7, 9, 11, 13, 15, -1, -3, -5, -7, -9, -11, -13, -15];

    /// <inheritdoc/>
    protected override void Read(ReadOnlySpan<byte> block, ref PlainBlock to)
    {
        to.D = MemoryMarshal.Read<Half>(block);
        OddScales(block.Slice(106, 4), to.Scales);
        for (int f = 0; f < 64; f++)
            Put(Codebook.IQ3_S, block[2 + f] | (block[66 + f / 8] >> (f % 8) & 1) << 8, block[74 + f / 2] >> (4 * (f % 2)), to.Codes.Slice(4 * f, 4));
    }
}

/// <summary>Eights of 2,048 entries of −1, 0 and 1, and an eighth to add or subtract: w = d·(2s + 1)·(8v ± 1) / 8.</summary>
internal sealed class IQ1_SFormat() : CodebookFormat(19, 50, BlockScaling.Byte, 1 / 8f)
{
    /// <inheritdoc/>
    public override ReadOnlySpan<sbyte> Levels => Codebook.OneBitLevels;

    /// <inheritdoc/>
    protected override void Read(ReadOnlySpan<byte> block, ref PlainBlock to)
    {
        to.D = MemoryMarshal.Read<Half>(block);
        for (int g = 0; g < 8; g++)
        {
            int word = MemoryMarshal.Read<ushort>(block[(34 + 2 * g)..]);
            to.Scales[g] = (sbyte)(2 * (word >> 12 & 7) + 1);
            for (int e = 0; e < 4; e++)
                Put(Codebook.IQ1, block[2 + 4 * g + e] | (word >> (3 * e) & 7) << 8, (word >> 15) * 255, to.Codes.Slice(32 * g + 8 * e, 8));
        }
    }
}

/// <summary>As <see cref="IQ1_SFormat"/>, scales for 16 and the eighth's sign for eight; d is made of the upper four bits of four words.</summary>
internal sealed class IQ1_MFormat() : CodebookFormat(29, 56, BlockScaling.HalfBlockByte, 1 / 8f)
{
    /// <inheritdoc/>
    public override ReadOnlySpan<sbyte> Levels => Codebook.OneBitLevels;

    /// <inheritdoc/>
    protected override void Read(ReadOnlySpan<byte> block, ref PlainBlock to)
    {
        ReadOnlySpan<ushort> words = MemoryMarshal.Cast<byte, ushort>(block.Slice(48, 8));
        to.D = BitConverter.UInt16BitsToHalf((ushort)(words[0] >> 12 | words[1] >> 12 << 4 | words[2] >> 12 << 8 | words[3] >> 12 << 12));
        for (int g = 0; g < 16; g++)
            to.Scales[g] = (sbyte)(2 * (words[g / 4] >> (3 * (g % 4)) & 7) + 1);
        for (int e = 0; e < 32; e++)
        {
            int half = block[32 + e / 2] >> (4 * (e % 2)) & 15;
            Put(Codebook.IQ1, block[e] | (half & 7) << 8, (half >> 3) * 255, to.Codes.Slice(8 * e, 8));
        }
    }
}
