using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using QedEdge.Quantization;

namespace QedEdge.Kernels.X86;

/// <summary><see cref="IScales"/> of two row groups at once. What the scales of eight blocks are multiplied by is widened once.</summary>
internal unsafe interface IWideScales : IScales
{
    /// <summary>What scales are multiplied by, at the row groups' halves.</summary>
    static virtual Vector512<float> Super(byte* e0, byte* e1) => default;

    /// <summary>What mins are multiplied by, negative.</summary>
    static virtual Vector512<float> SuperMin(byte* e0, byte* e1) => default;

    /// <summary>Scales of the block, or of a half of it, at <paramref name="d0"/> and <paramref name="d1"/>.</summary>
    static abstract Vector512<float> Scale(byte* d0, byte* d1, Vector512<float> super, int half);

    /// <summary>Mins likewise, as they are added.</summary>
    static virtual Vector512<float> Min(byte* d0, byte* d1, Vector512<float> superMin, int half) => default;
}

internal readonly unsafe partial struct HalfScales : IWideScales
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Scale(byte* d0, byte* d1, Vector512<float> super, int half) => Widen(d0, d1);

    /// <summary>Eight halves of each (<see cref="HalfBits"/>).</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Widen(byte* d0, byte* d1)
    {
        Vector512<int> bits = Avx512F.ConvertToVector512Int32(Vector128.Load((short*)d0).ToVector256Unsafe().WithUpper(Vector128.Load((short*)d1))) << 13;
        return (bits & Vector512.Create(unchecked((int)0x8FFF_E000))).AsSingle() * Vector512.Create(HalfBits.Rebias);
    }
}

internal readonly unsafe partial struct HalfScalesAndMins : IWideScales
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Scale(byte* d0, byte* d1, Vector512<float> super, int half) => HalfScales.Widen(d0, d1);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Min(byte* d0, byte* d1, Vector512<float> superMin, int half) => HalfScales.Widen(d0 + HalfScales.Bytes, d1 + HalfScales.Bytes);
}

internal readonly unsafe partial struct ByteScales : IWideScales
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Super(byte* e0, byte* e1) => HalfScales.Widen(e0, e1);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Scale(byte* d0, byte* d1, Vector512<float> super, int half) => super * Widen(d0, d1, 0);

    /// <summary>Eight signed bytes of each.</summary>
    /// <param name="d0">The first row group's.</param>
    /// <param name="d1">The second's.</param>
    /// <param name="which">Which eight of the block's, where it has two.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Widen(byte* d0, byte* d1, int which) => Avx512F.ConvertToVector512Single(Avx512F.ConvertToVector512Int32(Both(d0, d1, which).AsSByte()));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<byte> Both(byte* d0, byte* d1, int which)
    {
        const int each = PackedLayout.GroupRows;
        return Sse2.UnpackLow(Vector128.CreateScalarUnsafe(*(long*)(d0 + each * which)), Vector128.CreateScalarUnsafe(*(long*)(d1 + each * which))).AsByte();
    }
}

internal readonly unsafe partial struct ByteScalesAndMins : IWideScales
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Super(byte* e0, byte* e1) => HalfScales.Widen(e0, e1);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> SuperMin(byte* e0, byte* e1) => -HalfScales.Widen(e0 + HalfScales.Bytes, e1 + HalfScales.Bytes);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Scale(byte* d0, byte* d1, Vector512<float> super, int half) => super * ByteScales.Widen(d0, d1, 0);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Min(byte* d0, byte* d1, Vector512<float> superMin, int half) => superMin * ByteScales.Widen(d0, d1, 1);
}

internal readonly unsafe partial struct HalfBlockScales : IWideScales
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Super(byte* e0, byte* e1) => HalfScales.Widen(e0, e1);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Scale(byte* d0, byte* d1, Vector512<float> super, int half) => super * ByteScales.Widen(d0, d1, half);
}

internal readonly unsafe partial struct HalfBlockHalves : IWideScales
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Scale(byte* d0, byte* d1, Vector512<float> super, int half) => HalfScales.Widen(d0 + half * HalfScales.Bytes, d1 + half * HalfScales.Bytes);
}

internal readonly unsafe partial struct HalfBlockScalesAndMins : IWideScales
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Super(byte* e0, byte* e1) => HalfScales.Widen(e0, e1);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> SuperMin(byte* e0, byte* e1) => -HalfScales.Widen(e0 + HalfScales.Bytes, e1 + HalfScales.Bytes);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Scale(byte* d0, byte* d1, Vector512<float> super, int half) => super * Avx512F.ConvertToVector512Single(Bytes16(d0, d1, half) & Vector512.Create(15));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Min(byte* d0, byte* d1, Vector512<float> superMin, int half) => superMin * Avx512F.ConvertToVector512Single(Bytes16(d0, d1, half) >>> 4);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<int> Bytes16(byte* d0, byte* d1, int half) => Avx512F.ConvertToVector512Int32(ByteScales.Both(d0, d1, half));
}
