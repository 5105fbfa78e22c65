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
                case BlockFormat.Q8_0: Blocks<ByteBlock, Bytes>(call, y); break;
                case BlockFormat.Q4_0: Blocks<NibbleBlock, Nibbles>(call, y); break;
                case BlockFormat.IQ4_NL: Blocks<NonlinearBlock, Levels>(call, y); break;
                default: ImportedGemm.Multiply(call); break;
            }
        }
    }

    /// <typeparam name="TTile">The blocks as many tokens share them.</typeparam>
    /// <typeparam name="TOne">The blocks as one token takes them.</typeparam>
    [MethodImpl(MethodImplOptions.NoInlining)] // into a caller that would then have no room for what the loop needs inlined
    private static void Blocks<TTile, TOne>(in GemmCall call, float* y) where TTile : struct, IBlock where TOne : struct, IOneToken
    {
        if (TDot.HasTiles && call.Tokens >= FloatTile.Tokens)
        {
            BlockTile<TTile>.Multiply(call, y);
            return;
        }
        // The compiler would read all these again for every group: outputs might overlap them.
        PackedMatrix w = call.W;
        sbyte* quants = call.X.Quants.Pointer;
        float* scales = call.X.Scales.Pointer;
        int* offsets = call.X.Offsets.Pointer;
        long groupBytes = w.GroupBytes, scalesOffset = w.ScalesOffset;
        int blocks = w.Blocks, stride = call.X.Stride, blockStride = call.X.BlockStride, tokens = call.Tokens, groupBegin = call.GroupBegin, groupEnd = call.GroupEnd, yStride = call.YStride;
        byte* first = w.Data.Pointer;
        for (int group = groupBegin; group < groupEnd; group++)
        {
            byte* weights = first + group * groupBytes;
            for (int t = 0; t < tokens; t++)
            {
                float* xScale = scales + t * blockStride;
                int* xOffset = offsets + t * blockStride;
                sbyte* xs = quants + (nint)t * stride;
                short* d = (short*)(weights + scalesOffset), dEnd = d + blocks * GroupRows;
                Vector128<float> acc0 = default, acc1 = default;
                for (byte* block = weights; d < dEnd; block += TTile.Bytes, xs += BlockSize, d += GroupRows)
                {
                    (Vector128<int> low, Vector128<int> high) = TOne.Dot(block, xs, ref xOffset);
                    Scale(low, high, d, *xScale++, ref acc0, ref acc1);
                }
                Store(acc0, acc1, y + (nint)t * yStride + (group - groupBegin) * GroupRows);
            }
        }
    }

    /// <summary>A block times one token.</summary>
    private interface IOneToken
    {
        static abstract (Vector128<int> Low, Vector128<int> High) Dot(byte* block, sbyte* x, ref int* offset);
    }

    private readonly struct Bytes : IOneToken
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static (Vector128<int> Low, Vector128<int> High) Dot(byte* block, sbyte* x, ref int* offset) => TDot.Bytes((sbyte*)block, x, TDot.Start(0));
    }

    private readonly struct Levels : IOneToken
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static (Vector128<int> Low, Vector128<int> High) Dot(byte* block, sbyte* x, ref int* offset) => TDot.Levels(block, x, TDot.Start(0));
    }

    private readonly struct Nibbles : IOneToken
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static (Vector128<int> Low, Vector128<int> High) Dot(byte* block, sbyte* x, ref int* offset)
        {
            int both = *offset++; // two halves that add up to −8 · Σ x, for nibbles are 8 too large
            return TDot.Nibbles(block, x, TDot.Start((short)both + (both >> 16)));
        }
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

    /// <summary>acc = fma((float)sum, weightScale · xScale, acc)</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Scale(Vector128<int> low, Vector128<int> high, short* d, float xScale, ref Vector128<float> acc0, ref Vector128<float> acc1)
    {
        (Vector128<float> d0, Vector128<float> d1) = NeonFloat8.WidenHalves(Vector128.Load(d));
        Vector64<float> x = Vector64.CreateScalarUnsafe(xScale);
        d0 = AdvSimd.MultiplyBySelectedScalar(d0, x, 0);
        d1 = AdvSimd.MultiplyBySelectedScalar(d1, x, 0);
        Vector128<float> dot0 = TDot.ToSingle(low), dot1 = TDot.ToSingle(high);
        acc0 = AdvSimd.FusedMultiplyAdd(acc0, dot0, d0);
        acc1 = AdvSimd.FusedMultiplyAdd(acc1, dot1, d1);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Store(Vector128<float> acc0, Vector128<float> acc1, float* y)
    {
        acc0.Store(y);
        acc1.Store(y + 4);
    }
}
