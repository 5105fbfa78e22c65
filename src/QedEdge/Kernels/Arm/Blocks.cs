using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.Arm;
using QedEdge.Quantization;
using QedEdge.Quantization.Formats;

namespace QedEdge.Kernels.Arm;

/// <summary>
/// How a block (8 rows, 32 columns) is stored: step j of four has columns 4j .. 4j + 3 and 16 + 4j .. 19 + 4j of each row, those of rows 4 to 7 sixteen bytes
/// further on.
/// </summary>
internal unsafe interface IBlock<TSelf> where TSelf : struct, IBlock<TSelf>
{
    /// <summary>Bytes of a block without its scales.</summary>
    static abstract int Bytes { get; }

    /// <summary>What the blocks of a format need to be read with.</summary>
    static virtual TSelf Of(BlockFormat format) => default;

    /// <summary>Whether there is a <see cref="Factor"/>.</summary>
    static virtual bool HasFactor => false;

    /// <summary>A power of two that scales are multiplied by, where those of eight blocks have a factor.</summary>
    float Factor => 1f;

    /// <summary>Bits of a quant; those below 8 are taken as 0 and above.</summary>
    static virtual int Bits => 8;

    /// <summary>The quant that counts 0, where the format has no mins; where it has, 0 does.</summary>
    static virtual int Zero => 0;

    /// <summary>Four columns of four rows.</summary>
    /// <param name="second">Whether they are those 16 further on.</param>
    /// <param name="w">The block.</param>
    /// <param name="step">Which step.</param>
    Vector128<sbyte> Columns(bool second, byte* w, int step);

    /// <summary>The float that the sums of <see cref="Centered"/> begin with (<see cref="DotProductDot.Base"/>).</summary>
    static virtual float Base => DotProductDot.Base;

    /// <summary><see cref="Columns"/> less <see cref="Zero"/>, which many tokens share.</summary>
    static virtual Vector128<sbyte> Centered(TSelf block, bool second, byte* w, int step) =>
        TSelf.Zero == 0 ? block.Columns(second, w, step) : block.Columns(second, w, step) - Vector128.Create((sbyte)TSelf.Zero);
}

/// <summary>int8: 16 bytes are columns 4j .. 4j + 3 of four rows.</summary>
internal readonly unsafe struct ByteBlock : IBlock<ByteBlock>
{
    public static int Bytes => PackedLayout.GroupRows * PackedLayout.BlockSize;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public Vector128<sbyte> Columns(bool second, byte* w, int step) => AdvSimd.LoadVector128(w + (second ? Bytes / 2 : 0) + NibbleBlock.StepBytes * step).AsSByte();
}

/// <summary>int4: the lower halves are columns 4j .. 4j + 3, the upper ones 16 + 4j .. 19 + 4j.</summary>
internal readonly unsafe struct NibbleBlock : IBlock<NibbleBlock>
{
    /// <summary>Bytes from one step to the next, four columns of eight rows.</summary>
    public const int StepBytes = 32;

    /// <summary>Bytes of the nibbles of a block.</summary>
    public const int Size = PackedLayout.GroupRows * PackedLayout.BlockSize / 2;

    public static int Bytes => Size;

    public static int Bits => 4;

    public static int Zero => 8;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<byte> Nibbles(bool second, byte* w, int step) =>
        second ? AdvSimd.LoadVector128(w + StepBytes * step) >>> 4 : AdvSimd.LoadVector128(w + StepBytes * step) & Vector128.Create((byte)15);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public Vector128<sbyte> Columns(bool second, byte* w, int step) => Nibbles(second, w, step).AsSByte();

    // With its highest bit flipped a nibble n is n − 8 in two's complement; as the upper half of a byte it counts sixteenfold, and so sums begin with a float
    // whose last bit is worth 1/16.
    public static float Base => 786432f; // 1.5 · 2^19

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<sbyte> Centered(NibbleBlock block, bool second, byte* w, int step)
    {
        Vector128<byte> both = AdvSimd.LoadVector128(w + StepBytes * step) ^ Vector128.Create((byte)0x88);
        return (second ? both & Vector128.Create((byte)0xF0) : both << 4).AsSByte();
    }
}

/// <summary>Quants of five bits: behind the nibbles a byte for each pair of them, bit j the fifth bit of step j's first columns, bit 4 + j of its second ones.</summary>
internal readonly unsafe struct FiveBlock : IBlock<FiveBlock>
{
    public static int Bytes => PackedCodes.Bytes(5);

    public static int Bits => 5;

    public static int Zero => 16;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public Vector128<sbyte> Columns(bool second, byte* w, int step)
    {
        Vector128<byte> fifth = AdvSimd.LoadVector128(w + NibbleBlock.Size);
        fifth = !second ? fifth << (4 - step) : step == 0 ? fifth : fifth >>> step;
        return Vector128.ConditionalSelect(Vector128.Create((byte)16), fifth, NibbleBlock.Nibbles(second, w, step)).AsSByte();
    }
}

/// <summary>Quants of six bits: behind the nibbles two bits for step j's first columns at 2j, and 32 bytes further on for its second ones.</summary>
internal readonly unsafe struct SixBlock : IBlock<SixBlock>
{
    public static int Bytes => PackedCodes.Bytes(6);

    public static int Bits => 6;

    public static int Zero => 32;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public Vector128<sbyte> Columns(bool second, byte* w, int step)
    {
        Vector128<byte> upper = AdvSimd.LoadVector128(w + (second ? NibbleBlock.Size + NibbleBlock.StepBytes : NibbleBlock.Size));
        upper = step < 2 ? upper << (4 - 2 * step) : step == 2 ? upper : upper >>> 2;
        return Vector128.ConditionalSelect(Vector128.Create((byte)0x30), upper, NibbleBlock.Nibbles(second, w, step)).AsSByte();
    }
}

/// <summary>Nibbles that are indices of a format's sixteen levels, with its power of two.</summary>
internal readonly unsafe struct TableBlock : IBlock<TableBlock>
{
    private readonly Vector128<sbyte> _levels;

    private TableBlock(FormatInfo format) => (_levels, Factor) = (Vector128.Create(format.Levels), format is ImportedFormat imported ? imported.Factor : 1f);

    public static TableBlock Of(BlockFormat format) => new(format.Info());

    public static bool HasFactor => true;

    public float Factor { get; }

    public static int Bytes => NibbleBlock.Size;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public Vector128<sbyte> Columns(bool second, byte* w, int step) => AdvSimd.Arm64.VectorTableLookup(_levels, NibbleBlock.Nibbles(second, w, step).AsSByte());
}
