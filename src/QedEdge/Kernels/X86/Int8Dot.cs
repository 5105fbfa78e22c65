using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace QedEdge.Kernels.X86;

/// <summary>
/// The 4-way dot product of bytes, lane by lane, as AVX2 has it and as AVX-VNNI has it. One factor of both instructions is
/// unsigned, so weights are taken as nibbles 0..15 or as bytes made unsigned, and what that adds is taken back at the start
/// of a block: every result is exact.
/// </summary>
internal interface IInt8Dot
{
    /// <summary>The kernel set's name.</summary>
    static abstract string Name { get; }

    /// <summary>Whether a tile of three tokens, where there are no more, spares enough: one of four that computes the third twice has a third more products.</summary>
    static virtual bool HasThree => false;

    /// <summary>Sums for <see cref="AddNibbles"/> to begin with, <paramref name="offset"/> being the pair of <see cref="Activations.Offsets"/> in every lane.</summary>
    static abstract Vector256<int> StartNibbles(Vector256<int> offset);

    /// <summary>acc + nibbles · x; within one block only, then <see cref="FinishNibbles"/>.</summary>
    static abstract Vector256<int> AddNibbles(Vector256<int> acc, Vector256<byte> nibbles, Vector256<sbyte> x);

    /// <summary>The block's eight sums as int32 lanes.</summary>
    static abstract Vector256<int> FinishNibbles(Vector256<int> acc);

    /// <summary>Sums for <see cref="AddBytes"/> to begin with.</summary>
    static abstract Vector256<int> StartBytes(Vector256<int> offset);

    /// <summary>Weights as <see cref="AddBytes"/> takes them, once for all tokens.</summary>
    static abstract Vector256<sbyte> Bytes(Vector256<sbyte> w);

    /// <summary>acc + w · x</summary>
    static abstract Vector256<int> AddBytes(Vector256<int> acc, Vector256<sbyte> w, Vector256<sbyte> x);

    /// <summary>acc + w · x, w not being −128.</summary>
    static abstract Vector256<int> AddLevels(Vector256<int> acc, Vector256<sbyte> w, Vector256<sbyte> x);

    /// <summary>acc + w · x for x of 0..127, w not being −128: nothing to take back.</summary>
    static abstract Vector256<int> AddNonNegative(Vector256<int> acc, Vector256<sbyte> w, Vector256<byte> x);
}

/// <summary>AVX2: pairs of products as int16, which never overflow (see each member).</summary>
internal readonly struct Avx2Dot : IInt8Dot
{
    public static string Name => "avx2";

    public static bool HasThree => true;

    // The accumulator is 16 lanes of int16. A block's result fits, |Σ (n − 8) · x| ≤ 16 · 8 · 127 = 16256, and so does a pair of
    // products; what happens in between may wrap around and comes back.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<int> StartNibbles(Vector256<int> offset) => offset;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<int> AddNibbles(Vector256<int> acc, Vector256<byte> nibbles, Vector256<sbyte> x) =>
        (acc.AsInt16() + Avx2.MultiplyAddAdjacent(nibbles, x)).AsInt32();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<int> FinishNibbles(Vector256<int> acc) => Avx2.MultiplyAddAdjacent(acc.AsInt16(), Vector256<short>.One);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<int> StartBytes(Vector256<int> offset) => default;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<sbyte> Bytes(Vector256<sbyte> w) => w;

    // |w| · (x with w's sign): 2 · 128 · 127 = 32512 fits int16.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<int> AddBytes(Vector256<int> acc, Vector256<sbyte> w, Vector256<sbyte> x) =>
        acc + Avx2.MultiplyAddAdjacent(Avx2.MultiplyAddAdjacent(Avx2.Abs(w), Avx2.Sign(x, w)), Vector256<short>.One);

    // As above with the parts exchanged: the magnitude of activations serves two row groups, that of weights none but their own.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<int> AddLevels(Vector256<int> acc, Vector256<sbyte> w, Vector256<sbyte> x) =>
        acc + Avx2.MultiplyAddAdjacent(Avx2.MultiplyAddAdjacent(Avx2.Abs(x), Avx2.Sign(w, x)), Vector256<short>.One);

    // 2 · 127 · 127 = 32258 fits int16.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<int> AddNonNegative(Vector256<int> acc, Vector256<sbyte> w, Vector256<byte> x) =>
        acc + Avx2.MultiplyAddAdjacent(Avx2.MultiplyAddAdjacent(x, w), Vector256<short>.One);
}

/// <summary>AVX-VNNI (Alder Lake, Sapphire Rapids, Zen 5 and newer): four products and the addition in one instruction.</summary>
internal readonly struct AvxVnniDot : IInt8Dot
{
    public static string Name => "avxvnni";

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<int> StartNibbles(Vector256<int> offset) => Avx2.MultiplyAddAdjacent(offset.AsInt16(), Vector256<short>.One);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<int> AddNibbles(Vector256<int> acc, Vector256<byte> nibbles, Vector256<sbyte> x) =>
        AvxVnni.MultiplyWideningAndAdd(acc, nibbles, x);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<int> FinishNibbles(Vector256<int> acc) => acc;

    // Bytes are 128 too large, 16 times what nibbles are.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<int> StartBytes(Vector256<int> offset) => StartNibbles(offset) << 4;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<sbyte> Bytes(Vector256<sbyte> w) => w ^ Vector256.Create((sbyte)-128);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<int> AddBytes(Vector256<int> acc, Vector256<sbyte> w, Vector256<sbyte> x) =>
        AvxVnni.MultiplyWideningAndAdd(acc, w.AsByte(), x);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<int> AddLevels(Vector256<int> acc, Vector256<sbyte> w, Vector256<sbyte> x) => AddBytes(acc, w, x);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<int> AddNonNegative(Vector256<int> acc, Vector256<sbyte> w, Vector256<byte> x) =>
        AvxVnni.MultiplyWideningAndAdd(acc, x, w);
}
