using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.Arm;
using QedEdge.Quantization;

namespace QedEdge.Kernels.Arm;

/// <summary>
/// Matrices of blocks times many tokens, with the dot product. A tile is four rows, half a row group, by eight tokens: that much stays in
/// registers, a block's eight vectors of weights, taken apart once, eight float sums and a token's quants. The last tile ends with the
/// last token: some sums are stored twice then.
/// </summary>
/// <typeparam name="TBlock">How the weights are stored.</typeparam>
/// <typeparam name="TScales">What they are scaled by.</typeparam>
internal static unsafe class BlockTile<TBlock, TScales> where TBlock : struct, IBlock<TBlock> where TScales : struct, IScales
{
    private const int GroupRows = PackedLayout.GroupRows;
    private const int BlockSize = PackedLayout.BlockSize;

    /// <summary><see cref="KernelSet.Gemm"/> for these blocks and at least <see cref="FloatTile.Tokens"/> tokens.</summary>
    public static void Multiply(in GemmCall call, float* y)
    {
        PackedMatrix w = call.W;
        Activations x = call.X;
        TBlock block = TBlock.Of(w.Format);
        int tokens = call.Tokens, yStride = call.YStride;
        for (int group = call.GroupBegin; group < call.GroupEnd; group++, y += GroupRows)
        {
            byte* weights = w.Data.Pointer + group * w.GroupBytes, scales = weights + w.ScalesOffset, supers = weights + w.SupersOffset;
            for (int t = 0; t < tokens; t += FloatTile.Tokens)
            {
                int token = Math.Min(t, tokens - FloatTile.Tokens);
                Tile(block, weights, scales, supers, w.Blocks, x, token, y + (nint)token * yStride, yStride);
                Tile(block, weights + BlockDot.RowBytes, scales + GroupRows / 2 * TScales.RowBytes, supers + GroupRows / 2 * HalfScales.RowBytes, w.Blocks, x, token,
                    y + (nint)token * yStride + GroupRows / 2, yStride);
            }
        }
    }

    private static void Tile(TBlock block, byte* w, byte* scales, byte* supers, int blocks, Activations input, int token, float* y, nint yStride)
    {
        nint stride = input.Stride, blockStride = input.BlockStride, offsetStride = TScales.HasHalves ? 2 * blockStride : blockStride;
        sbyte* x = input.Quants.Pointer + token * stride;
        float* xScale = input.Scales.Pointer + token * blockStride;
        int* offset = (TScales.HasHalves ? input.HalfOffsets!.Pointer : input.Offsets.Pointer) + token * offsetStride;
        float factor = TBlock.HasFactor ? block.Factor : 1f;
        int toSuper = 1;
        Vector128<float> d = default, e = default;
        Vector128<float> s0 = default, s1 = default, s2 = default, s3 = default, s4 = default, s5 = default, s6 = default, s7 = default;
        for (byte* end = scales + blocks * TScales.Bytes; scales < end; scales += TScales.Bytes, w += TBlock.Bytes, x += BlockSize, xScale++)
        {
            Vector128<sbyte> v0 = Columns(block, false, w, 0), v1 = Columns(block, false, w, 1), v2 = Columns(block, false, w, 2), v3 = Columns(block, false, w, 3);
            Vector128<sbyte> v4 = Columns(block, true, w, 0), v5 = Columns(block, true, w, 1), v6 = Columns(block, true, w, 2), v7 = Columns(block, true, w, 3);
            if (TScales.SuperBytes > 0 && --toSuper == 0)
            {
                d = HalfScales.Four(supers, 0);
                if (TBlock.HasFactor)
                    d *= factor;
                if (TScales.HasMins)
                    e = -HalfScales.Four(supers + HalfScales.Bytes, 0);
                supers += TScales.SuperBytes;
                toSuper = PackedLayout.SuperBlocks;
            }
            Vector128<float> n0 = Scaled(TScales.Four(scales, 0), d), n1 = TScales.HasHalves ? Scaled(TScales.Four(scales, 1), d) : default;
            Vector128<float> m0 = TScales.HasMins ? Scaled(TScales.FourMins(scales, 0), e) : default, m1 = TScales.HasMins && TScales.HasHalves ? Scaled(TScales.FourMins(scales, 1), e) : default;
            sbyte* q = x;
            nint b = 0;
            int* o = offset;
            s0 = Add(s0, v0, v1, v2, v3, v4, v5, v6, v7, n0, n1, m0, m1, q, xScale[b], o);
            s1 = Add(s1, v0, v1, v2, v3, v4, v5, v6, v7, n0, n1, m0, m1, q += stride, xScale[b += blockStride], o += offsetStride);
            s2 = Add(s2, v0, v1, v2, v3, v4, v5, v6, v7, n0, n1, m0, m1, q += stride, xScale[b += blockStride], o += offsetStride);
            s3 = Add(s3, v0, v1, v2, v3, v4, v5, v6, v7, n0, n1, m0, m1, q += stride, xScale[b += blockStride], o += offsetStride);
            s4 = Add(s4, v0, v1, v2, v3, v4, v5, v6, v7, n0, n1, m0, m1, q += stride, xScale[b += blockStride], o += offsetStride);
            s5 = Add(s5, v0, v1, v2, v3, v4, v5, v6, v7, n0, n1, m0, m1, q += stride, xScale[b += blockStride], o += offsetStride);
            s6 = Add(s6, v0, v1, v2, v3, v4, v5, v6, v7, n0, n1, m0, m1, q += stride, xScale[b += blockStride], o += offsetStride);
            s7 = Add(s7, v0, v1, v2, v3, v4, v5, v6, v7, n0, n1, m0, m1, q += stride, xScale[b += blockStride], o += offsetStride);
            if (TScales.HasMins)
                offset += TScales.HasHalves ? 2 : 1;
        }
        FloatTile.Store(s0, s1, s2, s3, s4, s5, s6, s7, y, yStride);
    }

