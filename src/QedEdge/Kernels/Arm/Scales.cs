using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.Arm;
using QedEdge.Quantization;
using QedEdge.Quantization.Formats;

namespace QedEdge.Kernels.Arm;

/// <summary>What the sums of a block of a row group are multiplied by (<see cref="BlockScaling"/>), as floats; where there are factors for eight blocks, without them.</summary>
internal unsafe interface IScales
{
    /// <summary>Bytes of a row's scale.</summary>
    static abstract int RowBytes { get; }

    /// <summary>Bytes of a block's scales.</summary>
    static abstract int Bytes { get; }

    /// <summary>Bytes of what the scales of eight blocks are multiplied by: eight halves, and where there are mins as many for them.</summary>
    static virtual int SuperBytes => 0;

    /// <summary>Whether columns 0..15 and 16..31 have scales of their own.</summary>
    static virtual bool HasHalves => false;

    /// <summary>Whether there are mins.</summary>
    static virtual bool HasMins => false;

    /// <summary>Scales of eight rows, for a half of the block where its halves differ.</summary>
    static abstract (Vector128<float> Low, Vector128<float> High) Eight(byte* scales, int half);

    /// <summary>Of four rows.</summary>
    static abstract Vector128<float> Four(byte* scales, int half);

    /// <summary>Mins of eight rows.</summary>
    static virtual (Vector128<float> Low, Vector128<float> High) EightMins(byte* scales, int half) => default;

    /// <summary>Of four rows.</summary>
    static virtual Vector128<float> FourMins(byte* scales, int half) => default;
}

/// <summary><see cref="BlockScaling.Half"/></summary>
internal readonly unsafe struct HalfScales : IScales
{
    public static int RowBytes => sizeof(ushort);

    public static int Bytes => RowBytes * PackedLayout.GroupRows;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static (Vector128<float> Low, Vector128<float> High) Eight(byte* scales, int half) => NeonFloat8.WidenHalves(Vector128.Load((short*)scales));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> Four(byte* scales, int half) => NeonFloat8.WidenHalves(Vector64.Load((short*)scales));
}

/// <summary><see cref="BlockScaling.HalfAndMin"/></summary>
internal readonly unsafe struct HalfScalesAndMins : IScales
{
    public static int RowBytes => HalfScales.RowBytes;

    public static int Bytes => 2 * HalfScales.Bytes;

    public static bool HasMins => true;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static (Vector128<float> Low, Vector128<float> High) Eight(byte* scales, int half) => HalfScales.Eight(scales, half);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> Four(byte* scales, int half) => HalfScales.Four(scales, half);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static (Vector128<float> Low, Vector128<float> High) EightMins(byte* scales, int half) => HalfScales.Eight(scales + HalfScales.Bytes, half);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> FourMins(byte* scales, int half) => HalfScales.Four(scales + HalfScales.Bytes, half);
}

/// <summary><see cref="BlockScaling.Byte"/></summary>
internal readonly unsafe struct ByteScales : IScales
{
    public static int RowBytes => sizeof(sbyte);

    public static int Bytes => RowBytes * PackedLayout.GroupRows;

    public static int SuperBytes => HalfScales.Bytes;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static (Vector128<float> Low, Vector128<float> High) Eight(byte* scales, int half) => Widen(Vector64.Load((sbyte*)scales));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> Four(byte* scales, int half) => WidenLower(Load4(scales));

    /// <summary>Bytes of four rows.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector64<sbyte> Load4(byte* bytes) => Vector64.CreateScalarUnsafe(*(int*)bytes).AsSByte();

    /// <summary>Eight signed bytes as floats. The upper half first: the lower one, taken at the vector's last use, then needs no copy.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static (Vector128<float> Low, Vector128<float> High) Widen(Vector64<sbyte> bytes)
    {
        Vector128<short> words = AdvSimd.SignExtendWideningLower(bytes);
        Vector128<float> high = AdvSimd.ConvertToSingle(AdvSimd.SignExtendWideningUpper(words));
        return (AdvSimd.ConvertToSingle(AdvSimd.SignExtendWideningLower(words.GetLower())), high);
    }

    /// <summary>The lower four of them.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> WidenLower(Vector64<sbyte> bytes) =>
        AdvSimd.ConvertToSingle(AdvSimd.SignExtendWideningLower(AdvSimd.SignExtendWideningLower(bytes).GetLower()));
}

/// <summary><see cref="BlockScaling.ByteAndMin"/></summary>
internal readonly unsafe struct ByteScalesAndMins : IScales
{
    public static int RowBytes => ByteScales.RowBytes;

    public static int Bytes => 2 * ByteScales.Bytes;

    public static int SuperBytes => 2 * HalfScales.Bytes;

    public static bool HasMins => true;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static (Vector128<float> Low, Vector128<float> High) Eight(byte* scales, int half) => ByteScales.Eight(scales, half);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> Four(byte* scales, int half) => ByteScales.Four(scales, half);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static (Vector128<float> Low, Vector128<float> High) EightMins(byte* scales, int half) => ByteScales.Eight(scales + ByteScales.Bytes, half);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> FourMins(byte* scales, int half) => ByteScales.Four(scales + ByteScales.Bytes, half);
}

/// <summary><see cref="BlockScaling.HalfBlockByte"/></summary>
internal readonly unsafe struct HalfBlockScales : IScales
{
    public static int RowBytes => ByteScales.RowBytes;

    public static int Bytes => 2 * ByteScales.Bytes;

    public static int SuperBytes => HalfScales.Bytes;

    public static bool HasHalves => true;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static (Vector128<float> Low, Vector128<float> High) Eight(byte* scales, int half) => ByteScales.Widen(Vector64.Load((sbyte*)scales + half * PackedLayout.GroupRows));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> Four(byte* scales, int half) => ByteScales.Four(scales + half * PackedLayout.GroupRows, half);
}

/// <summary><see cref="BlockScaling.HalfBlockHalf"/></summary>
internal readonly unsafe struct HalfBlockHalves : IScales
{
    public static int RowBytes => HalfScales.RowBytes;

    public static int Bytes => 2 * HalfScales.Bytes;

    public static bool HasHalves => true;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static (Vector128<float> Low, Vector128<float> High) Eight(byte* scales, int half) => HalfScales.Eight(scales + half * HalfScales.Bytes, half);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> Four(byte* scales, int half) => HalfScales.Four(scales + half * HalfScales.Bytes, half);
}

/// <summary><see cref="BlockScaling.HalfBlockNibbles"/></summary>
internal readonly unsafe struct HalfBlockScalesAndMins : IScales
{
    public static int RowBytes => ByteScales.RowBytes;

    public static int Bytes => 2 * ByteScales.Bytes;

    public static int SuperBytes => 2 * HalfScales.Bytes;

    public static bool HasHalves => true;

    public static bool HasMins => true;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static (Vector128<float> Low, Vector128<float> High) Eight(byte* scales, int half) => ByteScales.Widen(Vector64.Load((sbyte*)scales + half * PackedLayout.GroupRows) & Vector64.Create((sbyte)15));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> Four(byte* scales, int half) => ByteScales.WidenLower(ByteScales.Load4(scales + half * PackedLayout.GroupRows) & Vector64.Create((sbyte)15));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static (Vector128<float> Low, Vector128<float> High) EightMins(byte* scales, int half) => ByteScales.Widen(Vector64.Load((sbyte*)scales + half * PackedLayout.GroupRows) >>> 4);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> FourMins(byte* scales, int half) => ByteScales.WidenLower(ByteScales.Load4(scales + half * PackedLayout.GroupRows) >>> 4);
}
