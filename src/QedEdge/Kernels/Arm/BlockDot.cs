using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.Arm;

namespace QedEdge.Kernels.Arm;

/// <summary>Exact int32 dot products of one block (32 columns) of a row group (8 rows) with one token's quants; rows 0..3 and 4..7.</summary>
internal unsafe interface IBlockDot
{
    /// <summary>The set's name.</summary>
    static abstract string Name { get; }

    /// <summary>Whether many tokens share weights (<see cref="BlockTile{TBlock, TScales}"/>); else each is multiplied alone.</summary>
    static abstract bool HasTiles { get; }

    /// <summary>Whether products need the token's offsets (<see cref="Activations.Offsets"/>).</summary>
    static abstract bool HasOffsets<TBlock>(int zero) where TBlock : struct, IBlock<TBlock>;

    /// <summary>Sums as floats.</summary>
    static abstract Vector128<float> ToSingle(Vector128<int> sum);

    /// <summary>32 columns.</summary>
    /// <param name="block">What the weights are read with.</param>
    /// <param name="zero">Which quant counts 0: <see cref="IBlock{TSelf}.Zero"/>, or 0.</param>
    /// <param name="w">The weights.</param>
    /// <param name="x">The token's quants.</param>
    /// <param name="offset">Its offset.</param>
    static abstract (Vector128<int> Low, Vector128<int> High) Whole<TBlock>(TBlock block, int zero, byte* w, sbyte* x, int offset) where TBlock : struct, IBlock<TBlock>;

    /// <summary>The first 16 of them, or the second ones, whose quants <paramref name="x"/> then is.</summary>
    static abstract (Vector128<int> Low, Vector128<int> High) Half<TBlock>(TBlock block, bool second, int zero, byte* w, sbyte* x, int offset) where TBlock : struct, IBlock<TBlock>;
}

/// <summary>What both forms have in common.</summary>
internal static unsafe class BlockDot
{
    /// <summary>Bytes from four rows to the next four.</summary>
    public const int RowBytes = 16;

    /// <summary>−zero · Σ x, where quants that count from <paramref name="zero"/> on are taken as 0 and above.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static int Start(int zero, int offset) => ((short)offset + (offset >> 16)) * (zero / 8); // the two halves of an offset add up to −8 · Σ x
}

