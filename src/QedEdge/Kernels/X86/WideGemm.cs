using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using QedEdge.Quantization;

namespace QedEdge.Kernels.X86;

/// <summary>
/// <see cref="BlockGemm{TBlock, TScales}"/> of several tokens with 512-bit vectors: two row groups are one vector, a tile is four or eight tokens, and all sums are in registers.
/// A lone token is read faster with 256 bits (docs/performance.md).
/// </summary>
/// <typeparam name="TBlock">How two row groups of weights are stored and multiplied.</typeparam>
/// <typeparam name="TScales">What they are scaled by.</typeparam>
internal static unsafe class WideGemm<TBlock, TScales> where TBlock : struct, IWideBlock<TBlock> where TScales : struct, IWideScales
{
    private const int GroupRows = PackedLayout.GroupRows;
    private const int BlockSize = PackedLayout.BlockSize;
    private const int QuadTokens = 4;

    /// <summary>Whether a tile has a second quad of tokens.</summary>
    private interface IQuads
    {
        static abstract bool Two { get; }
    }

    private readonly struct One : IQuads
    {
        public static bool Two => false;
    }

    private readonly struct Both : IQuads
    {
        public static bool Two => true;
    }

    /// <summary>Four tokens' integer sums, or float sums, of two row groups.</summary>
    private ref struct Quad<T>(Vector512<T> start0, Vector512<T> start1, Vector512<T> start2, Vector512<T> start3)
    {
        public Vector512<T> T0 = start0, T1 = start1, T2 = start2, T3 = start3;
    }

    /// <summary><see cref="KernelSet.Gemm"/> of more than one token. The last quad repeats the last token where there are fewer than four, else it begins further ahead: the same sums are stored twice.</summary>
    public static void Multiply(in GemmCall call, float* y)
    {
        ref readonly PackedMatrix w = ref call.W;
        TBlock block = TBlock.Of(w.Format);
        int tiles = (call.Tokens + 2 * QuadTokens - 1) / (2 * QuadTokens), last = Math.Max(0, call.Tokens - QuadTokens);
        for (int group = call.GroupBegin; group < call.GroupEnd; group += 2)
        {
            int second = Math.Min(group + 1, call.GroupEnd - 1);
            float* y0 = y + (group - call.GroupBegin) * GroupRows, y1 = y + (second - call.GroupBegin) * GroupRows;
            byte* w0 = w.Data.Pointer + group * w.GroupBytes;
            for (int i = 0; i < tiles; i++)
            {
                int token = Math.Min(2 * i * QuadTokens, last), next = Math.Min((2 * i + 1) * QuadTokens, last);
                var streaming = new Streaming(w, w0 + i * w.GroupBytes, call.GroupEnd, call.Next);
                if (next > token)
                    Tile<Both>(block, call, group, second, token, next, y0, y1, streaming, Streaming.GroupsAhead(i, tiles));
                else
                    Tile<One>(block, call, group, second, token, token, y0, y1, streaming, Streaming.GroupsAhead(i, tiles));
            }
        }
    }

