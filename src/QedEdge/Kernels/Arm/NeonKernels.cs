using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.Arm;
using QedEdge.Memory;
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
    [MethodImpl(MethodImplOptions.NoInlining)] // into a caller that would then have no room for what the loop needs inlined
    protected override void GemmQ4_0(in PackedMatrix w, Activations x, int tokens, int groupBegin, int groupEnd, ref float y, int yStride, NativeView next) =>
        Blocks<NibbleBlock, Nibbles>(w, x, tokens, groupBegin, groupEnd, ref y, yStride);

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.NoInlining)] // into a caller that would then have no room for what the loop needs inlined
    protected override void GemmIQ4_NL(in PackedMatrix w, Activations x, int tokens, int groupBegin, int groupEnd, ref float y, int yStride, NativeView next) =>
        Blocks<NonlinearBlock, Levels>(w, x, tokens, groupBegin, groupEnd, ref y, yStride);

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.NoInlining)] // into a caller that would then have no room for what the loop needs inlined
    protected override void GemmQ8_0(in PackedMatrix w, Activations x, int tokens, int groupBegin, int groupEnd, ref float y, int yStride, NativeView next) =>
        Blocks<ByteBlock, Bytes>(w, x, tokens, groupBegin, groupEnd, ref y, yStride);

    /// <typeparam name="TTile">The blocks as many tokens share them.</typeparam>
    /// <typeparam name="TOne">The blocks as one token takes them.</typeparam>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Blocks<TTile, TOne>(in PackedMatrix w, Activations x, int tokens, int groupBegin, int groupEnd, ref float y, int yStride)
        where TTile : struct, IBlock where TOne : struct, IOneToken
    {
        fixed (float* outputs = &y)
        {
            if (TDot.HasTiles && tokens >= FloatTile.Tokens)
            {
                BlockTile<TTile>.Multiply(w, x, tokens, groupBegin, groupEnd, outputs, yStride);
                return;
            }
            sbyte* quants = x.Quants.Pointer;
            float* scales = x.Scales.Pointer;
            int* offsets = x.Offsets.Pointer;
            // The compiler would read these again for every group: outputs might overlap them.
            long groupBytes = w.GroupBytes, scalesOffset = w.ScalesOffset;
            int blocks = w.Blocks, stride = x.Stride, blockStride = x.BlockStride;
            for (int group = groupBegin; group < groupEnd; group++)
            {
                byte* weights = w.Data.Pointer + group * groupBytes;
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
                    Store(acc0, acc1, outputs + (nint)t * yStride + (group - groupBegin) * GroupRows);
                }
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

    /// <inheritdoc/>
    protected override void GemmF32(in PackedMatrix w, Activations x, int tokens, int groupBegin, int groupEnd, ref float y, int yStride, NativeView next)
    {
        int cols = w.Blocks * BlockSize;
        fixed (float* outputs = &y)
        {
            if (tokens >= FloatTile.Tokens)
            {
                FloatTile.Multiply<SingleColumn>(w, x, tokens, groupBegin, groupEnd, outputs, yStride);
                return;
            }
            float* values = x.Values.Pointer;
            for (int group = groupBegin; group < groupEnd; group++)
            {
                float* weights = (float*)(w.Data.Pointer + group * w.GroupBytes);
                for (int t = 0; t < tokens; t++)
                {
                    float* column = weights, xs = values + (nint)t * x.Stride;
                    Vector128<float> acc0 = default, acc1 = default;
                    for (float* end = xs + cols; xs < end; xs += 4, column += 4 * GroupRows)
                    {
                        Vector128<float> four = Vector128.Load(xs);
                        AddColumn((Vector128.Load(column), Vector128.Load(column + 4)), four, 0, ref acc0, ref acc1);
                        AddColumn((Vector128.Load(column + 8), Vector128.Load(column + 12)), four, 1, ref acc0, ref acc1);
                        AddColumn((Vector128.Load(column + 16), Vector128.Load(column + 20)), four, 2, ref acc0, ref acc1);
                        AddColumn((Vector128.Load(column + 24), Vector128.Load(column + 28)), four, 3, ref acc0, ref acc1);
                    }
                    Store(acc0, acc1, outputs + (nint)t * yStride + (group - groupBegin) * GroupRows);
                }
            }
        }
    }

    /// <inheritdoc/>
    protected override void GemmF16(in PackedMatrix w, Activations x, int tokens, int groupBegin, int groupEnd, ref float y, int yStride, NativeView next)
    {
        int cols = w.Blocks * BlockSize;
        fixed (float* outputs = &y)
        {
            if (tokens >= FloatTile.Tokens)
            {
                FloatTile.Multiply<HalfColumn>(w, x, tokens, groupBegin, groupEnd, outputs, yStride);
                return;
            }
            float* values = x.Values.Pointer;
            for (int group = groupBegin; group < groupEnd; group++)
            {
                short* weights = (short*)(w.Data.Pointer + group * w.GroupBytes);
                for (int t = 0; t < tokens; t++)
                {
                    short* column = weights;
                    float* xs = values + (nint)t * x.Stride;
                    Vector128<float> acc0 = default, acc1 = default;
                    for (float* end = xs + cols; xs < end; xs += 4, column += 4 * GroupRows)
                    {
                        Vector128<float> four = Vector128.Load(xs);
                        AddColumn(NeonFloat8.WidenHalves(Vector128.Load(column)), four, 0, ref acc0, ref acc1);
                        AddColumn(NeonFloat8.WidenHalves(Vector128.Load(column + 8)), four, 1, ref acc0, ref acc1);
                        AddColumn(NeonFloat8.WidenHalves(Vector128.Load(column + 16)), four, 2, ref acc0, ref acc1);
                        AddColumn(NeonFloat8.WidenHalves(Vector128.Load(column + 24)), four, 3, ref acc0, ref acc1);
                    }
                    Store(acc0, acc1, outputs + (nint)t * yStride + (group - groupBegin) * GroupRows);
                }
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
