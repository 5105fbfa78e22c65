using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using QedEdge.Quantization;
using QedEdge.Quantization.Formats;

namespace QedEdge.Kernels.X86;

/// <summary>What the sums of a block of a row group are multiplied by (<see cref="BlockScaling"/>): eight rows at once.</summary>
internal unsafe interface IScales
{
    /// <summary>Bytes of a block's scales.</summary>
    static abstract int Bytes { get; }

    /// <summary>Bytes of what the scales of eight blocks are multiplied by.</summary>
    static virtual int SuperBytes => 0;

    /// <summary>Whether columns 0..15 and 16..31 have scales of their own.</summary>
    static virtual bool HasHalves => false;

    /// <summary>Whether there are mins.</summary>
    static virtual bool HasMins => false;

    /// <summary>What the scales of eight blocks are multiplied by, from its halves: widened once for all of them.</summary>
    static virtual Vector256<float> Super(byte* e) => default;

    /// <summary>What their mins are multiplied by, negative.</summary>
    static virtual Vector256<float> SuperMin(byte* e) => default;

    /// <summary>Scales of a block, or of a half of it.</summary>
    /// <param name="d">The block's scales.</param>
    /// <param name="super">Of <see cref="Super(byte*)"/>.</param>
    /// <param name="half">Which half, where they differ.</param>
    static abstract Vector256<float> Scale(byte* d, Vector256<float> super, int half);

    /// <summary>Mins likewise, as they are added.</summary>
    static virtual Vector256<float> Min(byte* d, Vector256<float> superMin, int half) => default;
}

/// <summary><see cref="BlockScaling.Half"/></summary>
internal readonly unsafe partial struct HalfScales : IScales
{
    public static int Bytes => sizeof(ushort) * PackedLayout.GroupRows;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Scale(byte* d, Vector256<float> super, int half) => Widen(d);

    /// <summary>Eight halves.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Widen(byte* d) => Avx2Float8.WidenHalves(Vector128.Load((ushort*)d));
}

/// <summary><see cref="BlockScaling.HalfAndMin"/></summary>
internal readonly unsafe partial struct HalfScalesAndMins : IScales
{
    public static int Bytes => 2 * HalfScales.Bytes;

    public static bool HasMins => true;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Scale(byte* d, Vector256<float> super, int half) => HalfScales.Widen(d);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Min(byte* d, Vector256<float> superMin, int half) => HalfScales.Widen(d + HalfScales.Bytes);
}

/// <summary><see cref="BlockScaling.Byte"/></summary>
internal readonly unsafe partial struct ByteScales : IScales
{
    public static int Bytes => PackedLayout.GroupRows;

    public static int SuperBytes => HalfScales.Bytes;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Super(byte* e) => HalfScales.Widen(e);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Scale(byte* d, Vector256<float> super, int half) => super * Widen(d);

    /// <summary>Eight signed bytes.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Widen(byte* bytes) => Avx.ConvertToVector256Single(Avx2.ConvertToVector256Int32((sbyte*)bytes));
}

/// <summary><see cref="BlockScaling.ByteAndMin"/></summary>
internal readonly unsafe partial struct ByteScalesAndMins : IScales
{
    public static int Bytes => 2 * PackedLayout.GroupRows;

    public static int SuperBytes => 2 * HalfScales.Bytes;

    public static bool HasMins => true;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Super(byte* e) => HalfScales.Widen(e);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> SuperMin(byte* e) => -HalfScales.Widen(e + HalfScales.Bytes);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Scale(byte* d, Vector256<float> super, int half) => super * ByteScales.Widen(d);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Min(byte* d, Vector256<float> superMin, int half) => superMin * ByteScales.Widen(d + PackedLayout.GroupRows);
}

/// <summary><see cref="BlockScaling.HalfBlockByte"/></summary>
internal readonly unsafe partial struct HalfBlockScales : IScales
{
    public static int Bytes => 2 * PackedLayout.GroupRows;

    public static int SuperBytes => HalfScales.Bytes;

    public static bool HasHalves => true;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Super(byte* e) => HalfScales.Widen(e);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Scale(byte* d, Vector256<float> super, int half) => super * ByteScales.Widen(d + half * PackedLayout.GroupRows);
}

/// <summary><see cref="BlockScaling.HalfBlockHalf"/></summary>
internal readonly unsafe partial struct HalfBlockHalves : IScales
{
    public static int Bytes => 2 * HalfScales.Bytes;

    public static bool HasHalves => true;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Scale(byte* d, Vector256<float> super, int half) => HalfScales.Widen(d + half * HalfScales.Bytes);
}

/// <summary><see cref="BlockScaling.HalfBlockNibbles"/></summary>
internal readonly unsafe partial struct HalfBlockScalesAndMins : IScales
{
    public static int Bytes => 2 * PackedLayout.GroupRows;

    public static int SuperBytes => 2 * HalfScales.Bytes;

    public static bool HasHalves => true;

    public static bool HasMins => true;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Super(byte* e) => HalfScales.Widen(e);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> SuperMin(byte* e) => -HalfScales.Widen(e + HalfScales.Bytes);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Scale(byte* d, Vector256<float> super, int half) => super * Avx.ConvertToVector256Single(Both(d, half) & Vector256.Create(15));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Min(byte* d, Vector256<float> superMin, int half) => superMin * Avx.ConvertToVector256Single(Both(d, half) >>> 4);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<int> Both(byte* d, int half) => Avx2.ConvertToVector256Int32(d + half * PackedLayout.GroupRows);
}
