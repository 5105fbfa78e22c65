using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.Arm;
using QedEdge.Quantization;

namespace QedEdge.Kernels.Arm;

/// <summary>
/// int8 and int4 matrices times many tokens, with the dot product. A tile is four rows, half a row group, by eight tokens: that much stays in
/// registers, a block's eight vectors of weights, taken apart once, eight float sums and a token's quants. The last tile ends with the
/// last token: some sums are stored twice then.
/// </summary>
/// <typeparam name="TBlock">How the weights are stored.</typeparam>
internal static unsafe class BlockTile<TBlock> where TBlock : struct, IBlock
{
    private const int GroupRows = PackedLayout.GroupRows;
    private const int BlockSize = PackedLayout.BlockSize;
    private const int StepBytes = 32; // four columns of eight rows

    /// <summary><see cref="KernelSet.Gemm"/> for these blocks and at least <see cref="FloatTile.Tokens"/> tokens.</summary>
    public static void Multiply(in GemmCall call, float* y)
    {
        PackedMatrix w = call.W;
        Activations x = call.X;
        int tokens = call.Tokens, yStride = call.YStride;
        for (int group = call.GroupBegin; group < call.GroupEnd; group++, y += GroupRows)
        {
            byte* weights = w.Data.Pointer + group * w.GroupBytes;
            short* scales = (short*)(weights + w.ScalesOffset);
            for (int t = 0; t < tokens; t += FloatTile.Tokens)
            {
                int token = Math.Min(t, tokens - FloatTile.Tokens);
                Tile(weights, scales, w.Blocks, x, token, y + (nint)token * yStride, yStride);
                Tile(weights + StepBytes / 2, scales + GroupRows / 2, w.Blocks, x, token, y + (nint)token * yStride + GroupRows / 2, yStride);
            }
        }
    }

    private static void Tile(byte* w, short* d, int blocks, Activations input, int token, float* y, nint yStride)
    {
        nint stride = input.Stride, blockStride = input.BlockStride;
        sbyte* x = input.Quants.Pointer + token * stride;
        float* scale = input.Scales.Pointer + token * blockStride;
        Vector128<float> s0 = default, s1 = default, s2 = default, s3 = default, s4 = default, s5 = default, s6 = default, s7 = default;
        for (short* end = d + blocks * GroupRows; d < end; d += GroupRows, w += TBlock.Bytes, x += BlockSize, scale++)
        {
            Vector128<sbyte> v0 = TBlock.First(w), v1 = TBlock.First(w + StepBytes);
            Vector128<sbyte> v2 = TBlock.First(w + 2 * StepBytes), v3 = TBlock.First(w + 3 * StepBytes);
            Vector128<sbyte> v4 = TBlock.Second(w), v5 = TBlock.Second(w + StepBytes);
            Vector128<sbyte> v6 = TBlock.Second(w + 2 * StepBytes), v7 = TBlock.Second(w + 3 * StepBytes);
            Vector128<float> rows = NeonFloat8.WidenHalves(Vector64.Load(d));
            sbyte* q = x;
            nint b = 0;
            s0 = Add(s0, v0, v1, v2, v3, v4, v5, v6, v7, rows, q, scale[b]);
            s1 = Add(s1, v0, v1, v2, v3, v4, v5, v6, v7, rows, q += stride, scale[b += blockStride]);
            s2 = Add(s2, v0, v1, v2, v3, v4, v5, v6, v7, rows, q += stride, scale[b += blockStride]);
            s3 = Add(s3, v0, v1, v2, v3, v4, v5, v6, v7, rows, q += stride, scale[b += blockStride]);
            s4 = Add(s4, v0, v1, v2, v3, v4, v5, v6, v7, rows, q += stride, scale[b += blockStride]);
            s5 = Add(s5, v0, v1, v2, v3, v4, v5, v6, v7, rows, q += stride, scale[b += blockStride]);
            s6 = Add(s6, v0, v1, v2, v3, v4, v5, v6, v7, rows, q += stride, scale[b += blockStride]);
            s7 = Add(s7, v0, v1, v2, v3, v4, v5, v6, v7, rows, q += stride, scale[b += blockStride]);
        }
        FloatTile.Store(s0, s1, s2, s3, s4, s5, s6, s7, y, yStride);
    }

