using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using QedEdge.Quantization;
using QedEdge.Quantization.Formats;

namespace QedEdge.Kernels.X86;

/// <summary><see cref="IBlock{TSelf}"/> with 512 bits: the same block of two row groups in one vector.</summary>
internal unsafe interface IWideBlock<TSelf> where TSelf : struct, IWideBlock<TSelf>
{
    /// <summary>Bytes of a block of one row group without its scales.</summary>
    static abstract int Bytes { get; }

    /// <summary>What the blocks of a format need to be read with.</summary>
    static virtual TSelf Of(BlockFormat format) => default;

    /// <summary>Whether there is a <see cref="Factor"/>.</summary>
    static virtual bool HasFactor => false;

    /// <summary>A power of two that scales are multiplied by.</summary>
    float Factor => 1f;

    /// <summary>Sums to begin a block with.</summary>
    /// <param name="offset">The token's, of <see cref="Activations.Offsets"/>.</param>
    /// <param name="unsigned">Whether codes count what they are, as those of formats with mins do; else half of them are negative.</param>
    static abstract Vector512<int> Start(int offset, bool unsigned);

    /// <summary>The upper bits of the first columns' codes, of the blocks at <paramref name="w0"/> and <paramref name="w1"/>.</summary>
    static virtual Vector512<byte> UpperFirst(byte* w0, byte* w1) => default;

    /// <summary>The same of those 16 further on.</summary>
    static virtual Vector512<byte> UpperSecond(byte* w0, byte* w1) => default;

    /// <summary>Columns 4j .. 4j + 3.</summary>
    Vector512<byte> First(byte* w0, byte* w1, Vector512<byte> upper, int j);

    /// <summary>The four columns 16 further on.</summary>
    Vector512<byte> Second(byte* w0, byte* w1, Vector512<byte> upper, int j);

    /// <summary>Adds the products of four columns; at most eight times before <see cref="Finish"/>.</summary>
    static abstract Vector512<int> Add(Vector512<int> acc, Vector512<byte> w, Vector512<sbyte> x);

    /// <summary>The sums as sixteen int32, one per row, offset and signs being as for <see cref="Start"/>.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static virtual Vector512<int> Finish(Vector512<int> acc, int offset, bool unsigned) => acc;
}

/// <summary><see cref="Nibbles{TDot}"/> of two row groups.</summary>
internal readonly unsafe struct WideNibbles<TDot> : IWideBlock<WideNibbles<TDot>> where TDot : struct, IWideDot
{
    public static int Bytes => Nibbles<Avx2Dot>.Bytes;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<int> Start(int offset, bool unsigned) => unsigned ? default : TDot.StartCodes(offset, 1);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public Vector512<byte> First(byte* w0, byte* w1, Vector512<byte> upper, int j) => Lower(w0, w1, j);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public Vector512<byte> Second(byte* w0, byte* w1, Vector512<byte> upper, int j) => Higher(w0, w1, j);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<int> Add(Vector512<int> acc, Vector512<byte> w, Vector512<sbyte> x) => TDot.AddCodes(acc, w, x);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<int> Finish(Vector512<int> acc, int offset, bool unsigned) => TDot.FinishCodes(acc);

    /// <summary>32 bytes of each row group.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<byte> Load(byte* w0, byte* w1) => Vector256.Load(w0).ToVector512Unsafe().WithUpper(Vector256.Load(w1));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<byte> Lower(byte* w0, byte* w1, int j) => Load(w0 + 32 * j, w1 + 32 * j) & Vector512.Create((byte)15);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<byte> Higher(byte* w0, byte* w1, int j) => (Load(w0 + 32 * j, w1 + 32 * j).AsUInt16() >>> 4).AsByte() & Vector512.Create((byte)15);
}

/// <summary><see cref="Fives{TDot}"/> of two row groups; their bounds count where sums are pairs.</summary>
internal readonly unsafe struct WideFives<TDot> : IWideBlock<WideFives<TDot>> where TDot : struct, IWideDot
{
    private static Vector512<byte> Fifth => Vector512.Create((byte)16);

    public static int Bytes => Fives<Avx2Dot>.Bytes;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<int> Start(int offset, bool unsigned) => unsigned && !TDot.HasPairs ? default : TDot.StartCodes(offset, 2);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<byte> UpperFirst(byte* w0, byte* w1) => UpperSecond(w0, w1);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<byte> UpperSecond(byte* w0, byte* w1) => WideNibbles<TDot>.Load(w0 + WideNibbles<TDot>.Bytes, w1 + WideNibbles<TDot>.Bytes);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public Vector512<byte> First(byte* w0, byte* w1, Vector512<byte> upper, int j) => WideNibbles<TDot>.Lower(w0, w1, j) | ((upper.AsUInt16() << (4 - j)).AsByte() & Fifth);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public Vector512<byte> Second(byte* w0, byte* w1, Vector512<byte> upper, int j) => WideNibbles<TDot>.Higher(w0, w1, j) | ((upper.AsUInt16() >>> j).AsByte() & Fifth);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<int> Add(Vector512<int> acc, Vector512<byte> w, Vector512<sbyte> x) => TDot.AddCodes(acc, w, x);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<int> Finish(Vector512<int> acc, int offset, bool unsigned) =>
        unsigned && TDot.HasPairs ? TDot.FinishCodes(acc) + Vector512.Create(16 * Activations.Sum(offset)) : TDot.FinishCodes(acc);
}