    /// <summary>What the integer sums begin with, as the bits of a float (<see cref="DotProductDot.Base"/>).</summary>
    private static float Base
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => TScales.HasMins ? DotProductDot.Base : TBlock.Base;
    }

    /// <summary>Four columns of four rows.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<sbyte> Columns(TBlock block, bool second, byte* w, int step) =>
        TScales.HasMins ? block.Columns(second, w, step) : TBlock.Centered(block, second, w, step);

    /// <summary>Scales times what eight blocks share.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<float> Scaled(Vector128<float> scales, Vector128<float> super) => TScales.SuperBytes > 0 ? scales * super : scales;

    /// <summary>A block of four rows times one token.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<float> Add(Vector128<float> sum, Vector128<sbyte> v0, Vector128<sbyte> v1, Vector128<sbyte> v2, Vector128<sbyte> v3,
        Vector128<sbyte> v4, Vector128<sbyte> v5, Vector128<sbyte> v6, Vector128<sbyte> v7, Vector128<float> n0, Vector128<float> n1, Vector128<float> m0, Vector128<float> m1,
        sbyte* x, float xScale, int* offset)
    {
        // Loads as arguments become one instruction, and make the compiler read the start from memory, which costs no vector unit a copy.
        if (!TScales.HasHalves)
            return Add(sum, Dot(Vector128.Create(Base).AsInt32(), v0, v1, v2, v3, v4, v5, v6, v7, Vector128.Load(x), Vector128.Load(x + 16)), n0, m0, xScale, offset);
        sum = Add(sum, Dot(Vector128.Create(Base).AsInt32(), v0, v1, v2, v3, Vector128.Load(x)), n0, m0, xScale, offset);
        return Add(sum, Dot(Vector128.Create(Base).AsInt32(), v4, v5, v6, v7, Vector128.Load(x + 16)), n1, m1, xScale, offset + 1);
    }

    /// <summary>fma((float)dot, weightScale · xScale, sum), and where there are mins fma(min, xScale · Σ x, sum).</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<float> Add(Vector128<float> sum, Vector128<int> dot, Vector128<float> scales, Vector128<float> mins, float xScale, int* offset)
    {
        Vector128<float> factor = AdvSimd.MultiplyBySelectedScalar(scales, Vector64.CreateScalarUnsafe(xScale), 0);
        sum = AdvSimd.FusedMultiplyAdd(sum, dot.AsSingle() - Vector128.Create(Base), factor);
        return TScales.HasMins ? AdvSimd.Arm64.FusedMultiplyAddBySelectedScalar(sum, mins, Vector64.CreateScalarUnsafe(xScale * Activations.Sum(*offset)), 0) : sum;
    }

    /// <summary>sum + 32 columns of four rows times a token's.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<int> Dot(Vector128<int> sum, Vector128<sbyte> v0, Vector128<sbyte> v1, Vector128<sbyte> v2, Vector128<sbyte> v3,
        Vector128<sbyte> v4, Vector128<sbyte> v5, Vector128<sbyte> v6, Vector128<sbyte> v7, Vector128<sbyte> x0, Vector128<sbyte> x1)
    {
        sum = Dp.DotProductBySelectedQuadruplet(sum, v0, x0, 0);
        sum = Dp.DotProductBySelectedQuadruplet(sum, v1, x0, 1);
        sum = Dp.DotProductBySelectedQuadruplet(sum, v2, x0, 2);
        sum = Dp.DotProductBySelectedQuadruplet(sum, v3, x0, 3);
        sum = Dp.DotProductBySelectedQuadruplet(sum, v4, x1, 0);
        sum = Dp.DotProductBySelectedQuadruplet(sum, v5, x1, 1);
        sum = Dp.DotProductBySelectedQuadruplet(sum, v6, x1, 2);
        return Dp.DotProductBySelectedQuadruplet(sum, v7, x1, 3);
    }

    /// <summary>sum + 16 columns.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<int> Dot(Vector128<int> sum, Vector128<sbyte> v0, Vector128<sbyte> v1, Vector128<sbyte> v2, Vector128<sbyte> v3, Vector128<sbyte> x)
    {
        sum = Dp.DotProductBySelectedQuadruplet(sum, v0, x, 0);
        sum = Dp.DotProductBySelectedQuadruplet(sum, v1, x, 1);
        sum = Dp.DotProductBySelectedQuadruplet(sum, v2, x, 2);
        return Dp.DotProductBySelectedQuadruplet(sum, v3, x, 3);
    }
}