    /// <summary>fma((float)dot, weightScale · xScale, sum) of four rows and one token.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<float> Add(Vector128<float> sum, Vector128<sbyte> v0, Vector128<sbyte> v1, Vector128<sbyte> v2, Vector128<sbyte> v3,
        Vector128<sbyte> v4, Vector128<sbyte> v5, Vector128<sbyte> v6, Vector128<sbyte> v7, Vector128<float> scales, sbyte* x, float xScale)
    {
        // Loads as arguments become one instruction, and make the compiler read the start from memory, which costs no vector unit a copy.
        Vector128<int> dot = Dot(Vector128.Create(TBlock.Base).AsInt32(), v0, v1, v2, v3, v4, v5, v6, v7, Vector128.Load(x), Vector128.Load(x + 16));
        Vector128<float> factor = AdvSimd.MultiplyBySelectedScalar(scales, Vector64.CreateScalarUnsafe(xScale), 0);
        return AdvSimd.FusedMultiplyAdd(sum, dot.AsSingle() - Vector128.Create(TBlock.Base), factor);
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
}

/// <summary>How a block (8 rows, 32 columns) is stored: steps of 32 bytes, four columns of each row; the upper rows' 16 bytes further on.</summary>
internal unsafe interface IBlock
{
    /// <summary>Bytes of a block without its scales.</summary>
    static abstract int Bytes { get; }

    /// <summary>The float that sums begin with (<see cref="DotProductDot.Start"/>).</summary>
    static abstract float Base { get; }

    /// <summary>Four columns of four rows.</summary>
    static abstract Vector128<sbyte> First(byte* w);

    /// <summary>The four columns 16 further on.</summary>
    static abstract Vector128<sbyte> Second(byte* w);
}

/// <summary>
/// int4: the lower halves are columns 4j .. 4j + 3, the upper ones 16 + 4j .. 19 + 4j. With its highest bit flipped a nibble n is n − 8 in two's
/// complement; as the upper half of a byte it counts sixteenfold, and so sums begin with a float whose last bit is worth 1/16.
/// </summary>
internal readonly unsafe struct NibbleBlock : IBlock
{
    public static int Bytes => PackedLayout.GroupRows * PackedLayout.BlockSize / 2;

    public static float Base => 786432f; // 1.5 · 2^19

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<sbyte> First(byte* w) => (Signed(w) << 4).AsSByte();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<sbyte> Second(byte* w) => (Signed(w) & Vector128.Create((byte)0xF0)).AsSByte();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<byte> Signed(byte* w) => Vector128.Load(w) ^ Vector128.Create((byte)0x88);
}

/// <summary>Nonlinear int4: halves as for int4, looked up.</summary>
internal readonly unsafe struct NonlinearBlock : IBlock
{
    public static int Bytes => NibbleBlock.Bytes;

    public static float Base => ByteBlock.Base;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<sbyte> First(byte* w) => Nonlinear.Of(Vector128.Load(w) & Vector128.Create((byte)15));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<sbyte> Second(byte* w) => Nonlinear.Of(Vector128.Load(w) >>> 4);
}

/// <summary>int8: 16 bytes are columns 4j .. 4j + 3 of four rows.</summary>
internal readonly unsafe struct ByteBlock : IBlock
{
    public static int Bytes => PackedLayout.GroupRows * PackedLayout.BlockSize;

    public static float Base => 12582912f; // 1.5 · 2^23

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<sbyte> First(byte* w) => Vector128.Load(w).AsSByte();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<sbyte> Second(byte* w) => First(w + Bytes / 2);
}
