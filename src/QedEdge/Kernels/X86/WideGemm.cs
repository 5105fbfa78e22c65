using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using QedEdge.Quantization;

namespace QedEdge.Kernels.X86;

/// <summary>
/// int8 and int4 matrices for many tokens with 512-bit vectors: two row groups are one vector, and of 32 registers eight tokens' integer and
/// float sums take half. Fewer tokens, and what is left of them, are <see cref="BlockGemm{TBlock, TScales}"/>'s.
/// </summary>
/// <typeparam name="TWide">How two row groups of weights are multiplied.</typeparam>
/// <typeparam name="TBlock">How they are stored, and multiplied with 256 bits.</typeparam>
internal static unsafe class WideGemm<TWide, TBlock> where TWide : struct, IWideBlock where TBlock : struct, IBlock<TBlock>
{
    private const int GroupRows = PackedLayout.GroupRows;
    private const int BlockSize = PackedLayout.BlockSize;
    private const int Steps = BlockGemm<TBlock, HalfScales>.Steps;
    private const int StepBytes = BlockGemm<TBlock, HalfScales>.StepBytes;
    private const int TileTokens = 8;

    /// <summary><see cref="KernelSet.Gemm"/> for these blocks.</summary>
    public static void Multiply(in GemmCall call, float* y)
    {
        int tiles = call.Tokens / TileTokens;
        if (tiles == 0)
        {
            BlockGemm<TBlock, HalfScales>.Multiply(call, y);
            return;
        }
        ref readonly PackedMatrix w = ref call.W;
        for (int group = call.GroupBegin; group < call.GroupEnd; group += 2)
        {
            int second = Math.Min(group + 1, call.GroupEnd - 1);
            float* y0 = y + (group - call.GroupBegin) * GroupRows, y1 = y + (second - call.GroupBegin) * GroupRows;
            byte* w0 = w.Data.Pointer + group * w.GroupBytes;
            for (int i = 0; i < tiles; i++)
            {
                nint at = (nint)i * TileTokens * call.YStride;
                Tile(w, group, second, call.X, i * TileTokens, y0 + at, y1 + at, call.YStride, new Streaming(w, w0 + i * w.GroupBytes, call.GroupEnd, call.Next), Streaming.GroupsAhead(i, tiles));
            }
        }
        BlockGemm<TBlock, HalfScales>.Tiles(call, tiles * TileTokens, y);
    }

