using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using QedEdge.Quantization;
using QedEdge.Quantization.Formats;

namespace QedEdge.Kernels.X86;

/// <summary>
/// Quants of five bits, n counting n − 16: sums begin at −16 Σ x and end within 16 · 16 · 127 = 32512, which fits int16 (<see cref="Avx2Dot"/>). Unsigned ones are summed
/// alike, and what that takes away is given back.
/// </summary>
internal readonly unsafe struct Fives<TDot> : IBlock<Fives<TDot>> where TDot : struct, IInt8Dot
{
    private static Vector256<byte> Fifth => Vector256.Create((byte)16);

    public static int Bytes => PackedCodes.Bytes(5);

    public static bool HasUpper => true;

    /// <summary>−16 Σ x, as the pairs of sums.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<int> Start(int offset, bool unsigned) => TDot.StartNibbles((Vector256.Create(offset).AsInt16() << 1).AsInt32());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<byte> UpperFirst(byte* w) => (UpperSecond(w).AsUInt16() << 4).AsByte();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<byte> UpperSecond(byte* w) => Vector256.Load(w + Nibbles<TDot>.Bytes);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<byte> Shift(Vector256<byte> upper) => (upper.AsUInt16() >>> 1).AsByte();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public Vector256<sbyte> First(byte* w, Vector256<byte> upper) => Nibbles<TDot>.Lower(w) | (upper & Fifth).AsSByte();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public Vector256<sbyte> Second(byte* w, Vector256<byte> upper) => Nibbles<TDot>.Higher(w) | (upper & Fifth).AsSByte();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<int> Add(Vector256<int> acc, Vector256<sbyte> w, Vector256<sbyte> x) => TDot.AddNibbles(acc, w.AsByte(), x);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<int> Finish(Vector256<int> acc, int offset, bool unsigned) =>
        unsigned ? TDot.FinishNibbles(acc) + Vector256.Create(16 * Activations.Sum(offset)) : TDot.FinishNibbles(acc);
}

/// <summary>
/// Quants of six bits, n counting n − 32, a scale for each 16 columns: sums begin at −32 Σ x and end within 8 · 32 · 127 = 32512, which fits int16
/// (<see cref="Avx2Dot"/>).
/// </summary>
internal readonly unsafe struct Sixes<TDot> : IBlock<Sixes<TDot>> where TDot : struct, IInt8Dot
{
    private static Vector256<byte> Upper => Vector256.Create((byte)0x30);

    public static int Bytes => PackedCodes.Bytes(6);

    public static bool HasUpper => true;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<int> Start(int offset, bool unsigned) => TDot.StartNibbles((Vector256.Create(offset).AsInt16() << 2).AsInt32());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<byte> UpperFirst(byte* w) => Vector256.Load(w + Nibbles<TDot>.Bytes);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<byte> UpperSecond(byte* w) => Vector256.Load(w + Nibbles<TDot>.Bytes + Vector256<byte>.Count);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<byte> Shift(Vector256<byte> upper) => (upper.AsUInt16() >>> 2).AsByte();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public Vector256<sbyte> First(byte* w, Vector256<byte> upper) => Nibbles<TDot>.Lower(w) | ((upper.AsUInt16() << 4).AsByte() & Upper).AsSByte();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public Vector256<sbyte> Second(byte* w, Vector256<byte> upper) => Nibbles<TDot>.Higher(w) | ((upper.AsUInt16() << 4).AsByte() & Upper).AsSByte();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<int> Add(Vector256<int> acc, Vector256<sbyte> w, Vector256<sbyte> x) => TDot.AddNibbles(acc, w.AsByte(), x);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<int> Finish(Vector256<int> acc, int offset, bool unsigned) => TDot.FinishNibbles(acc);
}

/// <summary>Nibbles that are indices of a format's own sixteen levels, multiplied as int8.</summary>
internal readonly unsafe struct TableNibbles<TDot> : IBlock<TableNibbles<TDot>> where TDot : struct, IInt8Dot
{
    private readonly Vector256<byte> _levels;

    private TableNibbles(ImportedFormat format)
    {
        Vector128<sbyte> levels = Vector128.Create(format.Levels);
        _levels = TDot.Bytes(Vector256.Create(levels, levels)).AsByte();
        Factor = format.Factor;
    }

    public static TableNibbles<TDot> Of(BlockFormat format) => new((ImportedFormat)format.Info());

    public static bool HasFactor => true;

    public float Factor { get; }

    public static int Bytes => Nibbles<TDot>.Bytes;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<int> Start(int offset, bool unsigned) => SignedBytes<TDot>.Start(offset, unsigned);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public Vector256<sbyte> First(byte* w, Vector256<byte> upper) => Avx2.Shuffle(_levels, Nibbles<TDot>.Lower(w).AsByte()).AsSByte();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public Vector256<sbyte> Second(byte* w, Vector256<byte> upper) => Avx2.Shuffle(_levels, Nibbles<TDot>.Higher(w).AsByte()).AsSByte();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<int> Add(Vector256<int> acc, Vector256<sbyte> w, Vector256<sbyte> x) => SignedBytes<TDot>.Add(acc, w, x);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<int> AddAlone(Vector256<int> acc, Vector256<sbyte> w, Vector256<sbyte> x) => TDot.AddLevels(acc, w, x);
}
