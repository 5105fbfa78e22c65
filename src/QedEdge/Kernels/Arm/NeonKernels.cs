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
    protected override void GemmQ4_0(in PackedMatrix w, Activations x, int tokens, int groupBegin, int groupEnd, ref float y, int yStride, NativeView next)
    {
        fixed (float* outputs = &y)
        {
            sbyte* quants = x.Quants.Pointer;
            float* scales = x.Scales.Pointer;
            int* offsets = x.Offsets.Pointer;
            for (int group = groupBegin; group < groupEnd; group++)
            {
                byte* weights = w.Data.Pointer + group * w.GroupBytes;
                for (int t = 0; t < tokens; t++)
                {
                    float* xScales = scales + t * x.BlockStride;
                    int* xOffsets = offsets + t * x.BlockStride;
                    sbyte* xs = quants + (nint)t * x.Stride;
                    ushort* d = (ushort*)(weights + w.ScalesOffset);
                    Vector128<float> acc0 = default, acc1 = default;
                    for (int b = 0; b < w.Blocks; b++)
                    {
                        (Vector128<int> low, Vector128<int> high) = TDot.Nibbles(weights + b * (GroupRows * BlockSize / 2), xs + b * BlockSize);
                        Vector128<int> offset = AdvSimd.AddPairwiseWidening(Vector128.Create(xOffsets[b]).AsInt16());
                        Scale(low + offset, high + offset, d + b * GroupRows, xScales[b], ref acc0, ref acc1);
                    }
                    Store(acc0, acc1, outputs + (nint)t * yStride + (group - groupBegin) * GroupRows);
                }
            }
        }
    }

    /// <inheritdoc/>
    protected override void GemmQ8_0(in PackedMatrix w, Activations x, int tokens, int groupBegin, int groupEnd, ref float y, int yStride, NativeView next)
    {
        fixed (float* outputs = &y)
        {
            sbyte* quants = x.Quants.Pointer;
            float* scales = x.Scales.Pointer;
            for (int group = groupBegin; group < groupEnd; group++)
            {
                byte* weights = w.Data.Pointer + group * w.GroupBytes;
                for (int t = 0; t < tokens; t++)
                {
                    float* xScales = scales + t * x.BlockStride;
                    sbyte* xs = quants + (nint)t * x.Stride;
                    ushort* d = (ushort*)(weights + w.ScalesOffset);
                    Vector128<float> acc0 = default, acc1 = default;
                    for (int b = 0; b < w.Blocks; b++)
                    {
                        (Vector128<int> low, Vector128<int> high) = TDot.Bytes((sbyte*)weights + b * (GroupRows * BlockSize), xs + b * BlockSize);
                        Scale(low, high, d + b * GroupRows, xScales[b], ref acc0, ref acc1);
                    }
                    Store(acc0, acc1, outputs + (nint)t * yStride + (group - groupBegin) * GroupRows);
                }
            }
        }
    }

    /// <inheritdoc/>
    protected override void GemmF32(in PackedMatrix w, Activations x, int tokens, int groupBegin, int groupEnd, ref float y, int yStride, NativeView next)
    {
        int cols = w.Blocks * BlockSize;
        fixed (float* outputs = &y)
        {
            float* values = x.Values.Pointer;
            for (int group = groupBegin; group < groupEnd; group++)
            {
                float* weights = (float*)(w.Data.Pointer + group * w.GroupBytes);
                for (int t = 0; t < tokens; t++)
                {
                    float* xs = values + (nint)t * x.Stride;
                    Vector128<float> acc0 = default, acc1 = default;
                    for (int c = 0; c < cols; c++)
                    {
                        Vector128<float> v = Vector128.Create(xs[c]);
                        acc0 = AdvSimd.FusedMultiplyAdd(acc0, Vector128.Load(weights + c * GroupRows), v);
                        acc1 = AdvSimd.FusedMultiplyAdd(acc1, Vector128.Load(weights + c * GroupRows + 4), v);
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
            float* values = x.Values.Pointer;
            for (int group = groupBegin; group < groupEnd; group++)
            {
                short* weights = (short*)(w.Data.Pointer + group * w.GroupBytes);
                for (int t = 0; t < tokens; t++)
                {
                    float* xs = values + (nint)t * x.Stride;
                    Vector128<float> acc0 = default, acc1 = default;
                    for (int c = 0; c < cols; c++)
                    {
                        Vector128<float> v = Vector128.Create(xs[c]);
                        Vector128<short> halves = Vector128.Load(weights + c * GroupRows);
                        acc0 = AdvSimd.FusedMultiplyAdd(acc0, NeonFloat8.WidenHalves(halves.GetLower()), v);
                        acc1 = AdvSimd.FusedMultiplyAdd(acc1, NeonFloat8.WidenHalves(halves.GetUpper()), v);
                    }
                    Store(acc0, acc1, outputs + (nint)t * yStride + (group - groupBegin) * GroupRows);
                }
            }
        }
    }

    /// <summary>acc = fma((float)dot, weightScale · xScale, acc)</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Scale(Vector128<int> low, Vector128<int> high, ushort* d, float xScale, ref Vector128<float> acc0, ref Vector128<float> acc1)
    {
        Vector128<short> halves = Vector128.Load((short*)d);
        Vector128<float> x = Vector128.Create(xScale);
        acc0 = AdvSimd.FusedMultiplyAdd(acc0, AdvSimd.ConvertToSingle(low), NeonFloat8.WidenHalves(halves.GetLower()) * x);
        acc1 = AdvSimd.FusedMultiplyAdd(acc1, AdvSimd.ConvertToSingle(high), NeonFloat8.WidenHalves(halves.GetUpper()) * x);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Store(Vector128<float> acc0, Vector128<float> acc1, float* y)
    {
        acc0.Store(y);
        acc1.Store(y + 4);
    }
}
