using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using QedEdge.Memory;
using QedEdge.Quantization;

namespace QedEdge.Kernels.X86;

/// <summary>Float matrices: eight chains of fused multiply-adds, two row groups by four tokens.</summary>
/// <typeparam name="TColumn">How a column of a row group is stored.</typeparam>
internal static unsafe class FloatGemm<TColumn> where TColumn : struct, IColumn
{
    private const int GroupRows = PackedLayout.GroupRows;

    /// <summary><see cref="KernelSet.Gemm"/> for these columns.</summary>
    public static void Multiply(in GemmCall call, float* y)
    {
        PackedMatrix w = call.W;
        int cols = w.Blocks * PackedLayout.BlockSize, tokens = call.Tokens, groupBegin = call.GroupBegin, groupEnd = call.GroupEnd, xStride = call.X.Stride, yStride = call.YStride;
        float* values = call.X.Values.Pointer;
        if (tokens == 1)
        {
            Gemv(w, values, cols, groupBegin, groupEnd, y, call.Next);
            return;
        }
        for (int group = groupBegin; group < groupEnd; group += 2)
        {
            int second = Math.Min(group + 1, groupEnd - 1);
            byte* w0 = w.Data.Pointer + group * w.GroupBytes, w1 = w.Data.Pointer + second * w.GroupBytes;
            float* y0 = y + (group - groupBegin) * GroupRows, y1 = y + (second - groupBegin) * GroupRows;
            for (int t = 0; t < tokens; t += 4)
            {
                int t1 = Math.Min(t + 1, tokens - 1), t2 = Math.Min(t + 2, tokens - 1), t3 = Math.Min(t + 3, tokens - 1);
                float* x0 = values + (nint)t * xStride, x1 = values + (nint)t1 * xStride;
                float* x2 = values + (nint)t2 * xStride, x3 = values + (nint)t3 * xStride;
                Vector256<float> a0 = default, a1 = default, a2 = default, a3 = default, c0 = default, c1 = default, c2 = default, c3 = default;
                for (int c = 0; c < cols; c++)
                {
                    Vector256<float> v0 = TColumn.Load(w0 + c * TColumn.Bytes), v1 = TColumn.Load(w1 + c * TColumn.Bytes);
                    Vector256<float> v = Vector256.Create(x0[c]);
                    a0 = Fma.MultiplyAdd(v0, v, a0);
                    c0 = Fma.MultiplyAdd(v1, v, c0);
                    v = Vector256.Create(x1[c]);
                    a1 = Fma.MultiplyAdd(v0, v, a1);
                    c1 = Fma.MultiplyAdd(v1, v, c1);
                    v = Vector256.Create(x2[c]);
                    a2 = Fma.MultiplyAdd(v0, v, a2);
                    c2 = Fma.MultiplyAdd(v1, v, c2);
                    v = Vector256.Create(x3[c]);
                    a3 = Fma.MultiplyAdd(v0, v, a3);
                    c3 = Fma.MultiplyAdd(v1, v, c3);
                }
                // A remainder has repeated the last token: the same sums are stored twice.
                a0.Store(y0 + (nint)t * yStride);
                c0.Store(y1 + (nint)t * yStride);
                a1.Store(y0 + (nint)t1 * yStride);
                c1.Store(y1 + (nint)t1 * yStride);
                a2.Store(y0 + (nint)t2 * yStride);
                c2.Store(y1 + (nint)t2 * yStride);
                a3.Store(y0 + (nint)t3 * yStride);
                c3.Store(y1 + (nint)t3 * yStride);
            }
        }
    }

    /// <summary>One token: four row groups at a time, since a chain of fused multiply-adds alone waits four cycles for each.</summary>
    private static void Gemv(in PackedMatrix w, float* x, int cols, int groupBegin, int groupEnd, float* y, NativeView next)
    {
        long lead = Streaming.Lead(w, groupEnd - groupBegin, inTurn: 4);
        for (int group = groupBegin; group < groupEnd; group += 4)
        {
            int g1 = Math.Min(group + 1, groupEnd - 1), g2 = Math.Min(group + 2, groupEnd - 1), g3 = Math.Min(group + 3, groupEnd - 1);
            byte* w0 = w.Data.Pointer + group * w.GroupBytes, w1 = w.Data.Pointer + g1 * w.GroupBytes;
            byte* w2 = w.Data.Pointer + g2 * w.GroupBytes, w3 = w.Data.Pointer + g3 * w.GroupBytes;
            var streaming = new Streaming(w, w0, groupEnd, next, lead);
            Vector256<float> a0 = default, a1 = default, a2 = default, a3 = default;
            for (int c = 0; c < cols; c++)
            {
                streaming.Ask(streaming.Ahead(4 * TColumn.Bytes), 4 * TColumn.Bytes);
                Vector256<float> v = Vector256.Create(x[c]);
                nint at = (nint)c * TColumn.Bytes;
                a0 = Fma.MultiplyAdd(TColumn.Load(w0 + at), v, a0);
                a1 = Fma.MultiplyAdd(TColumn.Load(w1 + at), v, a1);
                a2 = Fma.MultiplyAdd(TColumn.Load(w2 + at), v, a2);
                a3 = Fma.MultiplyAdd(TColumn.Load(w3 + at), v, a3);
            }
            a0.Store(y + (group - groupBegin) * GroupRows);
            a1.Store(y + (g1 - groupBegin) * GroupRows);
            a2.Store(y + (g2 - groupBegin) * GroupRows);
            a3.Store(y + (g3 - groupBegin) * GroupRows);
        }
    }
}

/// <summary>Eight rows of one column of a float matrix.</summary>
internal unsafe interface IColumn
{
    /// <summary>Bytes of a column.</summary>
    static abstract int Bytes { get; }

    /// <summary>The column, widened.</summary>
    static abstract Vector256<float> Load(byte* column);
}

internal readonly unsafe struct SingleColumn : IColumn
{
    public static int Bytes => 4 * PackedLayout.GroupRows;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Load(byte* column) => Vector256.Load((float*)column);
}

internal readonly unsafe struct HalfColumn : IColumn
{
    public static int Bytes => 2 * PackedLayout.GroupRows;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Load(byte* column) => Avx2Float8.WidenHalves(Vector128.Load((ushort*)column));
}

internal readonly unsafe struct BrainColumn : IColumn
{
    public static int Bytes => 2 * PackedLayout.GroupRows;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Load(byte* column) => (Avx2.ConvertToVector256Int32((ushort*)column) << 16).AsSingle();
}