/// <summary><see cref="Sixes{TDot}"/> of two row groups.</summary>
internal readonly unsafe struct WideSixes<TDot> : IWideBlock<WideSixes<TDot>> where TDot : struct, IWideDot
{
    public static int Bytes => Sixes<Avx2Dot>.Bytes;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<int> Start(int offset, bool unsigned) => TDot.StartCodes(offset, 4);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<byte> UpperFirst(byte* w0, byte* w1) => WideNibbles<TDot>.Load(w0 + WideNibbles<TDot>.Bytes, w1 + WideNibbles<TDot>.Bytes);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<byte> UpperSecond(byte* w0, byte* w1) => UpperFirst(w0 + 32, w1 + 32);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public Vector512<byte> First(byte* w0, byte* w1, Vector512<byte> upper, int j) => WideNibbles<TDot>.Lower(w0, w1, j) | Fifth(upper, j);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public Vector512<byte> Second(byte* w0, byte* w1, Vector512<byte> upper, int j) => WideNibbles<TDot>.Higher(w0, w1, j) | Fifth(upper, j);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<int> Add(Vector512<int> acc, Vector512<byte> w, Vector512<sbyte> x) => TDot.AddCodes(acc, w, x);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<int> Finish(Vector512<int> acc, int offset, bool unsigned) => TDot.FinishCodes(acc);

    /// <summary>Bits 2j and 2j + 1 as the fifth and sixth.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<byte> Fifth(Vector512<byte> upper, int j) =>
        (j < 2 ? upper.AsUInt16() << (4 - 2 * j) : upper.AsUInt16() >>> (2 * j - 4)).AsByte() & Vector512.Create((byte)0x30);
}

/// <summary><see cref="NonlinearNibbles{TDot}"/> and <see cref="TableNibbles{TDot}"/> of two row groups.</summary>
internal readonly unsafe struct WideTableNibbles<TDot> : IWideBlock<WideTableNibbles<TDot>> where TDot : struct, IWideDot
{
    private readonly Vector512<byte> _levels;

    private WideTableNibbles(FormatInfo format)
    {
        Vector128<byte> levels = Vector128.Create(format.Levels).AsByte();
        _levels = TDot.Bytes(Vector512.Create(Vector256.Create(levels, levels), Vector256.Create(levels, levels)));
        Factor = format is ImportedFormat imported ? imported.Factor : 1f;
    }

    public static WideTableNibbles<TDot> Of(BlockFormat format) => new(format.Info());

    public static bool HasFactor => true;

    public float Factor { get; }

    public static int Bytes => WideNibbles<TDot>.Bytes;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<int> Start(int offset, bool unsigned) => TDot.StartBytes(offset);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public Vector512<byte> First(byte* w0, byte* w1, Vector512<byte> upper, int j) => Avx512BW.Shuffle(_levels, WideNibbles<TDot>.Lower(w0, w1, j));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public Vector512<byte> Second(byte* w0, byte* w1, Vector512<byte> upper, int j) => Avx512BW.Shuffle(_levels, WideNibbles<TDot>.Higher(w0, w1, j));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<int> Add(Vector512<int> acc, Vector512<byte> w, Vector512<sbyte> x) => TDot.AddBytes(acc, w, x);
}

/// <summary><see cref="SignedBytes{TDot}"/> of two row groups.</summary>
internal readonly unsafe struct WideBytes<TDot> : IWideBlock<WideBytes<TDot>> where TDot : struct, IWideDot
{
    public static int Bytes => SignedBytes<Avx2Dot>.Bytes;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<int> Start(int offset, bool unsigned) => TDot.StartBytes(offset);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public Vector512<byte> First(byte* w0, byte* w1, Vector512<byte> upper, int j) => TDot.Bytes(WideNibbles<TDot>.Load(w0 + 32 * j, w1 + 32 * j));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public Vector512<byte> Second(byte* w0, byte* w1, Vector512<byte> upper, int j) => First(w0 + Bytes / 2, w1 + Bytes / 2, upper, j);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<int> Add(Vector512<int> acc, Vector512<byte> w, Vector512<sbyte> x) => TDot.AddBytes(acc, w, x);
}

/// <summary><see cref="BytesByNonNegative{TDot}"/> of two row groups.</summary>
internal readonly unsafe struct WideBytesByNonNegative<TDot> : IWideBlock<WideBytesByNonNegative<TDot>> where TDot : struct, IWideDot
{
    public static int Bytes => SignedBytes<Avx2Dot>.Bytes;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<int> Start(int offset, bool unsigned) => default;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public Vector512<byte> First(byte* w0, byte* w1, Vector512<byte> upper, int j) => WideNibbles<TDot>.Load(w0 + 32 * j, w1 + 32 * j);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public Vector512<byte> Second(byte* w0, byte* w1, Vector512<byte> upper, int j) => First(w0 + Bytes / 2, w1 + Bytes / 2, upper, j);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<int> Add(Vector512<int> acc, Vector512<byte> w, Vector512<sbyte> x) => TDot.AddNonNegative(acc, w, x);
}