/// <summary>With the dot product of ARMv8.2 (Cortex-A76: Raspberry Pi 5): a lane of activations times four rows at once.</summary>
internal readonly unsafe struct DotProductDot : IBlockDot
{
    public static string Name => "neon-dp";

    public static bool HasTiles => true;

    /// <summary>
    /// An int32 sum that begins with the bits of 1.5 · 2^23 is, read as a float, that number plus the sum, which stays below 2^22 (32 · 128 · 127
    /// at most). The subtraction is exact and either vector unit does it; the conversion takes one unit two cycles.
    /// </summary>
    public const float Base = 12582912f;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool HasOffsets<TBlock>(int zero) where TBlock : struct, IBlock<TBlock> => zero > 0;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> ToSingle(Vector128<int> sum) => sum.AsSingle() - Vector128.Create(Base);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static (Vector128<int> Low, Vector128<int> High) Whole<TBlock>(TBlock block, int zero, byte* w, sbyte* x, int offset) where TBlock : struct, IBlock<TBlock>
    {
        Vector128<sbyte> x0 = Vector128.Load(x), x1 = Vector128.Load(x + 16);
        Vector128<int> low = Start(zero, offset), high = low;
        AddBoth(block, w, 0, x0, x1, ref low, ref high);
        AddBoth(block, w, 1, x0, x1, ref low, ref high);
        AddBoth(block, w, 2, x0, x1, ref low, ref high);
        AddBoth(block, w, 3, x0, x1, ref low, ref high);
        return (low, high);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static (Vector128<int> Low, Vector128<int> High) Half<TBlock>(TBlock block, bool second, int zero, byte* w, sbyte* x, int offset) where TBlock : struct, IBlock<TBlock>
    {
        Vector128<sbyte> columns = Vector128.Load(x);
        Vector128<int> low = Start(zero, offset), high = low;
        Add(block, second, w, 0, columns, ref low, ref high);
        Add(block, second, w, 1, columns, ref low, ref high);
        Add(block, second, w, 2, columns, ref low, ref high);
        Add(block, second, w, 3, columns, ref low, ref high);
        return (low, high);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<int> Start(int zero, int offset) => Vector128.Create(BitConverter.SingleToInt32Bits(Base) + (zero == 0 ? 0 : BlockDot.Start(zero, offset)));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void AddBoth<TBlock>(TBlock block, byte* w, [ConstantExpected(Max = (byte)3)] byte step, Vector128<sbyte> x0, Vector128<sbyte> x1,
        ref Vector128<int> low, ref Vector128<int> high) where TBlock : struct, IBlock<TBlock>
    {
        Add(block, second: false, w, step, x0, ref low, ref high);
        Add(block, second: true, w, step, x1, ref low, ref high);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Add<TBlock>(TBlock block, bool second, byte* w, [ConstantExpected(Max = (byte)3)] byte step, Vector128<sbyte> x,
        ref Vector128<int> low, ref Vector128<int> high) where TBlock : struct, IBlock<TBlock>
    {
        low = Dp.DotProductBySelectedQuadruplet(low, block.Columns(second, w, step), x, step);
        high = Dp.DotProductBySelectedQuadruplet(high, block.Columns(second, w + BlockDot.RowBytes, step), x, step);
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
    public static bool HasOffsets<TBlock>(int zero) where TBlock : struct, IBlock<TBlock> => zero > 0 || TBlock.Bits is > 4 and < 8;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> ToSingle(Vector128<int> sum) => AdvSimd.ConvertToSingle(sum);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static (Vector128<int> Low, Vector128<int> High) Whole<TBlock>(TBlock block, int zero, byte* w, sbyte* x, int offset) where TBlock : struct, IBlock<TBlock>
    {
        Vector128<sbyte> x0 = Vector128.Load(x), x1 = Vector128.Load(x + 16);
        if (TBlock.Bits == 8)
        {
            // Lanes of an int32 sum: columns 0+1 and 2+3 of one row, then of the next; folded at the end.
            Vector128<int> s01 = default, s23 = default, s45 = default, s67 = default;
            AddTwo(block, false, w, 0, x0, true, 0, x1, ref s01, ref s23, ref s45, ref s67);
            AddTwo(block, false, w, 1, x0, true, 1, x1, ref s01, ref s23, ref s45, ref s67);
            AddTwo(block, false, w, 2, x0, true, 2, x1, ref s01, ref s23, ref s45, ref s67);
            AddTwo(block, false, w, 3, x0, true, 3, x1, ref s01, ref s23, ref s45, ref s67);
            return (AdvSimd.Arm64.AddPairwise(s01, s23), AdvSimd.Arm64.AddPairwise(s45, s67));
        }
        Multiply(block, false, w, 0, x0, out Vector128<short> r01, out Vector128<short> r23, out Vector128<short> r45, out Vector128<short> r67);
        MultiplyAdd(block, true, w, 0, x1, ref r01, ref r23, ref r45, ref r67);
        MultiplyAdd(block, false, w, 1, x0, ref r01, ref r23, ref r45, ref r67);
        MultiplyAdd(block, true, w, 1, x1, ref r01, ref r23, ref r45, ref r67);
        MultiplyAdd(block, false, w, 2, x0, ref r01, ref r23, ref r45, ref r67);
        MultiplyAdd(block, true, w, 2, x1, ref r01, ref r23, ref r45, ref r67);
        MultiplyAdd(block, false, w, 3, x0, ref r01, ref r23, ref r45, ref r67);
        MultiplyAdd(block, true, w, 3, x1, ref r01, ref r23, ref r45, ref r67);
        return Fold<TBlock>(zero, offset, r01, r23, r45, r67);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static (Vector128<int> Low, Vector128<int> High) Half<TBlock>(TBlock block, bool second, int zero, byte* w, sbyte* x, int offset) where TBlock : struct, IBlock<TBlock>
    {
        Vector128<sbyte> columns = Vector128.Load(x);
        if (TBlock.Bits == 8)
        {
            Vector128<int> s01 = default, s23 = default, s45 = default, s67 = default;
            AddTwo(block, second, w, 0, columns, second, 1, columns, ref s01, ref s23, ref s45, ref s67);
            AddTwo(block, second, w, 2, columns, second, 3, columns, ref s01, ref s23, ref s45, ref s67);
            return (AdvSimd.Arm64.AddPairwise(s01, s23), AdvSimd.Arm64.AddPairwise(s45, s67));
        }
        Multiply(block, second, w, 0, columns, out Vector128<short> r01, out Vector128<short> r23, out Vector128<short> r45, out Vector128<short> r67);
        MultiplyAdd(block, second, w, 1, columns, ref r01, ref r23, ref r45, ref r67);
        MultiplyAdd(block, second, w, 2, columns, ref r01, ref r23, ref r45, ref r67);
        MultiplyAdd(block, second, w, 3, columns, ref r01, ref r23, ref r45, ref r67);
        return Fold<TBlock>(zero, offset, r01, r23, r45, r67);
    }

    /// <summary>
    /// int16 for the whole block: a lane adds eight products, four of a half block, and the first fold two lanes. Of nibbles that is 16 · 15 · 127 = 30480 at most.
    /// Quants of five and six bits, as 0 and above, wrap around; with −Σ x times the middle of their range, columns 0 and 1 of each four beside 2 and 3, a fold is
    /// what it would be with quants of either sign, 16 · 16 · 127 = 32512 at most, or 8 · 32 · 127 as six bits have half blocks.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static (Vector128<int> Low, Vector128<int> High) Fold<TBlock>(int zero, int offset, Vector128<short> r01, Vector128<short> r23, Vector128<short> r45, Vector128<short> r67) where TBlock : struct, IBlock<TBlock>
    {
        Vector128<short> low = AdvSimd.Arm64.AddPairwise(r01, r23), high = AdvSimd.Arm64.AddPairwise(r45, r67);
        if (TBlock.Bits > 4)
        {
            Vector128<short> middle = Vector128.Create(offset).AsInt16() << (TBlock.Bits - 4);
            low += middle;
            high += middle;
            zero -= 1 << (TBlock.Bits - 1);
        }
        if (zero == 0)
            return (AdvSimd.AddPairwiseWidening(low), AdvSimd.AddPairwiseWidening(high));
        Vector128<int> start = Vector128.Create(BlockDot.Start(zero, offset));
        return (AdvSimd.AddPairwiseWideningAndAdd(start, low), AdvSimd.AddPairwiseWideningAndAdd(start, high));
    }

    /// <summary>Two vectors of int8 for each row: 2 · 128 · 127 = 32512 fits int16.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void AddTwo<TBlock>(TBlock block, bool second0, byte* w, [ConstantExpected(Max = (byte)3)] byte step0, Vector128<sbyte> x0, bool second1, [ConstantExpected(Max = (byte)3)] byte step1, Vector128<sbyte> x1,
        ref Vector128<int> s01, ref Vector128<int> s23, ref Vector128<int> s45, ref Vector128<int> s67) where TBlock : struct, IBlock<TBlock>
    {
        Multiply(block, second0, w, step0, x0, out Vector128<short> p01, out Vector128<short> p23, out Vector128<short> p45, out Vector128<short> p67);
        MultiplyAdd(block, second1, w, step1, x1, ref p01, ref p23, ref p45, ref p67);
        s23 = AdvSimd.AddPairwiseWideningAndAdd(s23, p23);
        s67 = AdvSimd.AddPairwiseWideningAndAdd(s67, p67);
        s01 = AdvSimd.AddPairwiseWideningAndAdd(s01, p01);
        s45 = AdvSimd.AddPairwiseWideningAndAdd(s45, p45);
    }

    /// <summary>Four columns of eight rows, times those of the token, four times.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Multiply<TBlock>(TBlock block, bool second, byte* w, [ConstantExpected(Max = (byte)3)] byte step, Vector128<sbyte> x,
        out Vector128<short> r01, out Vector128<short> r23, out Vector128<short> r45, out Vector128<short> r67) where TBlock : struct, IBlock<TBlock>
    {
        x = AdvSimd.DuplicateSelectedScalarToVector128(x.AsInt32(), step).AsSByte();
        Vector128<sbyte> v = block.Columns(second, w, step), u = block.Columns(second, w + BlockDot.RowBytes, step);
        r23 = AdvSimd.MultiplyWideningUpper(v, x);
        r67 = AdvSimd.MultiplyWideningUpper(u, x);
        Vector64<sbyte> lower = x.GetLower();
        r01 = AdvSimd.MultiplyWideningLower(v.GetLower(), lower);
        r45 = AdvSimd.MultiplyWideningLower(u.GetLower(), lower);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void MultiplyAdd<TBlock>(TBlock block, bool second, byte* w, [ConstantExpected(Max = (byte)3)] byte step, Vector128<sbyte> x,
        ref Vector128<short> r01, ref Vector128<short> r23, ref Vector128<short> r45, ref Vector128<short> r67) where TBlock : struct, IBlock<TBlock>
    {
        x = AdvSimd.DuplicateSelectedScalarToVector128(x.AsInt32(), step).AsSByte();
        Vector128<sbyte> v = block.Columns(second, w, step), u = block.Columns(second, w + BlockDot.RowBytes, step);
        r23 = AdvSimd.MultiplyWideningUpperAndAdd(r23, v, x);
        r67 = AdvSimd.MultiplyWideningUpperAndAdd(r67, u, x);
        Vector64<sbyte> lower = x.GetLower();
        r01 = AdvSimd.MultiplyWideningLowerAndAdd(r01, v.GetLower(), lower);
        r45 = AdvSimd.MultiplyWideningLowerAndAdd(r45, u.GetLower(), lower);
    }
}
