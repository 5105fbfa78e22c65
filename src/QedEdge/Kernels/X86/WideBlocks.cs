using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using QedEdge.Quantization;

namespace QedEdge.Kernels.X86;

/// <summary><see cref="IBlock{TSelf}"/> with 512 bits: the same block of two row groups in one vector.</summary>
internal unsafe interface IWideBlock
{
    /// <summary>Sums to begin a block with, from the token's <see cref="Activations.Offsets"/>.</summary>
    static abstract Vector512<int> Start(int offset);

    /// <summary>The four columns at <paramref name="w0"/> and <paramref name="w1"/>.</summary>
    static abstract Vector512<sbyte> First(byte* w0, byte* w1);

    /// <summary>The four columns 16 further on.</summary>
    static abstract Vector512<sbyte> Second(byte* w0, byte* w1);

    /// <summary>Adds the products of four columns; at most eight times before <see cref="Finish"/>.</summary>
    static abstract Vector512<int> Add(Vector512<int> acc, Vector512<sbyte> w, Vector512<sbyte> x);

    /// <summary>The sums as sixteen int32, one per row.</summary>
    static abstract Vector512<int> Finish(Vector512<int> acc);
}

/// <summary><see cref="Nibbles{TDot}"/> of two row groups; the bounds are those of <see cref="Avx2Dot"/>.</summary>
internal readonly unsafe struct WideNibbles : IWideBlock
{
    private static Vector512<byte> Low => Vector512.Create((byte)15);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<int> Start(int offset) => Vector512.Create(offset);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<sbyte> First(byte* w0, byte* w1) => (WideBytes.First(w0, w1).AsByte() & Low).AsSByte();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<sbyte> Second(byte* w0, byte* w1) => ((WideBytes.First(w0, w1).AsUInt16() >>> 4).AsByte() & Low).AsSByte();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<int> Add(Vector512<int> acc, Vector512<sbyte> w, Vector512<sbyte> x) =>
        (acc.AsInt16() + Avx512BW.MultiplyAddAdjacent(w.AsByte(), x)).AsInt32();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<int> Finish(Vector512<int> acc) => Avx512BW.MultiplyAddAdjacent(acc.AsInt16(), Vector512<short>.One);
}

/// <summary><see cref="NonlinearNibbles{TDot}"/> of two row groups.</summary>
internal readonly unsafe struct WideNonlinearNibbles : IWideBlock
{
    /// <summary><see cref="NonlinearLevels.Values"/> in all four quarters.</summary>
    private static Vector512<byte> Levels
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => Vector512.Create(NonlinearNibbles<Avx2Dot>.Levels, NonlinearNibbles<Avx2Dot>.Levels);
    }

    public static Vector512<int> Start(int offset) => default;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<sbyte> First(byte* w0, byte* w1) => Avx512BW.Shuffle(Levels, WideNibbles.First(w0, w1).AsByte()).AsSByte();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<sbyte> Second(byte* w0, byte* w1) => Avx512BW.Shuffle(Levels, WideNibbles.Second(w0, w1).AsByte()).AsSByte();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<int> Add(Vector512<int> acc, Vector512<sbyte> w, Vector512<sbyte> x) => WideBytes.Add(acc, w, x);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<int> Finish(Vector512<int> acc) => acc;
}

/// <summary><see cref="SignedBytes{TDot}"/> of two row groups without a dot product: a masked subtraction gives activations the weights' signs.</summary>
internal readonly unsafe struct WideBytes : IWideBlock
{
    public static Vector512<int> Start(int offset) => default;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<sbyte> First(byte* w0, byte* w1) => Vector256.Load((sbyte*)w0).ToVector512Unsafe().WithUpper(Vector256.Load((sbyte*)w1));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<sbyte> Second(byte* w0, byte* w1) => First(w0 + SignedBytes<Avx2Dot>.Bytes / 2, w1 + SignedBytes<Avx2Dot>.Bytes / 2);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<int> Add(Vector512<int> acc, Vector512<sbyte> w, Vector512<sbyte> x) =>
        AddPairs(acc, Avx512BW.Abs(w), Vector512.ConditionalSelect(Vector512.LessThan(w, Vector512<sbyte>.Zero), Vector512<sbyte>.Zero - x, x));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<int> Finish(Vector512<int> acc) => acc;

    /// <summary>acc + a · b, pairs of products fitting int16 (<see cref="Avx2Dot"/>).</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<int> AddPairs(Vector512<int> acc, Vector512<byte> a, Vector512<sbyte> b) =>
        acc + Avx512BW.MultiplyAddAdjacent(Avx512BW.MultiplyAddAdjacent(a, b), Vector512<short>.One);
}

/// <summary><see cref="BytesByNonNegative{TDot}"/> of two row groups.</summary>
internal readonly unsafe struct WideBytesByNonNegative : IWideBlock
{
    public static Vector512<int> Start(int offset) => default;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<sbyte> First(byte* w0, byte* w1) => WideBytes.First(w0, w1);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<sbyte> Second(byte* w0, byte* w1) => WideBytes.Second(w0, w1);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<int> Add(Vector512<int> acc, Vector512<sbyte> w, Vector512<sbyte> x) => WideBytes.AddPairs(acc, x.AsByte(), w);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<int> Finish(Vector512<int> acc) => acc;
}
