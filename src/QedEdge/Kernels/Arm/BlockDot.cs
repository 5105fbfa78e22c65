using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.Arm;
using QedEdge.Quantization;

namespace QedEdge.Kernels.Arm;

/// <summary>Exact int32 dot products of one block (32 columns) of a row group (8 rows) with one token's quants.</summary>
internal unsafe interface IBlockDot
{
    /// <summary>The set's name.</summary>
    static abstract string Name { get; }

    /// <summary>Whether many tokens share weights (<see cref="BlockTile{TBlock}"/>); else each is multiplied alone.</summary>
    static abstract bool HasTiles { get; }

    /// <summary>What sums begin with: <paramref name="sum"/> in every lane, in a form that <see cref="ToSingle"/> reads.</summary>
    static abstract Vector128<int> Start(int sum);

    /// <summary>Sums as floats.</summary>
    static abstract Vector128<float> ToSingle(Vector128<int> sum);

    /// <summary>256 bytes of int8 weights, added to <paramref name="start"/>; rows 0..3 and 4..7.</summary>
    static abstract (Vector128<int> Low, Vector128<int> High) Bytes(sbyte* w, sbyte* x, Vector128<int> start);

    /// <summary>128 bytes of nibbles, taken as 0..15, added to <paramref name="start"/>; rows 0..3 and 4..7.</summary>
    static abstract (Vector128<int> Low, Vector128<int> High) Nibbles(byte* w, sbyte* x, Vector128<int> start);

    /// <summary>128 bytes of nibbles, taken as indices of <see cref="NonlinearLevels"/>, added to <paramref name="start"/>; rows 0..3 and 4..7.</summary>
    static abstract (Vector128<int> Low, Vector128<int> High) Levels(byte* w, sbyte* x, Vector128<int> start);
}

/// <summary>What sixteen nibbles count.</summary>
internal interface INibbles
{
    static abstract Vector128<sbyte> Of(Vector128<byte> nibbles);
}

/// <summary>Themselves.</summary>
internal readonly struct Linear : INibbles
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<sbyte> Of(Vector128<byte> nibbles) => nibbles.AsSByte();
}

/// <summary>Their levels (<see cref="NonlinearLevels.Values"/>).</summary>
internal readonly struct Nonlinear : INibbles
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<sbyte> Of(Vector128<byte> nibbles) =>
        AdvSimd.Arm64.VectorTableLookup(Vector128.Create(-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113), nibbles.AsSByte());
}

