using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.Arm;
using QedEdge.Quantization;

namespace QedEdge.Kernels.Arm;

/// <summary>Matrices with 128-bit vectors: a row group is two of them. One group stays in the first-level cache for all tokens.</summary>
/// <typeparam name="TDot">How the bytes of a block are multiplied and summed.</typeparam>
internal sealed unsafe class NeonKernels<TDot> : VectorKernels<NeonFloat8> where TDot : struct, IBlockDot
{
    private const int GroupRows = PackedLayout.GroupRows;
    private const int BlockSize = PackedLayout.BlockSize;

    /// <inheritdoc/>
    public override string Name => TDot.Name;

    /// <inheritdoc/>
    protected override void Multiply(in GemmCall call)
    {
        fixed (float* y = call.Y)
        {
            switch (call.W.Format)
            {
                case BlockFormat.F32: Columns<SingleColumn>(call, y); break;
                case BlockFormat.F16: Columns<HalfColumn>(call, y); break;
                case BlockFormat.BF16: Columns<BrainColumn>(call, y); break;
                case BlockFormat.Q8_0: Blocks<ByteBlock, HalfScales>(call, y); break;
                case BlockFormat.Q4_0 or BlockFormat.TQ1_0 or BlockFormat.TQ2_0 or BlockFormat.Q1_0 or BlockFormat.Q2_0: Blocks<NibbleBlock, HalfScales>(call, y); break;
                case BlockFormat.Q4_1: Blocks<NibbleBlock, HalfScalesAndMins>(call, y); break;
                case BlockFormat.Q5_0: Blocks<FiveBlock, HalfScales>(call, y); break;
                case BlockFormat.Q5_1: Blocks<FiveBlock, HalfScalesAndMins>(call, y); break;
                case BlockFormat.Q2_K: Blocks<NibbleBlock, HalfBlockScalesAndMins>(call, y); break;
                case BlockFormat.Q3_K: Blocks<NibbleBlock, HalfBlockScales>(call, y); break;
                case BlockFormat.Q4_K: Blocks<NibbleBlock, ByteScalesAndMins>(call, y); break;
                case BlockFormat.Q5_K: Blocks<FiveBlock, ByteScalesAndMins>(call, y); break;
                case BlockFormat.Q6_K: Blocks<SixBlock, HalfBlockScales>(call, y); break;
                case BlockFormat.IQ4_NL or BlockFormat.MXFP4: Blocks<TableBlock, HalfScales>(call, y); break;
                case BlockFormat.IQ4_XS or BlockFormat.IQ1_S or BlockFormat.IQ2_XXS or BlockFormat.IQ3_XXS or BlockFormat.IQ3_S: Blocks<TableBlock, ByteScales>(call, y); break;
                case BlockFormat.IQ1_M or BlockFormat.IQ2_XS or BlockFormat.IQ2_S: Blocks<TableBlock, HalfBlockScales>(call, y); break;
                case BlockFormat.NVFP4: Blocks<TableBlock, HalfBlockHalves>(call, y); break;
                default: throw new ArgumentOutOfRangeException(nameof(call), call.W.Format, "no kernel for this format");
            }
        }
    }

    /// <typeparam name="TBlock">How the weights are stored.</typeparam>
    /// <typeparam name="TScales">What they are scaled by.</typeparam>
    [MethodImpl(MethodImplOptions.NoInlining)] // into a caller that would then have no room for what the loop needs inlined
    private static void Blocks<TBlock, TScales>(in GemmCall call, float* y) where TBlock : struct, IBlock<TBlock> where TScales : struct, IScales
    {
        if (TDot.HasTiles && call.Tokens >= FloatTile.Tokens)
        {
            BlockTile<TBlock, TScales>.Multiply(call, y);
            return;
        }
        PackedMatrix w = call.W;
        Activations x = call.X;
        Alone<TBlock, TScales>(TBlock.Of(w.Format), w.Data.Pointer + call.GroupBegin * w.GroupBytes, w.GroupBytes, w.ScalesOffset, w.SupersOffset, w.Blocks, call.GroupEnd - call.GroupBegin,
            x.Quants.Pointer, x.Scales.Pointer, TScales.HasHalves ? x.HalfOffsets!.Pointer : x.Offsets.Pointer, x.Stride, x.BlockStride, call.Tokens, y, call.YStride);
    }

