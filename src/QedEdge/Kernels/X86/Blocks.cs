using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using QedEdge.Quantization;

namespace QedEdge.Kernels.X86;

/// <summary>How a block of a row group (8 rows, 32 columns) is stored, in vectors of four columns of each row, and multiplied with a token's quants.</summary>
internal unsafe interface IBlock<TSelf> where TSelf : struct, IBlock<TSelf>
{
    /// <summary>Bytes of a block without its scales.</summary>
    static abstract int Bytes { get; }

    /// <summary>Whether quants are stored as bytes, and sums need no <see cref="Finish"/>: <see cref="ByteTile{TBlock}"/> takes them.</summary>
    static virtual bool IsBytes => false;

    /// <summary><see cref="IInt8Dot.HasThree"/></summary>
    static virtual bool HasThree => false;

    /// <summary>What the blocks of a format need to be read with.</summary>
    static virtual TSelf Of(BlockFormat format) => default;

    /// <summary>Whether there is a <see cref="Factor"/>.</summary>
    static virtual bool HasFactor => false;

    /// <summary>A power of two that scales are multiplied by.</summary>
    float Factor => 1f;

    /// <summary>Sums to begin a block with.</summary>
    /// <param name="offset">The token's, of <see cref="Activations.Offsets"/>.</param>
    /// <param name="unsigned">Whether quants count what they are, as those of formats with mins do; else half of a nibble's and of more bits are negative.</param>
    static virtual Vector256<int> Start(int offset, bool unsigned) => default;

    /// <summary>Whether quants have more than a nibble, or a byte.</summary>
    static virtual bool HasUpper => false;

    /// <summary>The upper bits of the first columns' quants of the block at <paramref name="w"/>.</summary>
    static virtual Vector256<byte> UpperFirst(byte* w) => default;

    /// <summary>The same of those 16 further on.</summary>
    static virtual Vector256<byte> UpperSecond(byte* w) => default;

    /// <summary>Upper bits moved on by a step.</summary>
    static virtual Vector256<byte> Shift(Vector256<byte> upper) => upper;

    /// <summary>The four columns at <paramref name="w"/>.</summary>
    Vector256<sbyte> First(byte* w, Vector256<byte> upper);

    /// <summary>The four columns 16 further on.</summary>
    Vector256<sbyte> Second(byte* w, Vector256<byte> upper);

    /// <summary>Adds the products of four columns; at most eight times before <see cref="Finish"/>.</summary>
    static abstract Vector256<int> Add(Vector256<int> acc, Vector256<sbyte> w, Vector256<sbyte> x);

    /// <summary>As <see cref="Add"/>, for a token that shares the weights with no other.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static virtual Vector256<int> AddAlone(Vector256<int> acc, Vector256<sbyte> w, Vector256<sbyte> x) => TSelf.Add(acc, w, x);

    /// <summary>The sums as eight int32, one per row, offset and signs being as for <see cref="Start"/>.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static virtual Vector256<int> Finish(Vector256<int> acc, int offset, bool unsigned) => acc;
}

/// <summary>
/// int4: the lower halves of 32 bytes are columns 4j .. 4j + 3, the upper ones 16 + 4j .. 19 + 4j; taken as 0..15. Unsigned, sums end within 16 · 15 · 127 = 30480,
/// which fits int16 (<see cref="Avx2Dot"/>).
/// </summary>
internal readonly unsafe struct Nibbles<TDot> : IBlock<Nibbles<TDot>> where TDot : struct, IInt8Dot
{
    private static Vector256<byte> Low => Vector256.Create((byte)15);

    public static int Bytes => PackedLayout.GroupRows * PackedLayout.BlockSize / 2;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<int> Start(int offset, bool unsigned) => unsigned ? default : TDot.StartNibbles(Vector256.Create(offset));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<sbyte> Lower(byte* w) => (Vector256.Load(w) & Low).AsSByte();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<sbyte> Higher(byte* w) => ((Vector256.Load(w).AsUInt16() >>> 4).AsByte() & Low).AsSByte();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public Vector256<sbyte> First(byte* w, Vector256<byte> upper) => Lower(w);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public Vector256<sbyte> Second(byte* w, Vector256<byte> upper) => Higher(w);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<int> Add(Vector256<int> acc, Vector256<sbyte> w, Vector256<sbyte> x) => TDot.AddNibbles(acc, w.AsByte(), x);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<int> Finish(Vector256<int> acc, int offset, bool unsigned) => TDot.FinishNibbles(acc);
}

/// <summary>Nonlinear int4: stored like int4; a nibble is an index of the sixteen levels, which are multiplied as int8.</summary>
internal readonly unsafe struct NonlinearNibbles<TDot> : IBlock<NonlinearNibbles<TDot>> where TDot : struct, IInt8Dot
{
    /// <summary><see cref="NonlinearLevels.Values"/> in both halves, as TDot takes weights: so it need not convert each.</summary>
    public static Vector256<byte> Levels
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => TDot.Bytes(Vector256.Create(
            -127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113, -127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113)).AsByte();
    }

    public static int Bytes => Nibbles<TDot>.Bytes;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<int> Start(int offset, bool unsigned) => SignedBytes<TDot>.Start(offset, unsigned);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public Vector256<sbyte> First(byte* w, Vector256<byte> upper) => Avx2.Shuffle(Levels, Nibbles<TDot>.Lower(w).AsByte()).AsSByte();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public Vector256<sbyte> Second(byte* w, Vector256<byte> upper) => Avx2.Shuffle(Levels, Nibbles<TDot>.Higher(w).AsByte()).AsSByte();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<int> Add(Vector256<int> acc, Vector256<sbyte> w, Vector256<sbyte> x) => SignedBytes<TDot>.Add(acc, w, x);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<int> AddAlone(Vector256<int> acc, Vector256<sbyte> w, Vector256<sbyte> x) => TDot.AddLevels(acc, w, x);
}

/// <summary>int8: 32 bytes are columns 4j .. 4j + 3.</summary>
internal readonly unsafe struct SignedBytes<TDot> : IBlock<SignedBytes<TDot>> where TDot : struct, IInt8Dot
{
    public static int Bytes => PackedLayout.GroupRows * PackedLayout.BlockSize;

    public static bool IsBytes => true;

    public static bool HasThree => TDot.HasThree;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<int> Start(int offset, bool unsigned) => TDot.StartBytes(Vector256.Create(offset));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public Vector256<sbyte> First(byte* w, Vector256<byte> upper) => TDot.Bytes(Vector256.Load((sbyte*)w));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public Vector256<sbyte> Second(byte* w, Vector256<byte> upper) => First(w + Bytes / 2, upper);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<int> Add(Vector256<int> acc, Vector256<sbyte> w, Vector256<sbyte> x) => TDot.AddBytes(acc, w, x);
}

/// <summary>int8 as well, for inputs without negative quants.</summary>
internal readonly unsafe struct BytesByNonNegative<TDot> : IBlock<BytesByNonNegative<TDot>> where TDot : struct, IInt8Dot
{
    public static int Bytes => SignedBytes<TDot>.Bytes;

    public static bool IsBytes => true;

    public static bool HasThree => TDot.HasThree;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public Vector256<sbyte> First(byte* w, Vector256<byte> upper) => Vector256.Load((sbyte*)w);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public Vector256<sbyte> Second(byte* w, Vector256<byte> upper) => First(w + Bytes / 2, upper);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<int> Add(Vector256<int> acc, Vector256<sbyte> w, Vector256<sbyte> x) => TDot.AddNonNegative(acc, w, x.AsByte());
}