    /// <summary>Two row groups by eight tokens; asks for the bytes of so many groups.</summary>
    private static void Tile(in PackedMatrix w, int group0, int group1, Activations input, int token, float* y0, float* y1, nint yStride, Streaming streaming, int groupsAhead)
    {
        byte* w0 = w.Data.Pointer + group0 * w.GroupBytes, w1 = w.Data.Pointer + group1 * w.GroupBytes;
        ushort* d0 = (ushort*)(w0 + w.ScalesOffset), d1 = (ushort*)(w1 + w.ScalesOffset);
        nint q = input.Stride, q3 = 3 * q, s = input.BlockStride, s3 = 3 * s;
        sbyte* x = input.Quants.Pointer + token * q, z = x + 4 * q;
        float* xScale = input.Scales.Pointer + token * s, zScale = xScale + 4 * s;
        int* xOffset = input.Offsets.Pointer + token * s, zOffset = xOffset + 4 * s;
        Vector512<float> f0 = default, f1 = default, f2 = default, f3 = default, f4 = default, f5 = default, f6 = default, f7 = default;
        for (int b = 0; b < w.Blocks; b++)
        {
            byte* ahead = streaming.Ahead(groupsAhead * (TBlock.Bytes + 2 * GroupRows));
            for (int line = 0; line < groupsAhead * TBlock.Bytes; line += 64)
                Sse.Prefetch0(ahead + line);
            Vector512<int> a0 = TWide.Start(xOffset[0]), a1 = TWide.Start(xOffset[s]), a2 = TWide.Start(xOffset[2 * s]), a3 = TWide.Start(xOffset[s3]);
            Vector512<int> a4 = TWide.Start(zOffset[0]), a5 = TWide.Start(zOffset[s]), a6 = TWide.Start(zOffset[2 * s]), a7 = TWide.Start(zOffset[s3]);
            for (int j = 0; j < Steps; j++)
            {
                Vector512<sbyte> v = TWide.First(w0, w1);
                a0 = TWide.Add(a0, v, Broadcast4(x));
                a1 = TWide.Add(a1, v, Broadcast4(x + q));
                a2 = TWide.Add(a2, v, Broadcast4(x + 2 * q));
                a3 = TWide.Add(a3, v, Broadcast4(x + q3));
                a4 = TWide.Add(a4, v, Broadcast4(z));
                a5 = TWide.Add(a5, v, Broadcast4(z + q));
                a6 = TWide.Add(a6, v, Broadcast4(z + 2 * q));
                a7 = TWide.Add(a7, v, Broadcast4(z + q3));
                v = TWide.Second(w0, w1);
                a0 = TWide.Add(a0, v, Broadcast4(x + BlockSize / 2));
                a1 = TWide.Add(a1, v, Broadcast4(x + q + BlockSize / 2));
                a2 = TWide.Add(a2, v, Broadcast4(x + 2 * q + BlockSize / 2));
                a3 = TWide.Add(a3, v, Broadcast4(x + q3 + BlockSize / 2));
                a4 = TWide.Add(a4, v, Broadcast4(z + BlockSize / 2));
                a5 = TWide.Add(a5, v, Broadcast4(z + q + BlockSize / 2));
                a6 = TWide.Add(a6, v, Broadcast4(z + 2 * q + BlockSize / 2));
                a7 = TWide.Add(a7, v, Broadcast4(z + q3 + BlockSize / 2));
                w0 += StepBytes;
                w1 += StepBytes;
                x += 4;
                z += 4;
            }
            Vector512<float> d = Avx2Float8.WidenHalves(Vector128.Load(d0)).ToVector512Unsafe().WithUpper(Avx2Float8.WidenHalves(Vector128.Load(d1)));
            f0 = Scale(a0, d, xScale[0], f0);
            f1 = Scale(a1, d, xScale[s], f1);
            f2 = Scale(a2, d, xScale[2 * s], f2);
            f3 = Scale(a3, d, xScale[s3], f3);
            f4 = Scale(a4, d, zScale[0], f4);
            f5 = Scale(a5, d, zScale[s], f5);
            f6 = Scale(a6, d, zScale[2 * s], f6);
            f7 = Scale(a7, d, zScale[s3], f7);
            w0 += TBlock.Bytes - Steps * StepBytes;
            w1 += TBlock.Bytes - Steps * StepBytes;
            x += BlockSize - Steps * 4;
            z += BlockSize - Steps * 4;
            d0 += GroupRows;
            d1 += GroupRows;
            xScale++;
            zScale++;
            xOffset++;
            zOffset++;
        }
        Store(f0, y0, y1);
        Store(f1, y0 + yStride, y1 + yStride);
        Store(f2, y0 + 2 * yStride, y1 + 2 * yStride);
        Store(f3, y0 + 3 * yStride, y1 + 3 * yStride);
        Store(f4, y0 + 4 * yStride, y1 + 4 * yStride);
        Store(f5, y0 + 5 * yStride, y1 + 5 * yStride);
        Store(f6, y0 + 6 * yStride, y1 + 6 * yStride);
        Store(f7, y0 + 7 * yStride, y1 + 7 * yStride);
    }

    /// <summary>Four activations in each of the sixteen lanes.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<sbyte> Broadcast4(sbyte* x) => Vector512.Create(*(int*)x).AsSByte();

    /// <summary>fma((float)dot, weightScale · xScale, acc)</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<float> Scale(Vector512<int> sums, Vector512<float> d, float xScale, Vector512<float> acc) =>
        Avx512F.FusedMultiplyAdd(Avx512F.ConvertToVector512Single(TWide.Finish(sums)), d * Vector512.Create(xScale), acc);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Store(Vector512<float> v, float* y0, float* y1)
    {
        v.GetLower().Store(y0);
        v.GetUpper().Store(y1);
    }
}
