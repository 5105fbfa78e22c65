using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.Arm;

namespace QedEdge.Kernels.Arm;

/// <summary>Eight floats in two 128-bit registers.</summary>
internal readonly struct NeonFloat8(Vector128<float> low, Vector128<float> high) : IFloat8<NeonFloat8>
{
    private readonly Vector128<float> _low = low;
    private readonly Vector128<float> _high = high;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static NeonFloat8 Load(ref readonly float x, nint i) =>
        new(Vector128.LoadUnsafe(in x, (nuint)i), Vector128.LoadUnsafe(in x, (nuint)i + 4));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store(NeonFloat8 v, ref float y, nint i)
    {
        v._low.StoreUnsafe(ref y, (nuint)i);
        v._high.StoreUnsafe(ref y, (nuint)i + 4);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static NeonFloat8 LoadHalf(ref readonly ushort x, nint i)
    {
        (Vector128<float> low, Vector128<float> high) = WidenHalves(Vector128.LoadUnsafe(in x, (nuint)i).AsInt16());
        return new(low, high);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static NeonFloat8 LoadHalfUnscaled(ref readonly ushort x, nint i)
    {
        (Vector128<float> low, Vector128<float> high) = MoveHalves(Vector128.LoadUnsafe(in x, (nuint)i).AsInt16());
        return new(low, high);
    }

    /// <summary>Eight halves as floats, by shift and scale (<see cref="HalfBits"/>).</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static (Vector128<float> Low, Vector128<float> High) WidenHalves(Vector128<short> halves)
    {
        (Vector128<float> low, Vector128<float> high) = MoveHalves(halves);
        return (low * Vector128.Create(HalfBits.Rebias), high * Vector128.Create(HalfBits.Rebias));
    }

    /// <summary>Four halves as floats.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static Vector128<float> WidenHalves(Vector64<short> halves) =>
        (AdvSimd.ShiftLeftLogicalWideningLower(halves, 13) & Vector128.Create(unchecked((int)0x8FFF_E000))).AsSingle() * Vector128.Create(HalfBits.Rebias);

    // The upper half first: the lower one, taken at the vector's last use, then needs no copy.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static (Vector128<float> Low, Vector128<float> High) MoveHalves(Vector128<short> halves)
    {
        Vector128<int> mask = Vector128.Create(unchecked((int)0x8FFF_E000));
        Vector128<int> high = AdvSimd.ShiftLeftLogicalWideningUpper(halves, 13), low = AdvSimd.ShiftLeftLogicalWideningLower(halves.GetLower(), 13);
        return ((low & mask).AsSingle(), (high & mask).AsSingle());
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void StoreHalf(NeonFloat8 v, ref ushort y, nint i) =>
        Vector128.Narrow(HalfPatterns(v._low), HalfPatterns(v._high)).StoreUnsafe(ref y, (nuint)i);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<uint> HalfPatterns(Vector128<float> v)
    {
        Vector128<uint> bits = v.AsUInt32();
        Vector128<uint> magnitude = bits & Vector128.Create(0x7FFF_FFFFu);
        Vector128<uint> odd = (magnitude >>> 13) & Vector128<uint>.One;
        Vector128<uint> normal = (magnitude + Vector128.Create(unchecked(0xFFFu - (112u << 23))) + odd) >>> 13;
        normal = Vector128.Min(normal, Vector128.Create(0x7C00u));
        Vector128<uint> subnormal = (magnitude.AsSingle() + Vector128.Create(0.5f)).AsUInt32() - Vector128.Create(0x3F00_0000u);
        Vector128<uint> small = Vector128.LessThan(magnitude.AsSingle(), Vector128.Create(6.103515625e-5f)).AsUInt32();
        return Vector128.ConditionalSelect(small, subnormal, normal) | ((bits >>> 16) & Vector128.Create(0x8000u));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static int StoreInt8(NeonFloat8 v0, NeonFloat8 v1, NeonFloat8 v2, NeonFloat8 v3, ref sbyte y, nint i)
    {
        Vector128<sbyte> low = Vector128.Narrow(Words(v0), Words(v1)), high = Vector128.Narrow(Words(v2), Words(v3));
        low.StoreUnsafe(ref y, (nuint)i);
        high.StoreUnsafe(ref y, (nuint)i + 16);
        Vector128<short> pairs = AdvSimd.AddPairwiseWideningAndAdd(AdvSimd.AddPairwiseWidening(low), high);
        Vector64<short> sum = pairs.GetLower() + pairs.GetUpper();
        sum += AdvSimd.ReverseElement32(sum.AsInt64()).AsInt16();
        return sum.AsInt32().ToScalar();
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<short> Words(NeonFloat8 v) =>
        Vector128.Narrow(AdvSimd.ConvertToInt32RoundToEven(v._low), AdvSimd.ConvertToInt32RoundToEven(v._high));

    // .NET has no prefetch instruction for Arm.
    public static void Prefetch(ref readonly byte address)
    {
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static NeonFloat8 Broadcast(float x)
    {
        Vector128<float> v = Vector128.Create(x);
        return new(v, v);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static NeonFloat8 Add(NeonFloat8 a, NeonFloat8 b) => new(a._low + b._low, a._high + b._high);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static NeonFloat8 Subtract(NeonFloat8 a, NeonFloat8 b) => new(a._low - b._low, a._high - b._high);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static NeonFloat8 Multiply(NeonFloat8 a, NeonFloat8 b) => new(a._low * b._low, a._high * b._high);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static NeonFloat8 Divide(NeonFloat8 a, NeonFloat8 b) => new(a._low / b._low, a._high / b._high);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static NeonFloat8 Fma(NeonFloat8 a, NeonFloat8 b, NeonFloat8 c) =>
        new(AdvSimd.FusedMultiplyAdd(c._low, a._low, b._low), AdvSimd.FusedMultiplyAdd(c._high, a._high, b._high));

    // Compare and select, not fmax: that is what the other sets do with not-a-number and with zeros of either sign.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static NeonFloat8 Max(NeonFloat8 a, NeonFloat8 b) => new(Larger(a._low, b._low), Larger(a._high, b._high));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static NeonFloat8 Min(NeonFloat8 a, NeonFloat8 b) => new(Smaller(a._low, b._low), Smaller(a._high, b._high));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static NeonFloat8 Abs(NeonFloat8 v) => new(AdvSimd.Abs(v._low), AdvSimd.Abs(v._high));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static NeonFloat8 ZeroWhereLess(NeonFloat8 v, NeonFloat8 x, NeonFloat8 bound) =>
        new(Vector128.AndNot(v._low, Vector128.LessThan(x._low, bound._low)), Vector128.AndNot(v._high, Vector128.LessThan(x._high, bound._high)));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static NeonFloat8 Round(NeonFloat8 v) => new(AdvSimd.RoundToNearest(v._low), AdvSimd.RoundToNearest(v._high));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static NeonFloat8 ScaleByPowerOfTwo(NeonFloat8 v, NeonFloat8 n) =>
        new((v._low.AsInt32() + (AdvSimd.ConvertToInt32RoundToZero(n._low) << 23)).AsSingle(),
            (v._high.AsInt32() + (AdvSimd.ConvertToInt32RoundToZero(n._high) << 23)).AsSingle());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Sum(NeonFloat8 v)
    {
        Vector128<float> four = v._low + v._high;
        Vector64<float> two = four.GetLower() + four.GetUpper();
        return two.ToScalar() + two.GetElement(1);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float MaxAcross(NeonFloat8 v)
    {
        Vector128<float> four = Larger(v._low, v._high);
        Vector128<float> two = Larger(four, AdvSimd.ExtractVector128(four, four, 2));
        return Larger(two, AdvSimd.ExtractVector128(two, two, 1)).ToScalar();
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static NeonFloat8 LargerMagnitude(NeonFloat8 a, NeonFloat8 b) =>
        new(AdvSimd.Max(a._low.AsInt32(), b._low.AsInt32()).AsSingle(), AdvSimd.Max(a._high.AsInt32(), b._high.AsInt32()).AsSingle());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float MagnitudeAcross(NeonFloat8 v) =>
        AdvSimd.Arm64.MaxAcross(AdvSimd.Max(v._low.AsInt32(), v._high.AsInt32())).AsSingle().ToScalar();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<float> Larger(Vector128<float> a, Vector128<float> b) =>
        AdvSimd.BitwiseSelect(AdvSimd.CompareGreaterThan(a, b), a, b);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<float> Smaller(Vector128<float> a, Vector128<float> b) =>
        AdvSimd.BitwiseSelect(AdvSimd.CompareLessThan(a, b), a, b);
}