    /// <summary>Two row groups by the four tokens from <paramref name="token"/> on and perhaps those from <paramref name="next"/> on; asks for the bytes of so many groups.</summary>
    private static void Tile<TQuads>(TBlock block, in GemmCall call, int group0, int group1, int token, int next, float* y0, float* y1, Streaming streaming, int groupsAhead) where TQuads : struct, IQuads
    {
        ref readonly PackedMatrix w = ref call.W;
        Activations input = call.X;
        byte* w0 = w.Data.Pointer + group0 * w.GroupBytes, w1 = w.Data.Pointer + group1 * w.GroupBytes;
        byte* d0 = w0 + w.ScalesOffset, d1 = w1 + w.ScalesOffset, e0 = w0 + w.SupersOffset, e1 = w1 + w.SupersOffset;
        nint t1 = Math.Min(1, call.Tokens - 1), t2 = Math.Min(2, call.Tokens - 1), t3 = Math.Min(3, call.Tokens - 1);
        nint q1 = t1 * input.Stride, q2 = t2 * input.Stride, q3 = t3 * input.Stride;
        nint s1 = t1 * input.BlockStride, s2 = t2 * input.BlockStride, s3 = t3 * input.BlockStride;
        sbyte* x = input.Quants.Pointer + (nint)token * input.Stride, z = input.Quants.Pointer + (nint)next * input.Stride;
        float* xScale = input.Scales.Pointer + (nint)token * input.BlockStride, zScale = input.Scales.Pointer + (nint)next * input.BlockStride;
        int halves = TScales.HasHalves ? 2 : 1;
        int* offsets = TScales.HasHalves ? input.HalfOffsets!.Pointer : input.Offsets.Pointer;
        int* xOffset = offsets + (nint)token * halves * input.BlockStride, zOffset = offsets + (nint)next * halves * input.BlockStride;
        nint o1 = halves * s1, o2 = halves * s2, o3 = halves * s3;
        int bytesRead = groupsAhead * (TBlock.Bytes + TScales.Bytes + TScales.SuperBytes / PackedLayout.SuperBlocks);
        Quad<float> f = default, g = default;
        Vector512<float> super = default, superMin = default;
        for (int b = 0; b < w.Blocks; b++)
        {
            byte* ahead = streaming.Ahead(bytesRead);
            for (int line = 0; line < groupsAhead * TBlock.Bytes; line += 64)
                Sse.Prefetch0(ahead + line);
            if (TScales.SuperBytes > 0 && b % PackedLayout.SuperBlocks == 0)
            {
                super = TScales.Super(e0, e1);
                superMin = TScales.SuperMin(e0, e1);
                e0 += TScales.SuperBytes;
                e1 += TScales.SuperBytes;
            }
            Vector512<byte> u = TBlock.UpperFirst(w0, w1), v = TBlock.UpperSecond(w0, w1);
            Quad<int> a = Start(xOffset, o1, o2, o3), c = TQuads.Two ? Start(zOffset, o1, o2, o3) : default;
            Add<TQuads>(block.First(w0, w1, u, 0), x, z, q1, q2, q3, ref a, ref c);
            Add<TQuads>(block.First(w0, w1, u, 1), x + 4, z + 4, q1, q2, q3, ref a, ref c);
            Add<TQuads>(block.First(w0, w1, u, 2), x + 8, z + 8, q1, q2, q3, ref a, ref c);
            Add<TQuads>(block.First(w0, w1, u, 3), x + 12, z + 12, q1, q2, q3, ref a, ref c);
            if (TScales.HasHalves)
            {
                Scale<TQuads>(block, a, c, d0, d1, super, superMin, 0, xScale, zScale, s1, s2, s3, xOffset, zOffset, o1, o2, o3, ref f, ref g);
                xOffset++;
                zOffset++;
                a = Start(xOffset, o1, o2, o3);
                c = TQuads.Two ? Start(zOffset, o1, o2, o3) : default;
            }
            Add<TQuads>(block.Second(w0, w1, v, 0), x + 16, z + 16, q1, q2, q3, ref a, ref c);
            Add<TQuads>(block.Second(w0, w1, v, 1), x + 20, z + 20, q1, q2, q3, ref a, ref c);
            Add<TQuads>(block.Second(w0, w1, v, 2), x + 24, z + 24, q1, q2, q3, ref a, ref c);
            Add<TQuads>(block.Second(w0, w1, v, 3), x + 28, z + 28, q1, q2, q3, ref a, ref c);
            Scale<TQuads>(block, a, c, d0, d1, super, superMin, 1, xScale, zScale, s1, s2, s3, xOffset, zOffset, o1, o2, o3, ref f, ref g);
            w0 += TBlock.Bytes;
            w1 += TBlock.Bytes;
            x += BlockSize;
            z += BlockSize;
            d0 += TScales.Bytes;
            d1 += TScales.Bytes;
            xScale++;
            zScale++;
            xOffset++;
            zOffset++;
        }
        Store(f, y0, y1, token, t1, t2, t3, call.YStride);
        if (TQuads.Two)
            Store(g, y0, y1, next, t1, t2, t3, call.YStride);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Quad<int> Start(int* offset, nint o1, nint o2, nint o3) =>
        new(TBlock.Start(offset[0], TScales.HasMins), TBlock.Start(offset[o1], TScales.HasMins), TBlock.Start(offset[o2], TScales.HasMins), TBlock.Start(offset[o3], TScales.HasMins));

    /// <summary>Four columns of two row groups times the tokens at x and z.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Add<TQuads>(Vector512<byte> w, sbyte* x, sbyte* z, nint q1, nint q2, nint q3, ref Quad<int> a, ref Quad<int> c) where TQuads : struct, IQuads
    {
        a.T0 = TBlock.Add(a.T0, w, Broadcast4(x));
        a.T1 = TBlock.Add(a.T1, w, Broadcast4(x + q1));
        a.T2 = TBlock.Add(a.T2, w, Broadcast4(x + q2));
        a.T3 = TBlock.Add(a.T3, w, Broadcast4(x + q3));
        if (!TQuads.Two)
            return;
        c.T0 = TBlock.Add(c.T0, w, Broadcast4(z));
        c.T1 = TBlock.Add(c.T1, w, Broadcast4(z + q1));
        c.T2 = TBlock.Add(c.T2, w, Broadcast4(z + q2));
        c.T3 = TBlock.Add(c.T3, w, Broadcast4(z + q3));
    }

    /// <summary>Four activations in each of the sixteen lanes.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<sbyte> Broadcast4(sbyte* x) => Vector512.Create(*(int*)x).AsSByte();

    /// <summary>A block's sums, or those of a half of it, scaled and added to the float sums.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Scale<TQuads>(TBlock block, in Quad<int> a, in Quad<int> c, byte* d0, byte* d1, Vector512<float> super, Vector512<float> superMin, int half,
        float* xScale, float* zScale, nint s1, nint s2, nint s3, int* xOffset, int* zOffset, nint o1, nint o2, nint o3, ref Quad<float> f, ref Quad<float> g) where TQuads : struct, IQuads
    {
        Vector512<float> s = TScales.Scale(d0, d1, super, half), m = TScales.Min(d0, d1, superMin, half);
        if (TBlock.HasFactor)
            s *= Vector512.Create(block.Factor);
        f.T0 = Scale(a.T0, s, m, xScale[0], xOffset[0], f.T0);
        f.T1 = Scale(a.T1, s, m, xScale[s1], xOffset[o1], f.T1);
        f.T2 = Scale(a.T2, s, m, xScale[s2], xOffset[o2], f.T2);
        f.T3 = Scale(a.T3, s, m, xScale[s3], xOffset[o3], f.T3);
        if (!TQuads.Two)
            return;
        g.T0 = Scale(c.T0, s, m, zScale[0], zOffset[0], g.T0);
        g.T1 = Scale(c.T1, s, m, zScale[s1], zOffset[o1], g.T1);
        g.T2 = Scale(c.T2, s, m, zScale[s2], zOffset[o2], g.T2);
        g.T3 = Scale(c.T3, s, m, zScale[s3], zOffset[o3], g.T3);
    }

    /// <summary>fma((float)dot, weightScale · xScale, acc), and where there are mins fma(min, xScale · Σ x, acc).</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<float> Scale(Vector512<int> sums, Vector512<float> s, Vector512<float> m, float xScale, int offset, Vector512<float> acc)
    {
        acc = Avx512F.FusedMultiplyAdd(Avx512F.ConvertToVector512Single(TBlock.Finish(sums, offset, TScales.HasMins)), s * Vector512.Create(xScale), acc);
        return TScales.HasMins ? Avx512F.FusedMultiplyAdd(m, Vector512.Create(xScale * Activations.Sum(offset)), acc) : acc;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Store(in Quad<float> f, float* y0, float* y1, nint token, nint t1, nint t2, nint t3, nint yStride)
    {
        Store(f.T0, y0, y1, token * yStride);
        Store(f.T1, y0, y1, (token + t1) * yStride);
        Store(f.T2, y0, y1, (token + t2) * yStride);
        Store(f.T3, y0, y1, (token + t3) * yStride);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Store(Vector512<float> v, float* y0, float* y1, nint offset)
    {
        v.GetLower().Store(y0 + offset);
        v.GetUpper().Store(y1 + offset);
    }
}
