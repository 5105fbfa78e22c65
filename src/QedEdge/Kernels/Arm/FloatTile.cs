using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.Arm;
using QedEdge.Quantization;

namespace QedEdge.Kernels.Arm;

/// <summary>Float matrices times many tokens, in tiles of the shape of <see cref="BlockTile{TBlock, TScales}"/>: a column is widened once for eight tokens.</summary>
internal static unsafe class FloatTile
{
    /// <summary>Tokens of a tile.</summary>
    public const int Tokens = 8;

    private const int GroupRows = PackedLayout.GroupRows;

    /// <summary><see cref="KernelSet.Gemm"/> for these columns and at least <see cref="Tokens"/> tokens.</summary>
    public static void Multiply<TColumn>(in GemmCall call, float* y) where TColumn : struct, IColumn
    {
        PackedMatrix w = call.W;
        Activations x = call.X;
        int tokens = call.Tokens, yStride = call.YStride;
        for (int group = call.GroupBegin; group < call.GroupEnd; group++, y += GroupRows)
        {
            byte* weights = w.Data.Pointer + group * w.GroupBytes;
            for (int t = 0; t < tokens; t += Tokens)
            {
                int token = Math.Min(t, tokens - Tokens);
                float* values = x.Values.Pointer + (nint)token * x.Stride;
                Tile<TColumn>(weights, w.Blocks, values, x.Stride, y + (nint)token * yStride, yStride);
                Tile<TColumn>(weights + TColumn.Bytes / 2, w.Blocks, values, x.Stride, y + (nint)token * yStride + GroupRows / 2, yStride);
            }
        }
    }

    private static void Tile<TColumn>(byte* w, int blocks, float* x, nint stride, float* y, nint yStride) where TColumn : struct, IColumn
    {
        Vector128<float> s0 = default, s1 = default, s2 = default, s3 = default, s4 = default, s5 = default, s6 = default, s7 = default;
        for (float* end = x + blocks * PackedLayout.BlockSize; x < end; x += 4, w += 4 * TColumn.Bytes)
        {
            float* t = x;
            Vector128<float> x0 = Vector128.Load(t), x1 = Vector128.Load(t += stride);
            Vector128<float> x2 = Vector128.Load(t += stride), x3 = Vector128.Load(t += stride);
            Vector128<float> x4 = Vector128.Load(t += stride), x5 = Vector128.Load(t += stride);
            Vector128<float> x6 = Vector128.Load(t += stride), x7 = Vector128.Load(t += stride);
            Vector128<float> v = TColumn.Load(w);
            AddColumn(v, 0, x0, x1, x2, x3, ref s0, ref s1, ref s2, ref s3);
            AddColumn(v, 0, x4, x5, x6, x7, ref s4, ref s5, ref s6, ref s7);
            v = TColumn.Load(w + TColumn.Bytes);
            AddColumn(v, 1, x0, x1, x2, x3, ref s0, ref s1, ref s2, ref s3);
            AddColumn(v, 1, x4, x5, x6, x7, ref s4, ref s5, ref s6, ref s7);
            v = TColumn.Load(w + 2 * TColumn.Bytes);
            AddColumn(v, 2, x0, x1, x2, x3, ref s0, ref s1, ref s2, ref s3);
            AddColumn(v, 2, x4, x5, x6, x7, ref s4, ref s5, ref s6, ref s7);
            v = TColumn.Load(w + 3 * TColumn.Bytes);
            AddColumn(v, 3, x0, x1, x2, x3, ref s0, ref s1, ref s2, ref s3);
            AddColumn(v, 3, x4, x5, x6, x7, ref s4, ref s5, ref s6, ref s7);
        }
        Store(s0, s1, s2, s3, s4, s5, s6, s7, y, yStride);
    }

    /// <summary>sum = fma(v, x[j], sum) for four tokens.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void AddColumn(Vector128<float> v, [ConstantExpected(Max = (byte)3)] byte j,
        Vector128<float> x0, Vector128<float> x1, Vector128<float> x2, Vector128<float> x3,
        ref Vector128<float> s0, ref Vector128<float> s1, ref Vector128<float> s2, ref Vector128<float> s3)
    {
        s0 = AdvSimd.Arm64.FusedMultiplyAddBySelectedScalar(s0, v, x0, j);
        s1 = AdvSimd.Arm64.FusedMultiplyAddBySelectedScalar(s1, v, x1, j);
        s2 = AdvSimd.Arm64.FusedMultiplyAddBySelectedScalar(s2, v, x2, j);
        s3 = AdvSimd.Arm64.FusedMultiplyAddBySelectedScalar(s3, v, x3, j);
    }

    /// <summary>A tile's sums, four rows of each token.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store(Vector128<float> s0, Vector128<float> s1, Vector128<float> s2, Vector128<float> s3,
        Vector128<float> s4, Vector128<float> s5, Vector128<float> s6, Vector128<float> s7, float* y, nint yStride)
    {
        s0.Store(y);
        s1.Store(y += yStride);
        s2.Store(y += yStride);
        s3.Store(y += yStride);
        s4.Store(y += yStride);
        s5.Store(y += yStride);
        s6.Store(y += yStride);
        s7.Store(y += yStride);
    }
}

/// <summary>A column of a row group of a float matrix.</summary>
internal unsafe interface IColumn
{
    /// <summary>Bytes of a column.</summary>
    static abstract int Bytes { get; }

    /// <summary>Four rows of a column, widened.</summary>
    static abstract Vector128<float> Load(byte* column);

    /// <summary>All eight rows of a column, widened.</summary>
    static abstract (Vector128<float> Low, Vector128<float> High) LoadBoth(byte* column);
}

internal readonly unsafe struct SingleColumn : IColumn
{
    public static int Bytes => 4 * PackedLayout.GroupRows;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> Load(byte* column) => Vector128.Load((float*)column);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static (Vector128<float> Low, Vector128<float> High) LoadBoth(byte* column) => (Load(column), Load(column + Bytes / 2));
}

internal readonly unsafe struct HalfColumn : IColumn
{
    public static int Bytes => 2 * PackedLayout.GroupRows;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> Load(byte* column) => NeonFloat8.WidenHalves(Vector64.Load((short*)column));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static (Vector128<float> Low, Vector128<float> High) LoadBoth(byte* column) => NeonFloat8.WidenHalves(Vector128.Load((short*)column));
}

internal readonly unsafe struct BrainColumn : IColumn
{
    public static int Bytes => 2 * PackedLayout.GroupRows;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> Load(byte* column) => AdvSimd.Arm64.ZipLow(default, Vector64.Load((ushort*)column).ToVector128Unsafe()).AsSingle();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static (Vector128<float> Low, Vector128<float> High) LoadBoth(byte* column)
    {
        // Zeros below the bits of each: the upper half of a float.
        Vector128<ushort> upper = Vector128.Load((ushort*)column);
        return (AdvSimd.Arm64.ZipLow(default, upper).AsSingle(), AdvSimd.Arm64.ZipHigh(default, upper).AsSingle());
    }
}
