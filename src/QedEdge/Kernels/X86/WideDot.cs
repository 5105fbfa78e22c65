using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace QedEdge.Kernels.X86;

/// <summary><see cref="IInt8Dot"/> with 512 bits.</summary>
internal interface IWideDot
{
    /// <summary>Whether sums of <see cref="AddCodes"/> are pairs of int16 until they are finished; else int32.</summary>
    static abstract bool HasPairs { get; }

    /// <summary>Sums for <see cref="AddCodes"/> to begin with: <paramref name="eights"/> times the pair of <see cref="Activations.Offsets"/>.</summary>
    static abstract Vector512<int> StartCodes(int offset, int eights);

    /// <summary>acc + codes · x, codes having at most six bits; within one block only, then <see cref="FinishCodes"/>.</summary>
    static abstract Vector512<int> AddCodes(Vector512<int> acc, Vector512<byte> codes, Vector512<sbyte> x);

    /// <summary>The block's sixteen sums as int32 lanes.</summary>
    static abstract Vector512<int> FinishCodes(Vector512<int> acc);

    /// <summary>Sums for <see cref="AddBytes"/> to begin with.</summary>
    static abstract Vector512<int> StartBytes(int offset);

    /// <summary>Weights as <see cref="AddBytes"/> takes them, once for all tokens.</summary>
    static abstract Vector512<byte> Bytes(Vector512<byte> w);

    /// <summary>acc + w · x</summary>
    static abstract Vector512<int> AddBytes(Vector512<int> acc, Vector512<byte> w, Vector512<sbyte> x);

    /// <summary>acc + w · x for x of 0..127, w being signed and not −128: nothing to take back.</summary>
    static abstract Vector512<int> AddNonNegative(Vector512<int> acc, Vector512<byte> w, Vector512<sbyte> x);
}

/// <summary>AVX-512 without a dot product of bytes, as <see cref="Avx2Dot"/>; a masked subtraction gives activations the weights' signs.</summary>
internal readonly struct WidePairs : IWideDot
{
    public static bool HasPairs => true;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<int> StartCodes(int offset, int eights) => (Vector512.Create(offset).AsInt16() * (short)eights).AsInt32();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<int> AddCodes(Vector512<int> acc, Vector512<byte> codes, Vector512<sbyte> x) =>
        (acc.AsInt16() + Avx512BW.MultiplyAddAdjacent(codes, x)).AsInt32();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<int> FinishCodes(Vector512<int> acc) => Avx512BW.MultiplyAddAdjacent(acc.AsInt16(), Vector512<short>.One);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<int> StartBytes(int offset) => default;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<byte> Bytes(Vector512<byte> w) => w;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<int> AddBytes(Vector512<int> acc, Vector512<byte> w, Vector512<sbyte> x) =>
        AddPairs(acc, Avx512BW.Abs(w.AsSByte()), Vector512.ConditionalSelect(Vector512.LessThan(w.AsSByte(), Vector512<sbyte>.Zero), Vector512<sbyte>.Zero - x, x));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<int> AddNonNegative(Vector512<int> acc, Vector512<byte> w, Vector512<sbyte> x) => AddPairs(acc, x.AsByte(), w.AsSByte());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<int> AddPairs(Vector512<int> acc, Vector512<byte> a, Vector512<sbyte> b) =>
        acc + Avx512BW.MultiplyAddAdjacent(Avx512BW.MultiplyAddAdjacent(a, b), Vector512<short>.One);
}

/// <summary>
/// AVX-512 VNNI (Ice Lake, Zen 4 and newer): four products and the addition in one instruction, as <see cref="AvxVnniDot"/>. .NET has it from version 11 on, which the
/// executable for x86-64-v4 is built with; elsewhere only tests take this type, and the instruction is four.
/// </summary>
internal readonly struct WideVnni : IWideDot
{
    /// <summary>Whether this processor and this build have the instruction.</summary>
#if NET11_0_OR_GREATER
    public static bool IsSupported => AvxVnni.V512.IsSupported;
#else
    public static bool IsSupported => false;
#endif

    public static bool HasPairs => false;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<int> StartCodes(int offset, int eights) => Avx512BW.MultiplyAddAdjacent(Vector512.Create(offset).AsInt16(), Vector512.Create((short)eights));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<int> AddCodes(Vector512<int> acc, Vector512<byte> codes, Vector512<sbyte> x) => Add(acc, codes, x);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<int> FinishCodes(Vector512<int> acc) => acc;

    // Bytes are 128 too large, sixteen times what nibbles are.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<int> StartBytes(int offset) => StartCodes(offset, 16);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<byte> Bytes(Vector512<byte> w) => w ^ Vector512.Create((byte)128);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<int> AddBytes(Vector512<int> acc, Vector512<byte> w, Vector512<sbyte> x) => Add(acc, w, x);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<int> AddNonNegative(Vector512<int> acc, Vector512<byte> w, Vector512<sbyte> x) => Add(acc, x.AsByte(), w.AsSByte());

    /// <summary>acc + u · s, s not being −128.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<int> Add(Vector512<int> acc, Vector512<byte> u, Vector512<sbyte> s)
    {
#if NET11_0_OR_GREATER
        return AvxVnni.V512.MultiplyWideningAndAdd(acc, u, s);
#else
        Vector512<byte> upper = u & Vector512.Create((byte)128); // apart, so that pairs of products fit int16
        return acc + Avx512BW.MultiplyAddAdjacent(Avx512BW.MultiplyAddAdjacent(u - upper, s), Vector512<short>.One)
            + Avx512BW.MultiplyAddAdjacent(Avx512BW.MultiplyAddAdjacent(upper, s), Vector512<short>.One);
#endif
    }
}