/// <summary>With the dot product of ARMv8.2 (Cortex-A76: Raspberry Pi 5): a lane of activations times four rows at once.</summary>
internal readonly unsafe struct DotProductDot : IBlockDot
{
    public static string Name => "neon-dp";

    public static bool HasTiles => true;

    // An int32 sum that begins with the bits of 1.5 · 2^23 is, read as a float, that number plus the sum, which stays below 2^22 (32 · 128 · 127
    // at most). The subtraction is exact and either vector unit does it; the conversion takes one unit two cycles.
    private const float Base = 12582912f;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<int> Start(int sum) => Vector128.Create(BitConverter.SingleToInt32Bits(Base) + sum);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> ToSingle(Vector128<int> sum) => sum.AsSingle() - Vector128.Create(Base);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static (Vector128<int> Low, Vector128<int> High) Bytes(sbyte* w, sbyte* x, Vector128<int> start)
    {
        Vector128<sbyte> x0 = Vector128.Load(x), x1 = Vector128.Load(x + 16);
        Vector128<int> low = start, high = start;
        low = Dp.DotProductBySelectedQuadruplet(low, Vector128.Load(w), x0, 0);
        high = Dp.DotProductBySelectedQuadruplet(high, Vector128.Load(w + 16), x0, 0);
        low = Dp.DotProductBySelectedQuadruplet(low, Vector128.Load(w + 32), x0, 1);
        high = Dp.DotProductBySelectedQuadruplet(high, Vector128.Load(w + 48), x0, 1);
        low = Dp.DotProductBySelectedQuadruplet(low, Vector128.Load(w + 64), x0, 2);
        high = Dp.DotProductBySelectedQuadruplet(high, Vector128.Load(w + 80), x0, 2);
        low = Dp.DotProductBySelectedQuadruplet(low, Vector128.Load(w + 96), x0, 3);
        high = Dp.DotProductBySelectedQuadruplet(high, Vector128.Load(w + 112), x0, 3);
        low = Dp.DotProductBySelectedQuadruplet(low, Vector128.Load(w + 128), x1, 0);
        high = Dp.DotProductBySelectedQuadruplet(high, Vector128.Load(w + 144), x1, 0);
        low = Dp.DotProductBySelectedQuadruplet(low, Vector128.Load(w + 160), x1, 1);
        high = Dp.DotProductBySelectedQuadruplet(high, Vector128.Load(w + 176), x1, 1);
        low = Dp.DotProductBySelectedQuadruplet(low, Vector128.Load(w + 192), x1, 2);
        high = Dp.DotProductBySelectedQuadruplet(high, Vector128.Load(w + 208), x1, 2);
        low = Dp.DotProductBySelectedQuadruplet(low, Vector128.Load(w + 224), x1, 3);
        high = Dp.DotProductBySelectedQuadruplet(high, Vector128.Load(w + 240), x1, 3);
        return (low, high);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static (Vector128<int> Low, Vector128<int> High) Nibbles(byte* w, sbyte* x, Vector128<int> start) => Halves<Linear>(w, x, start);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static (Vector128<int> Low, Vector128<int> High) Levels(byte* w, sbyte* x, Vector128<int> start) => Halves<Nonlinear>(w, x, start);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static (Vector128<int> Low, Vector128<int> High) Halves<T>(byte* w, sbyte* x, Vector128<int> start) where T : struct, INibbles
    {
        Vector128<sbyte> x0 = Vector128.Load(x), x1 = Vector128.Load(x + 16);
        Vector128<byte> mask = Vector128.Create((byte)15);
        Vector128<int> low = start, high = start;
        Vector128<byte> v = Vector128.Load(w), u = Vector128.Load(w + 16);
        low = Dp.DotProductBySelectedQuadruplet(low, T.Of(v & mask), x0, 0);
        high = Dp.DotProductBySelectedQuadruplet(high, T.Of(u & mask), x0, 0);
        low = Dp.DotProductBySelectedQuadruplet(low, T.Of(v >>> 4), x1, 0);
        high = Dp.DotProductBySelectedQuadruplet(high, T.Of(u >>> 4), x1, 0);
        v = Vector128.Load(w + 32);
        u = Vector128.Load(w + 48);
        low = Dp.DotProductBySelectedQuadruplet(low, T.Of(v & mask), x0, 1);
        high = Dp.DotProductBySelectedQuadruplet(high, T.Of(u & mask), x0, 1);
        low = Dp.DotProductBySelectedQuadruplet(low, T.Of(v >>> 4), x1, 1);
        high = Dp.DotProductBySelectedQuadruplet(high, T.Of(u >>> 4), x1, 1);
        v = Vector128.Load(w + 64);
        u = Vector128.Load(w + 80);
        low = Dp.DotProductBySelectedQuadruplet(low, T.Of(v & mask), x0, 2);
        high = Dp.DotProductBySelectedQuadruplet(high, T.Of(u & mask), x0, 2);
        low = Dp.DotProductBySelectedQuadruplet(low, T.Of(v >>> 4), x1, 2);
        high = Dp.DotProductBySelectedQuadruplet(high, T.Of(u >>> 4), x1, 2);
        v = Vector128.Load(w + 96);
        u = Vector128.Load(w + 112);
        low = Dp.DotProductBySelectedQuadruplet(low, T.Of(v & mask), x0, 3);
        high = Dp.DotProductBySelectedQuadruplet(high, T.Of(u & mask), x0, 3);
        low = Dp.DotProductBySelectedQuadruplet(low, T.Of(v >>> 4), x1, 3);
        high = Dp.DotProductBySelectedQuadruplet(high, T.Of(u >>> 4), x1, 3);
        return (low, high);
    }
}

/// <summary>
/// Without it (Cortex-A53, A72: Raspberry Pi 3, 4, Zero 2 W): widening multiplies, summed as int16 for as long as they fit. One unit does
/// the multiplications, eight at a time, so all else must be few instructions. Upper halves are multiplied first: a lower half taken at a
/// vector's last use needs no copy. Sums take turns, for the Cortex-A53 works in order.
/// </summary>
internal readonly unsafe struct WideningDot : IBlockDot
{
    public static string Name => "neon";

    public static bool HasTiles => false;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<int> Start(int sum) => Vector128.Create(sum);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> ToSingle(Vector128<int> sum) => AdvSimd.ConvertToSingle(sum);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static (Vector128<int> Low, Vector128<int> High) Bytes(sbyte* w, sbyte* x, Vector128<int> start)
    {
        // Lanes of an int32 sum: columns 0+1 and 2+3 of one row, then of the next; folded at the end.
        Vector128<sbyte> x0 = Vector128.Load(x), x1 = Vector128.Load(x + 16);
        Vector128<int> r01 = default, r23 = default, r45 = default, r67 = default;
        AddBytes(w, Columns(x0, 0), Columns(x0, 1), ref r01, ref r23, ref r45, ref r67);
        AddBytes(w + 64, Columns(x0, 2), Columns(x0, 3), ref r01, ref r23, ref r45, ref r67);
        AddBytes(w + 128, Columns(x1, 0), Columns(x1, 1), ref r01, ref r23, ref r45, ref r67);
        AddBytes(w + 192, Columns(x1, 2), Columns(x1, 3), ref r01, ref r23, ref r45, ref r67);
        return (start + AdvSimd.Arm64.AddPairwise(r01, r23), start + AdvSimd.Arm64.AddPairwise(r45, r67));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static (Vector128<int> Low, Vector128<int> High) Levels(byte* w, sbyte* x, Vector128<int> start)
    {
        Vector128<sbyte> x0 = Vector128.Load(x), x1 = Vector128.Load(x + 16);
        Vector128<int> r01 = default, r23 = default, r45 = default, r67 = default;
        AddLevels(w, Columns(x0, 0), Columns(x1, 0), ref r01, ref r23, ref r45, ref r67);
        AddLevels(w + 32, Columns(x0, 1), Columns(x1, 1), ref r01, ref r23, ref r45, ref r67);
        AddLevels(w + 64, Columns(x0, 2), Columns(x1, 2), ref r01, ref r23, ref r45, ref r67);
        AddLevels(w + 96, Columns(x0, 3), Columns(x1, 3), ref r01, ref r23, ref r45, ref r67);
        return (start + AdvSimd.Arm64.AddPairwise(r01, r23), start + AdvSimd.Arm64.AddPairwise(r45, r67));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void AddLevels(byte* w, Vector128<sbyte> a, Vector128<sbyte> b,
        ref Vector128<int> r01, ref Vector128<int> r23, ref Vector128<int> r45, ref Vector128<int> r67)
    {
        Vector128<byte> mask = Vector128.Create((byte)15), v = Vector128.Load(w), u = Vector128.Load(w + 16);
        AddTwo(Nonlinear.Of(v & mask), Nonlinear.Of(u & mask), a, Nonlinear.Of(v >>> 4), Nonlinear.Of(u >>> 4), b, ref r01, ref r23, ref r45, ref r67);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void AddBytes(sbyte* w, Vector128<sbyte> a, Vector128<sbyte> b,
        ref Vector128<int> r01, ref Vector128<int> r23, ref Vector128<int> r45, ref Vector128<int> r67) =>
        AddTwo(Vector128.Load(w), Vector128.Load(w + 16), a, Vector128.Load(w + 32), Vector128.Load(w + 48), b, ref r01, ref r23, ref r45, ref r67);

    /// <summary>Two vectors of the block for each row: 2 · 128 · 127 = 32512 fits int16.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void AddTwo(Vector128<sbyte> v0, Vector128<sbyte> u0, Vector128<sbyte> a, Vector128<sbyte> v1, Vector128<sbyte> u1, Vector128<sbyte> b,
        ref Vector128<int> r01, ref Vector128<int> r23, ref Vector128<int> r45, ref Vector128<int> r67)
    {
        Multiply(v0, u0, a, out Vector128<short> p01, out Vector128<short> p23, out Vector128<short> p45, out Vector128<short> p67);
        MultiplyAdd(v1, u1, b, ref p01, ref p23, ref p45, ref p67);
        r23 = AdvSimd.AddPairwiseWideningAndAdd(r23, p23);
        r67 = AdvSimd.AddPairwiseWideningAndAdd(r67, p67);
        r01 = AdvSimd.AddPairwiseWideningAndAdd(r01, p01);
        r45 = AdvSimd.AddPairwiseWideningAndAdd(r45, p45);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static (Vector128<int> Low, Vector128<int> High) Nibbles(byte* w, sbyte* x, Vector128<int> start)
    {
        // A lane adds eight products of 15 · 127 at most, 15240, and the first fold two lanes, 30480: int16 for the whole block.
        Vector128<sbyte> x0 = Vector128.Load(x), x1 = Vector128.Load(x + 16);
        Vector128<byte> mask = Vector128.Create((byte)15), v = Vector128.Load(w), u = Vector128.Load(w + 16);
        Multiply((v & mask).AsSByte(), (u & mask).AsSByte(), Columns(x0, 0),
            out Vector128<short> r01, out Vector128<short> r23, out Vector128<short> r45, out Vector128<short> r67);
        MultiplyAdd((v >>> 4).AsSByte(), (u >>> 4).AsSByte(), Columns(x1, 0), ref r01, ref r23, ref r45, ref r67);
        AddNibbles(Vector128.Load(w + 32), Vector128.Load(w + 48), mask, Columns(x0, 1), Columns(x1, 1), ref r01, ref r23, ref r45, ref r67);
        AddNibbles(Vector128.Load(w + 64), Vector128.Load(w + 80), mask, Columns(x0, 2), Columns(x1, 2), ref r01, ref r23, ref r45, ref r67);
        AddNibbles(Vector128.Load(w + 96), Vector128.Load(w + 112), mask, Columns(x0, 3), Columns(x1, 3), ref r01, ref r23, ref r45, ref r67);
        Vector128<short> low = AdvSimd.Arm64.AddPairwise(r01, r23), high = AdvSimd.Arm64.AddPairwise(r45, r67);
        return (AdvSimd.AddPairwiseWideningAndAdd(start, low), AdvSimd.AddPairwiseWideningAndAdd(start, high));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void AddNibbles(Vector128<byte> v, Vector128<byte> u, Vector128<byte> mask, Vector128<sbyte> a, Vector128<sbyte> b,
        ref Vector128<short> r01, ref Vector128<short> r23, ref Vector128<short> r45, ref Vector128<short> r67)
    {
        MultiplyAdd((v & mask).AsSByte(), (u & mask).AsSByte(), a, ref r01, ref r23, ref r45, ref r67);
        MultiplyAdd((v >>> 4).AsSByte(), (u >>> 4).AsSByte(), b, ref r01, ref r23, ref r45, ref r67);
    }

    /// <summary>Activations 4j..4j+3, four times.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<sbyte> Columns(Vector128<sbyte> x, [ConstantExpected(Max = (byte)3)] byte j) =>
        AdvSimd.DuplicateSelectedScalarToVector128(x.AsInt32(), j).AsSByte();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Multiply(Vector128<sbyte> v, Vector128<sbyte> u, Vector128<sbyte> x,
        out Vector128<short> r01, out Vector128<short> r23, out Vector128<short> r45, out Vector128<short> r67)
    {
        r23 = AdvSimd.MultiplyWideningUpper(v, x);
        r67 = AdvSimd.MultiplyWideningUpper(u, x);
        Vector64<sbyte> lower = x.GetLower();
        r01 = AdvSimd.MultiplyWideningLower(v.GetLower(), lower);
        r45 = AdvSimd.MultiplyWideningLower(u.GetLower(), lower);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void MultiplyAdd(Vector128<sbyte> v, Vector128<sbyte> u, Vector128<sbyte> x,
        ref Vector128<short> r01, ref Vector128<short> r23, ref Vector128<short> r45, ref Vector128<short> r67)
    {
        r23 = AdvSimd.MultiplyWideningUpperAndAdd(r23, v, x);
        r67 = AdvSimd.MultiplyWideningUpperAndAdd(r67, u, x);
        Vector64<sbyte> lower = x.GetLower();
        r01 = AdvSimd.MultiplyWideningLowerAndAdd(r01, v.GetLower(), lower);
        r45 = AdvSimd.MultiplyWideningLowerAndAdd(r45, u.GetLower(), lower);
    }
}
