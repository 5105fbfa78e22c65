using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using QedEdge.Memory;
using QedEdge.Quantization;

namespace QedEdge.Kernels.X86;

/// <summary>
/// int8 and int4 matrices. A tile is two row groups (16 rows) by one token or by four: a broadcast of four activations serves
/// both groups, a vector of weights serves four tokens. A remainder repeats the last group or token: the same sums are stored
/// twice, which costs less than more shapes of tile.
/// </summary>
/// <typeparam name="TBlock">How the weights are stored and multiplied.</typeparam>
internal static unsafe class BlockGemm<TBlock> where TBlock : struct, IBlock
{
    private const int GroupRows = PackedLayout.GroupRows;
    private const int BlockSize = PackedLayout.BlockSize;
    internal const int Steps = 4;               // of a block: each takes columns 4j .. 4j + 3 and 16 + 4j .. 19 + 4j of eight rows
    internal const int StepBytes = 32;
    private const int TileTokens = 4;

    /// <summary><see cref="KernelSet.Gemm"/> for these blocks.</summary>
    public static void Multiply(in GemmCall call, float* y)
    {
        if (call.Tokens == 1)
            Gemv(call.W, call.X, call.GroupBegin, call.GroupEnd, y, call.Next);
        else
            Tiles(call, 0, y);
    }

    /// <summary>Tokens from <paramref name="tokenBegin"/> on, four at a time; the first of them prefetch weights to come.</summary>
    public static void Tiles(in GemmCall call, int tokenBegin, float* y)
    {
        ref readonly PackedMatrix w = ref call.W;
        for (int group = call.GroupBegin; group < call.GroupEnd; group += 2)
        {
            int second = Math.Min(group + 1, call.GroupEnd - 1);
            float* y0 = y + (group - call.GroupBegin) * GroupRows, y1 = y + (second - call.GroupBegin) * GroupRows;
            byte* w0 = w.Data.Pointer + group * w.GroupBytes;
            int tiles = (call.Tokens - tokenBegin + TileTokens - 1) / TileTokens;
            for (int i = 0; i < tiles; i++)
                Tile(w, group, second, call.X, tokenBegin + i * TileTokens, call.Tokens, y0, y1, call.YStride, new Streaming(w, w0 + i * w.GroupBytes, call.GroupEnd, call.Next), Streaming.GroupsAhead(i, tiles));
        }
    }

    /// <summary>One token: two row groups at a time. Each weight is read once, so it need not stay in any cache behind the first.</summary>
    private static void Gemv(in PackedMatrix w, Activations input, int groupBegin, int groupEnd, float* y, NativeView next)
    {
        sbyte* quants = input.Quants.Pointer;
        float* xScales = input.Scales.Pointer;
        int* xOffsets = input.Offsets.Pointer;
        for (int group = groupBegin; group < groupEnd; group += 2)
        {
            int second = Math.Min(group + 1, groupEnd - 1);
            byte* w0 = w.Data.Pointer + group * w.GroupBytes, w1 = w.Data.Pointer + second * w.GroupBytes;
            var streaming = new Streaming(w, w0, groupEnd, next);
            ushort* d0 = (ushort*)(w0 + w.ScalesOffset), d1 = (ushort*)(w1 + w.ScalesOffset);
            sbyte* x = quants;
            Vector256<float> acc0 = default, acc1 = default;
            for (int b = 0; b < w.Blocks; b++)
            {
                byte* ahead = streaming.Ahead(2 * (TBlock.Bytes + 2 * GroupRows));
                Vector256<int> i0 = TBlock.Start(xOffsets[b]), i1 = i0;
                for (int j = 0; j < Steps; j++)
                {
                    for (int line = 0; line < 2 * TBlock.Bytes / Steps; line += 64)
                        Sse.PrefetchNonTemporal(ahead + line);
                    ahead += 2 * TBlock.Bytes / Steps;
                    Vector256<sbyte> a = Broadcast4(x), c = Broadcast4(x + BlockSize / 2);
                    i0 = TBlock.AddAlone(i0, TBlock.First(w0), a);
                    i1 = TBlock.AddAlone(i1, TBlock.First(w1), a);
                    i0 = TBlock.AddAlone(i0, TBlock.Second(w0), c);
                    i1 = TBlock.AddAlone(i1, TBlock.Second(w1), c);
                    w0 += StepBytes;
                    w1 += StepBytes;
                    x += 4;
                }
                Sse.PrefetchNonTemporal(ahead); // the scales stand elsewhere, but asking keeps to a straight line
                w0 += TBlock.Bytes - Steps * StepBytes;
                w1 += TBlock.Bytes - Steps * StepBytes;
                x += BlockSize - Steps * 4;
                Vector256<float> xScale = Vector256.Create(xScales[b]);
                acc0 = Fma.MultiplyAdd(Avx.ConvertToVector256Single(TBlock.Finish(i0)), Avx2Float8.WidenHalves(Vector128.Load(d0)) * xScale, acc0);
                acc1 = Fma.MultiplyAdd(Avx.ConvertToVector256Single(TBlock.Finish(i1)), Avx2Float8.WidenHalves(Vector128.Load(d1)) * xScale, acc1);
                d0 += GroupRows;
                d1 += GroupRows;
            }
            acc0.Store(y + (group - groupBegin) * GroupRows);
            acc1.Store(y + (second - groupBegin) * GroupRows);
        }
    }