    /// <summary>Each token alone. The compiler would read what it takes again for every group, had it to be read: outputs might overlap it.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void Alone<TBlock, TScales>(TBlock stored, byte* weights, long groupBytes, long scalesOffset, long supersOffset, int blocks, int groups,
        sbyte* quants, float* scales, int* offsets, int stride, int blockStride, int tokens, float* y, int yStride) where TBlock : struct, IBlock<TBlock> where TScales : struct, IScales
    {
        int offsetsPerBlock = TScales.HasHalves ? 2 : 1, zero = TScales.HasMins ? 0 : TBlock.Zero, blockBytes = TBlock.Bytes, scaleBytes = TScales.Bytes;
        bool hasOffsets = TScales.HasMins || TDot.HasOffsets<TBlock>(zero);
        for (int group = 0; group < groups; group++, weights += groupBytes, y += GroupRows)
        {
            for (int t = 0; t < tokens; t++)
            {
                float* xScale = scales + t * blockStride;
                int* xOffset = offsets + t * blockStride * offsetsPerBlock;
                sbyte* xs = quants + (nint)t * stride;
                byte* d = weights + scalesOffset, dEnd = d + blocks * scaleBytes, supers = weights + supersOffset;
                int toSuper = 1;
                Vector128<float> acc0 = default, acc1 = default, d0 = default, d1 = default, e0 = default, e1 = default;
                for (byte* block = weights; d < dEnd; block += blockBytes, xs += BlockSize, d += scaleBytes, xScale++)
                {
                    if (TScales.SuperBytes > 0 && --toSuper == 0)
                    {
                        (d0, d1) = HalfScales.Eight(supers, 0);
                        if (TBlock.HasFactor)
                            (d0, d1) = (d0 * stored.Factor, d1 * stored.Factor);
                        if (TScales.HasMins)
                        {
                            (e0, e1) = HalfScales.Eight(supers + HalfScales.Bytes, 0);
                            (e0, e1) = (-e0, -e1);
                        }
                        supers += TScales.SuperBytes;
                        toSuper = PackedLayout.SuperBlocks;
                    }
                    int offset = hasOffsets ? *xOffset++ : 0;
                    if (!TScales.HasHalves)
                    {
                        (Vector128<int> low, Vector128<int> high) = TDot.Whole(stored, zero, block, xs, offset);
                        Add<TScales>(low, high, d, 0, d0, d1, e0, e1, *xScale, offset, ref acc0, ref acc1);
                    }
                    else
                    {
                        (Vector128<int> low, Vector128<int> high) = TDot.Half(stored, false, zero, block, xs, offset);
                        Add<TScales>(low, high, d, 0, d0, d1, e0, e1, *xScale, offset, ref acc0, ref acc1);
                        offset = hasOffsets ? *xOffset++ : 0;
                        (low, high) = TDot.Half(stored, true, zero, block, xs + BlockSize / 2, offset);
                        Add<TScales>(low, high, d, 1, d0, d1, e0, e1, *xScale, offset, ref acc0, ref acc1);
                    }
                }
                Store(acc0, acc1, y + (nint)t * yStride);
            }
        }
    }

    /// <summary>acc = fma((float)sum, weightScale · xScale, acc), and where there are mins fma(min, xScale · Σ x, acc).</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Add<TScales>(Vector128<int> low, Vector128<int> high, byte* scales, int half, Vector128<float> d0, Vector128<float> d1, Vector128<float> e0, Vector128<float> e1,
        float xScale, int offset, ref Vector128<float> acc0, ref Vector128<float> acc1) where TScales : struct, IScales
    {
        (Vector128<float> s0, Vector128<float> s1) = TScales.Eight(scales, half);
        if (TScales.SuperBytes > 0)
            (s0, s1) = (s0 * d0, s1 * d1);
        Vector64<float> x = Vector64.CreateScalarUnsafe(xScale);
        s0 = AdvSimd.MultiplyBySelectedScalar(s0, x, 0);
        s1 = AdvSimd.MultiplyBySelectedScalar(s1, x, 0);
        Vector128<float> dot0 = TDot.ToSingle(low), dot1 = TDot.ToSingle(high);
        acc0 = AdvSimd.FusedMultiplyAdd(acc0, dot0, s0);
        acc1 = AdvSimd.FusedMultiplyAdd(acc1, dot1, s1);
        if (!TScales.HasMins)
            return;
        (Vector128<float> m0, Vector128<float> m1) = TScales.EightMins(scales, half);
        if (TScales.SuperBytes > 0)
            (m0, m1) = (m0 * e0, m1 * e1);
        x = Vector64.CreateScalarUnsafe(xScale * Activations.Sum(offset));
        acc0 = AdvSimd.Arm64.FusedMultiplyAddBySelectedScalar(acc0, m0, x, 0);
        acc1 = AdvSimd.Arm64.FusedMultiplyAddBySelectedScalar(acc1, m1, x, 0);
    }

    /// <summary>Columns of floats times few tokens; of many, <see cref="FloatTile"/>.</summary>
    private static void Columns<TColumn>(in GemmCall call, float* y) where TColumn : struct, IColumn
    {
        if (call.Tokens >= FloatTile.Tokens)
        {
            FloatTile.Multiply<TColumn>(call, y);
            return;
        }
        PackedMatrix w = call.W;
        int cols = w.Blocks * BlockSize;
        for (int group = call.GroupBegin; group < call.GroupEnd; group++)
        {
            byte* weights = w.Data.Pointer + group * w.GroupBytes;
            for (int t = 0; t < call.Tokens; t++)
            {
                byte* column = weights;
                float* xs = call.X.Values.Pointer + (nint)t * call.X.Stride;
                Vector128<float> acc0 = default, acc1 = default;
                for (float* end = xs + cols; xs < end; xs += 4, column += 4 * TColumn.Bytes)
                {
                    Vector128<float> four = Vector128.Load(xs);
                    AddColumn(TColumn.LoadBoth(column), four, 0, ref acc0, ref acc1);
                    AddColumn(TColumn.LoadBoth(column + TColumn.Bytes), four, 1, ref acc0, ref acc1);
                    AddColumn(TColumn.LoadBoth(column + 2 * TColumn.Bytes), four, 2, ref acc0, ref acc1);
                    AddColumn(TColumn.LoadBoth(column + 3 * TColumn.Bytes), four, 3, ref acc0, ref acc1);
                }
                Store(acc0, acc1, y + (nint)t * call.YStride + (group - call.GroupBegin) * GroupRows);
            }
        }
    }

    /// <summary>acc = fma(w, x[j], acc)</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void AddColumn((Vector128<float> Low, Vector128<float> High) w, Vector128<float> x, [ConstantExpected(Max = (byte)3)] byte j,
        ref Vector128<float> acc0, ref Vector128<float> acc1)
    {
        acc0 = AdvSimd.Arm64.FusedMultiplyAddBySelectedScalar(acc0, w.Low, x, j);
        acc1 = AdvSimd.Arm64.FusedMultiplyAddBySelectedScalar(acc1, w.High, x, j);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Store(Vector128<float> acc0, Vector128<float> acc1, float* y)
    {
        acc0.Store(y);
        acc1.Store(y + 4);
    }
}
