using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.Arm;

namespace QedEdge.Kernels.Arm;

/// <summary>Exact int32 dot products of one block (32 columns) of a row group (8 rows) with one token's quants.</summary>
internal unsafe interface IBlockDot
{
    /// <summary>The set's name.</summary>
    static abstract string Name { get; }

    /// <summary>256 bytes of int8 weights; rows 0..3 and 4..7.</summary>
    static abstract (Vector128<int> Low, Vector128<int> High) Bytes(sbyte* w, sbyte* x);

    /// <summary>128 bytes of nibbles, taken as 0..15; rows 0..3 and 4..7.</summary>
    static abstract (Vector128<int> Low, Vector128<int> High) Nibbles(byte* w, sbyte* x);
}

/// <summary>With the dot product of ARMv8.2 (Cortex-A76: Raspberry Pi 5): a lane of activations times four rows at once.</summary>
internal readonly unsafe struct DotProductDot : IBlockDot
{
    public static string Name => "neon-dp";

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static (Vector128<int> Low, Vector128<int> High) Bytes(sbyte* w, sbyte* x)
    {
        Vector128<sbyte> x0 = Vector128.Load(x), x1 = Vector128.Load(x + 16);
        Vector128<int> low = default, high = default;
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
    public static (Vector128<int> Low, Vector128<int> High) Nibbles(byte* w, sbyte* x)
    {
        Vector128<sbyte> x0 = Vector128.Load(x), x1 = Vector128.Load(x + 16);
        Vector128<byte> mask = Vector128.Create((byte)15);
        Vector128<int> low = default, high = default;
        Vector128<byte> v = Vector128.Load(w), u = Vector128.Load(w + 16);
        low = Dp.DotProductBySelectedQuadruplet(low, (v & mask).AsSByte(), x0, 0);
        high = Dp.DotProductBySelectedQuadruplet(high, (u & mask).AsSByte(), x0, 0);
        low = Dp.DotProductBySelectedQuadruplet(low, (v >>> 4).AsSByte(), x1, 0);
        high = Dp.DotProductBySelectedQuadruplet(high, (u >>> 4).AsSByte(), x1, 0);
        v = Vector128.Load(w + 32);
        u = Vector128.Load(w + 48);
        low = Dp.DotProductBySelectedQuadruplet(low, (v & mask).AsSByte(), x0, 1);
        high = Dp.DotProductBySelectedQuadruplet(high, (u & mask).AsSByte(), x0, 1);
        low = Dp.DotProductBySelectedQuadruplet(low, (v >>> 4).AsSByte(), x1, 1);
        high = Dp.DotProductBySelectedQuadruplet(high, (u >>> 4).AsSByte(), x1, 1);
        v = Vector128.Load(w + 64);
        u = Vector128.Load(w + 80);
        low = Dp.DotProductBySelectedQuadruplet(low, (v & mask).AsSByte(), x0, 2);
        high = Dp.DotProductBySelectedQuadruplet(high, (u & mask).AsSByte(), x0, 2);
        low = Dp.DotProductBySelectedQuadruplet(low, (v >>> 4).AsSByte(), x1, 2);
        high = Dp.DotProductBySelectedQuadruplet(high, (u >>> 4).AsSByte(), x1, 2);
        v = Vector128.Load(w + 96);
        u = Vector128.Load(w + 112);
        low = Dp.DotProductBySelectedQuadruplet(low, (v & mask).AsSByte(), x0, 3);
        high = Dp.DotProductBySelectedQuadruplet(high, (u & mask).AsSByte(), x0, 3);
        low = Dp.DotProductBySelectedQuadruplet(low, (v >>> 4).AsSByte(), x1, 3);
        high = Dp.DotProductBySelectedQuadruplet(high, (u >>> 4).AsSByte(), x1, 3);
        return (low, high);
    }
}

/// <summary>Without it (Cortex-A53, A72: Raspberry Pi 3, 4, Zero 2 W): widening multiplies, summed as int16 for as long as they fit.</summary>
internal readonly unsafe struct WideningDot : IBlockDot
{
    public static string Name => "neon";

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static (Vector128<int> Low, Vector128<int> High) Bytes(sbyte* w, sbyte* x)
    {
        // Lanes of an int32 sum: columns 0+1 and 2+3 of one row, then of the next; folded at the end.
        Vector128<int> r01 = default, r23 = default, r45 = default, r67 = default;
        for (int j = 0; j < 8; j += 2)
        {
            // Two vectors: 2 · 128 · 127 = 32512 fits int16.
            Vector64<sbyte> a = Vector64.Create(*(int*)(x + 4 * j)).AsSByte(), b = Vector64.Create(*(int*)(x + 4 * j + 4)).AsSByte();
            r01 = AddTwo(r01, w, w + 32, a, b);
            r23 = AddTwo(r23, w + 8, w + 40, a, b);
            r45 = AddTwo(r45, w + 16, w + 48, a, b);
            r67 = AddTwo(r67, w + 24, w + 56, a, b);
            w += 64;
        }
        return (AdvSimd.Arm64.AddPairwise(r01, r23), AdvSimd.Arm64.AddPairwise(r45, r67));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<int> AddTwo(Vector128<int> sum, sbyte* w0, sbyte* w1, Vector64<sbyte> x0, Vector64<sbyte> x1)
    {
        Vector128<short> products = AdvSimd.MultiplyWideningLower(Vector64.Load(w0), x0);
        products = AdvSimd.MultiplyWideningLowerAndAdd(products, Vector64.Load(w1), x1);
        return AdvSimd.AddPairwiseWideningAndAdd(sum, products);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static (Vector128<int> Low, Vector128<int> High) Nibbles(byte* w, sbyte* x)
    {
        // Eight vectors add 8 · 15 · 127 = 15240 at most: int16 for the whole block.
        Vector128<byte> mask = Vector128.Create((byte)15);
        Vector128<short> r01 = default, r23 = default, r45 = default, r67 = default;
        for (int j = 0; j < 4; j++)
        {
            Vector128<sbyte> a = Vector128.Create(*(int*)(x + 4 * j)).AsSByte(), b = Vector128.Create(*(int*)(x + 16 + 4 * j)).AsSByte();
            Vector128<byte> v = Vector128.Load(w), u = Vector128.Load(w + 16);
            Vector128<sbyte> vLow = (v & mask).AsSByte(), vHigh = (v >>> 4).AsSByte();
            Vector128<sbyte> uLow = (u & mask).AsSByte(), uHigh = (u >>> 4).AsSByte();
            r01 = AdvSimd.MultiplyWideningLowerAndAdd(r01, vLow.GetLower(), a.GetLower());
            r23 = AdvSimd.MultiplyWideningUpperAndAdd(r23, vLow, a);
            r45 = AdvSimd.MultiplyWideningLowerAndAdd(r45, uLow.GetLower(), a.GetLower());
            r67 = AdvSimd.MultiplyWideningUpperAndAdd(r67, uLow, a);
            r01 = AdvSimd.MultiplyWideningLowerAndAdd(r01, vHigh.GetLower(), b.GetLower());
            r23 = AdvSimd.MultiplyWideningUpperAndAdd(r23, vHigh, b);
            r45 = AdvSimd.MultiplyWideningLowerAndAdd(r45, uHigh.GetLower(), b.GetLower());
            r67 = AdvSimd.MultiplyWideningUpperAndAdd(r67, uHigh, b);
            w += 32;
        }
        return (AdvSimd.Arm64.AddPairwise(AdvSimd.AddPairwiseWidening(r01), AdvSimd.AddPairwiseWidening(r23)),
            AdvSimd.Arm64.AddPairwise(AdvSimd.AddPairwiseWidening(r45), AdvSimd.AddPairwiseWidening(r67)));
    }
}
