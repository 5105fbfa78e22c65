using System.Runtime.InteropServices;

namespace QedEdge.Quantization.Formats;

/// <summary>256 nibbles q in groups of 32 with scales k and mins n of six bits, halves d and e: w = d·k·q − e·n.</summary>
internal sealed class Q4_KFormat() : ImportedFormat(12, 256, 144, 4, BlockScaling.ByteAndMin)
{
    /// <inheritdoc/>
    public override ReadOnlySpan<sbyte> Levels => IntegerLevels.Unsigned(4);

    /// <inheritdoc/>
    protected override void Read(ReadOnlySpan<byte> block, ref PlainBlock to)
    {
        ReadNumbers(block, ref to);
        for (int pair = 0; pair < 4; pair++)
            PlainBits.Nibbles(block.Slice(16 + 32 * pair, 32), to.Codes[(64 * pair)..]);
    }

    /// <summary>d, e, and the twelve bytes of eight scales and eight mins.</summary>
    public static void ReadNumbers(ReadOnlySpan<byte> block, ref PlainBlock to)
    {
        to.D = MemoryMarshal.Read<Half>(block);
        to.M = MemoryMarshal.Read<Half>(block[2..]);
        ReadOnlySpan<byte> s = block.Slice(4, 12);
        for (int g = 0; g < 4; g++)
        {
            to.Scales[g] = (sbyte)(s[g] & 63);
            to.Mins[g] = (byte)(s[g + 4] & 63);
            to.Scales[g + 4] = (sbyte)(s[g + 8] & 15 | s[g] >> 6 << 4);
            to.Mins[g + 4] = (byte)(s[g + 8] >> 4 | s[g + 4] >> 6 << 4);
        }
    }
}

/// <summary>As <see cref="Q4_KFormat"/>, with quants of five bits.</summary>
internal sealed class Q5_KFormat() : ImportedFormat(13, 256, 176, 5, BlockScaling.ByteAndMin)
{
    /// <inheritdoc/>
    public override ReadOnlySpan<sbyte> Levels => IntegerLevels.Unsigned(5);

    /// <inheritdoc/>
    protected override void Read(ReadOnlySpan<byte> block, ref PlainBlock to)
    {
        Q4_KFormat.ReadNumbers(block, ref to);
        ReadOnlySpan<byte> upper = block.Slice(16, 32);
        for (int pair = 0; pair < 4; pair++)
            PlainBits.Nibbles(block.Slice(48 + 32 * pair, 32), to.Codes[(64 * pair)..]);
        PlainBits.AddUpper(upper, width: 1, fields: 8, shift: 4, to.Codes);
    }
}

/// <summary>256 quants q of six bits in groups of 16 with a signed byte k, a half d: w = d·k·(q − 32).</summary>
internal sealed class Q6_KFormat() : ImportedFormat(14, 256, 210, 6, BlockScaling.HalfBlockByte)
{
    /// <inheritdoc/>
    public override ReadOnlySpan<sbyte> Levels => IntegerLevels.Signed(6);

    /// <inheritdoc/>
    protected override void Read(ReadOnlySpan<byte> block, ref PlainBlock to)
    {
        to.D = MemoryMarshal.Read<Half>(block[208..]);
        MemoryMarshal.Cast<byte, sbyte>(block.Slice(192, 16)).CopyTo(to.Scales);
        for (int half = 0; half < 2; half++)
        {
            ReadOnlySpan<byte> low = block.Slice(64 * half, 64), upper = block.Slice(128 + 32 * half, 32);
            PlainBits.Nibbles(low, to.Codes[(128 * half)..]);
            PlainBits.AddUpper(upper, width: 2, fields: 4, shift: 4, to.Codes[(128 * half)..]);
        }
    }
}

/// <summary>256 quants q of three bits in groups of 16 with scales k of six bits, a half d: w = d·(k − 32)·(q − 4).</summary>
internal sealed class Q3_KFormat() : ImportedFormat(11, 256, 110, 4, BlockScaling.HalfBlockByte)
{
    /// <inheritdoc/>
    /// <remarks>Codes are those of <c>Q4_0</c>, whose kernels serve: q + 4.</remarks>
    public override ReadOnlySpan<sbyte> Levels => IntegerLevels.Signed(4);

    /// <inheritdoc/>
    protected override void Read(ReadOnlySpan<byte> block, ref PlainBlock to)
    {
        to.D = MemoryMarshal.Read<Half>(block[108..]);
        ReadOnlySpan<byte> upper = block[..32], s = block.Slice(96, 12);
        PlainBits.Pairs(block.Slice(32, 64), to.Codes);
        PlainBits.AddUpper(upper, width: 1, fields: 8, shift: 2, to.Codes);
        PlainBits.Add(4, to.Codes[..256]);
        for (int g = 0; g < 16; g++)
        {
            int low = g < 8 ? s[g] & 15 : s[g - 8] >> 4, high = s[8 + g % 4] >> (2 * (g / 4)) & 3;
            to.Scales[g] = (sbyte)((low | high << 4) - 32);
        }
    }
}

/// <summary>256 quants q of two bits in groups of 16 with scales k and mins n of four bits, halves d and e: w = d·k·q − e·n.</summary>
internal sealed class Q2_KFormat() : ImportedFormat(10, 256, 84, 4, BlockScaling.HalfBlockNibbles)
{
    /// <inheritdoc/>
    public override ReadOnlySpan<sbyte> Levels => IntegerLevels.Unsigned(4);

    /// <inheritdoc/>
    protected override void Read(ReadOnlySpan<byte> block, ref PlainBlock to)
    {
        to.D = MemoryMarshal.Read<Half>(block[80..]);
        to.M = MemoryMarshal.Read<Half>(block[82..]);
        PlainBits.Pairs(block.Slice(16, 64), to.Codes);
        for (int g = 0; g < 16; g++)
        {
            to.Scales[g] = (sbyte)(block[g] & 15);
            to.Mins[g] = (byte)(block[g] >> 4);
        }
    }
}
