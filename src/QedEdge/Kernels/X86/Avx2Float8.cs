using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace QedEdge.Kernels.X86;

/// <summary>Eight floats in one 256-bit register.</summary>
internal readonly struct Avx2Float8(Vector256<float> value) : IFloat8<Avx2Float8>
{
    private readonly Vector256<float> _value = value;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Avx2Float8 Load(ref readonly float x, nint i) => new(Vector256.LoadUnsafe(in x, (nuint)i));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store(Avx2Float8 v, ref float y, nint i) => v._value.StoreUnsafe(ref y, (nuint)i);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Avx2Float8 LoadHalf(ref readonly ushort x, nint i) => new(WidenHalves(Vector128.LoadUnsafe(in x, (nuint)i)));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Avx2Float8 LoadHalfUnscaled(ref readonly ushort x, nint i) => new(MoveHalves(Vector128.LoadUnsafe(in x, (nuint)i)));

    /// <summary>Eight halves as floats: no F16C intrinsics exist in .NET 10, so shift and scale (<see cref="HalfBits"/>).</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static Vector256<float> WidenHalves(Vector128<ushort> halves) => MoveHalves(halves) * Vector256.Create(HalfBits.Rebias);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<float> MoveHalves(Vector128<ushort> halves)
    {
        Vector256<int> bits = Avx2.ShiftLeftLogical(Avx2.ConvertToVector256Int32(halves.AsInt16()), 13);
        return (bits & Vector256.Create(unchecked((int)0x8FFF_E000))).AsSingle();
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void StoreHalf(Avx2Float8 v, ref ushort y, nint i)
    {
        Vector256<uint> bits = v._value.AsUInt32();
        Vector256<uint> magnitude = bits & Vector256.Create(0x7FFF_FFFFu);
        Vector256<uint> odd = (magnitude >>> 13) & Vector256<uint>.One;
        Vector256<uint> normal = (magnitude + Vector256.Create(unchecked(0xFFFu - (112u << 23))) + odd) >>> 13;
        normal = Vector256.Min(normal, Vector256.Create(0x7C00u));
        Vector256<uint> subnormal = (magnitude.AsSingle() + Vector256.Create(0.5f)).AsUInt32() - Vector256.Create(0x3F00_0000u);
        Vector256<uint> small = Vector256.LessThan(magnitude.AsSingle(), Vector256.Create(6.103515625e-5f)).AsUInt32();
        Vector256<uint> half = Vector256.ConditionalSelect(small, subnormal, normal) | ((bits >>> 16) & Vector256.Create(0x8000u));
        Avx2.PackUnsignedSaturate(half.GetLower().AsInt32(), half.GetUpper().AsInt32()).StoreUnsafe(ref y, (nuint)i);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static int StoreInt8(Avx2Float8 v0, Avx2Float8 v1, Avx2Float8 v2, Avx2Float8 v3, ref sbyte y, nint i)
    {
        Vector256<short> a = Avx2.PackSignedSaturate(Avx.ConvertToVector256Int32(v0._value), Avx.ConvertToVector256Int32(v1._value));
        Vector256<short> b = Avx2.PackSignedSaturate(Avx.ConvertToVector256Int32(v2._value), Avx.ConvertToVector256Int32(v3._value));
        // Packing works within each half of a register: first the lower fours of v0..v3, then the upper ones.
        Vector256<sbyte> bytes = Avx2.PackSignedSaturate(a, b);
        Avx2.PermuteVar8x32(bytes.AsInt32(), Vector256.Create(0, 4, 1, 5, 2, 6, 3, 7)).AsSByte().StoreUnsafe(ref y, (nuint)i);
        Vector256<short> pairs = Avx2.MultiplyAddAdjacent(Vector256<byte>.One, bytes);
        Vector128<short> sum = pairs.GetLower() + pairs.GetUpper();
        sum += Sse2.Shuffle(sum.AsInt32(), 0b_01_00_11_10).AsInt16();
        sum += Sse2.Shuffle(sum.AsInt32(), 0b_10_11_00_01).AsInt16();
        return sum.AsInt32().ToScalar();
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static unsafe void Prefetch(ref readonly byte address) => Sse.Prefetch0(Unsafe.AsPointer(ref Unsafe.AsRef(in address)));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Avx2Float8 Broadcast(float x) => new(Vector256.Create(x));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Avx2Float8 Add(Avx2Float8 a, Avx2Float8 b) => new(a._value + b._value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Avx2Float8 Subtract(Avx2Float8 a, Avx2Float8 b) => new(a._value - b._value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Avx2Float8 Multiply(Avx2Float8 a, Avx2Float8 b) => new(a._value * b._value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Avx2Float8 Divide(Avx2Float8 a, Avx2Float8 b) => new(a._value / b._value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Avx2Float8 Fma(Avx2Float8 a, Avx2Float8 b, Avx2Float8 c) =>
        new(System.Runtime.Intrinsics.X86.Fma.MultiplyAdd(a._value, b._value, c._value));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Avx2Float8 Max(Avx2Float8 a, Avx2Float8 b) => new(Avx.Max(a._value, b._value));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Avx2Float8 Min(Avx2Float8 a, Avx2Float8 b) => new(Avx.Min(a._value, b._value));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Avx2Float8 Abs(Avx2Float8 v) => new(Vector256.Abs(v._value));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Avx2Float8 ZeroWhereLess(Avx2Float8 v, Avx2Float8 x, Avx2Float8 bound) =>
        new(Vector256.AndNot(v._value, Vector256.LessThan(x._value, bound._value)));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Avx2Float8 Round(Avx2Float8 v) => new(Avx.RoundToNearestInteger(v._value));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Avx2Float8 ScaleByPowerOfTwo(Avx2Float8 v, Avx2Float8 n) =>
        new((v._value.AsInt32() + Avx2.ShiftLeftLogical(Avx.ConvertToVector256Int32(n._value), 23)).AsSingle());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Sum(Avx2Float8 v)
    {
        Vector128<float> four = v._value.GetLower() + v._value.GetUpper();
        Vector128<float> two = four + Sse.MoveHighToLow(four, four);
        return two.ToScalar() + two.GetElement(1);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float MaxAcross(Avx2Float8 v)
    {
        Vector128<float> four = Sse.Max(v._value.GetLower(), v._value.GetUpper());
        Vector128<float> two = Sse.Max(four, Sse.MoveHighToLow(four, four));
        return Sse.MaxScalar(two, Sse3.MoveHighAndDuplicate(two)).ToScalar(); // not a comparison: nobody predicts it
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Avx2Float8 LargerMagnitude(Avx2Float8 a, Avx2Float8 b) => new(Avx2.Max(a._value.AsInt32(), b._value.AsInt32()).AsSingle());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float MagnitudeAcross(Avx2Float8 v)
    {
        Vector128<int> four = Sse41.Max(v._value.GetLower().AsInt32(), v._value.GetUpper().AsInt32());
        Vector128<int> two = Sse41.Max(four, Sse2.Shuffle(four, 0b_01_00_11_10));
        return Sse41.Max(two, Sse2.Shuffle(two, 0b_10_11_00_01)).AsSingle().ToScalar();
    }
}