    /// <summary>Two row groups by four tokens. Sixteen registers hold the integer sums; the float sums wait in memory, partial[token, group, row]. Asks for the bytes of so many groups.</summary>
    private static void Tile(in PackedMatrix w, int group0, int group1, Activations input, int token, int tokens, float* y0, float* y1, int yStride, Streaming streaming, int groupsAhead)
    {
        byte* w0 = w.Data.Pointer + group0 * w.GroupBytes, w1 = w.Data.Pointer + group1 * w.GroupBytes;
        ushort* d0 = (ushort*)(w0 + w.ScalesOffset), d1 = (ushort*)(w1 + w.ScalesOffset);
        nint t1 = Math.Min(1, tokens - 1 - token), t2 = Math.Min(2, tokens - 1 - token), t3 = Math.Min(3, tokens - 1 - token);
        nint q1 = t1 * input.Stride, q2 = t2 * input.Stride, q3 = t3 * input.Stride;
        nint b1 = t1 * input.BlockStride, b2 = t2 * input.BlockStride, b3 = t3 * input.BlockStride;
        sbyte* x = input.Quants.Pointer + (nint)token * input.Stride;
        float* xScale = input.Scales.Pointer + (nint)token * input.BlockStride;
        int* xOffset = input.Offsets.Pointer + (nint)token * input.BlockStride;
        float* partial = stackalloc float[2 * GroupRows * TileTokens];
        for (int i = 0; i < 2 * TileTokens; i++)
            Vector256<float>.Zero.Store(partial + i * GroupRows);
        for (int b = 0; b < w.Blocks; b++)
        {
            byte* ahead = streaming.Ahead(groupsAhead * (TBlock.Bytes + 2 * GroupRows));
            for (int line = 0; line < groupsAhead * TBlock.Bytes; line += 64)
                Sse.Prefetch0(ahead + line);
            Vector256<int> a0 = TBlock.Start(xOffset[0]), a1 = TBlock.Start(xOffset[b1]), a2 = TBlock.Start(xOffset[b2]), a3 = TBlock.Start(xOffset[b3]);
            Vector256<int> c0 = a0, c1 = a1, c2 = a2, c3 = a3;
            for (int j = 0; j < Steps; j++)
            {
                Vector256<sbyte> v0 = TBlock.First(w0), v1 = TBlock.First(w1), v = Broadcast4(x);
                a0 = TBlock.Add(a0, v0, v);
                c0 = TBlock.Add(c0, v1, v);
                v = Broadcast4(x + q1);
                a1 = TBlock.Add(a1, v0, v);
                c1 = TBlock.Add(c1, v1, v);
                v = Broadcast4(x + q2);
                a2 = TBlock.Add(a2, v0, v);
                c2 = TBlock.Add(c2, v1, v);
                v = Broadcast4(x + q3);
                a3 = TBlock.Add(a3, v0, v);
                c3 = TBlock.Add(c3, v1, v);
                v0 = TBlock.Second(w0);
                v1 = TBlock.Second(w1);
                v = Broadcast4(x + BlockSize / 2);
                a0 = TBlock.Add(a0, v0, v);
                c0 = TBlock.Add(c0, v1, v);
                v = Broadcast4(x + q1 + BlockSize / 2);
                a1 = TBlock.Add(a1, v0, v);
                c1 = TBlock.Add(c1, v1, v);
                v = Broadcast4(x + q2 + BlockSize / 2);
                a2 = TBlock.Add(a2, v0, v);
                c2 = TBlock.Add(c2, v1, v);
                v = Broadcast4(x + q3 + BlockSize / 2);
                a3 = TBlock.Add(a3, v0, v);
                c3 = TBlock.Add(c3, v1, v);
                w0 += StepBytes;
                w1 += StepBytes;
                x += 4;
            }
            Vector256<float> s0 = Avx2Float8.WidenHalves(Vector128.Load(d0)), s1 = Avx2Float8.WidenHalves(Vector128.Load(d1));
            AddScaled(a0, c0, s0, s1, xScale[0], partial);
            AddScaled(a1, c1, s0, s1, xScale[b1], partial + 16);
            AddScaled(a2, c2, s0, s1, xScale[b2], partial + 32);
            AddScaled(a3, c3, s0, s1, xScale[b3], partial + 48);
            w0 += TBlock.Bytes - Steps * StepBytes;
            w1 += TBlock.Bytes - Steps * StepBytes;
            x += BlockSize - Steps * 4;
            xScale++;
            xOffset++;
            d0 += GroupRows;
            d1 += GroupRows;
        }
        Store(partial, y0, y1, (nint)token * yStride);
        Store(partial + 16, y0, y1, (token + t1) * yStride);
        Store(partial + 32, y0, y1, (token + t2) * yStride);
        Store(partial + 48, y0, y1, (token + t3) * yStride);
    }

    /// <summary>Four activations in each of the eight lanes.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<sbyte> Broadcast4(sbyte* x) => Vector256.Create(*(int*)x).AsSByte();

    /// <summary>partial = fma((float)dot, weightScale · xScale, partial) for two row groups.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void AddScaled(Vector256<int> a, Vector256<int> c, Vector256<float> s0, Vector256<float> s1, float xScale, float* partial)
    {
        Vector256<float> x = Vector256.Create(xScale);
        Fma.MultiplyAdd(Avx.ConvertToVector256Single(TBlock.Finish(a)), s0 * x, Vector256.Load(partial)).Store(partial);
        Fma.MultiplyAdd(Avx.ConvertToVector256Single(TBlock.Finish(c)), s1 * x, Vector256.Load(partial + 8)).Store(partial + 8);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Store(float* partial, float* y0, float* y1, nint offset)
    {
        Vector256.Load(partial).Store(y0 + offset);
        Vector256.Load(partial + 8).Store(y1 + offset);
    }
}
