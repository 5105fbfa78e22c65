using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace QedEdge.Kernels.X86;

/// <summary>
/// The 4-way dot product of bytes, lane by lane, as AVX2 has it and as AVX-VNNI has it. Both are exact; what differs is how many
/// instructions it takes and what has to be taken back at the end of a block.
/// </summary>
internal interface IInt8Dot
{
    /// <summary>acc + nibbles (0..15) · x; over one block only, then <see cref="FinishNibbles"/>.</summary>
    static abstract Vector256<int> AddNibbles(Vector256<int> acc, Vector256<byte> nibbles, Vector256<sbyte> x);

    /// <summary>The block's eight sums of <see cref="AddNibbles"/> as int32 lanes.</summary>
    static abstract Vector256<int> FinishNibbles(Vector256<int> acc);

    /// <summary>A vector of int8 weights made unsigned, once for all tokens.</summary>
    static abstract Vector256<byte> Unsigned(Vector256<sbyte> w);

    /// <summary>acc + (w + <see cref="Offset"/>) · x, <paramref name="u"/> being <see cref="Unsigned"/> of <paramref name="w"/>.</summary>
    static abstract Vector256<int> AddBytes(Vector256<int> acc, Vector256<byte> u, Vector256<sbyte> w, Vector256<sbyte> x);

    /// <summary>What <see cref="AddBytes"/> has added to every weight.</summary>
    static abstract int Offset { get; }
}

/// <summary>AVX2: pairs of products as int16, which never overflow (see each member).</summary>
internal readonly struct Avx2Dot : IInt8Dot
{
    /// <inheritdoc/>
    public static int Offset => 0;

    // The accumulator is 16 lanes of int16: eight vectors add 8 · 2 · 15 · 127 = 30480 at most, so one widening per block is enough.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<int> AddNibbles(Vector256<int> acc, Vector256<byte> nibbles, Vector256<sbyte> x) =>
        (acc.AsInt16() + Avx2.MultiplyAddAdjacent(nibbles, x)).AsInt32();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<int> FinishNibbles(Vector256<int> acc) =>
        Avx2.MultiplyAddAdjacent(acc.AsInt16(), Vector256<short>.One);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<byte> Unsigned(Vector256<sbyte> w) => Avx2.Abs(w);

    // |w| · (x with w's sign): 2 · 128 · 127 = 32512 fits int16.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<int> AddBytes(Vector256<int> acc, Vector256<byte> u, Vector256<sbyte> w, Vector256<sbyte> x) =>
        acc + Avx2.MultiplyAddAdjacent(Avx2.MultiplyAddAdjacent(u, Avx2.Sign(x, w)), Vector256<short>.One);
}

/// <summary>AVX-VNNI (Alder Lake, Sapphire Rapids, Zen 5 and newer): four products and the addition in one instruction.</summary>
internal readonly struct AvxVnniDot : IInt8Dot
{
    /// <inheritdoc/>
    public static int Offset => 128;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<int> AddNibbles(Vector256<int> acc, Vector256<byte> nibbles, Vector256<sbyte> x) =>
        AvxVnni.MultiplyWideningAndAdd(acc, nibbles, x);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<int> FinishNibbles(Vector256<int> acc) => acc;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<byte> Unsigned(Vector256<sbyte> w) => w.AsByte() ^ Vector256.Create((byte)0x80);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<int> AddBytes(Vector256<int> acc, Vector256<byte> u, Vector256<sbyte> w, Vector256<sbyte> x) =>
        AvxVnni.MultiplyWideningAndAdd(acc, u, x);
}
