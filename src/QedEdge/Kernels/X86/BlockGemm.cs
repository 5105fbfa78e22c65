using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using QedEdge.Memory;
using QedEdge.Quantization;

namespace QedEdge.Kernels.X86;

/// <summary>
/// int8 and int4 matrices. A tile is two row groups (16 rows) by one token or by four (<see cref="ByteTile{TBlock}"/> for bytes): a broadcast of four activations serves
/// both groups, a vector of weights serves four tokens. A remainder repeats the last group or token: the same sums are stored
/// twice, which costs less than more shapes of tile.
/// </summary>
/// <typeparam name="TBlock">How the quants are stored and multiplied.</typeparam>
/// <typeparam name="TScales">What they are scaled by.</typeparam>
internal static unsafe class BlockGemm<TBlock, TScales> where TBlock : struct, IBlock<TBlock> where TScales : struct, IScales
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
            Gemv(TBlock.Of(call.W.Format), call.W, call.X, call.GroupBegin, call.GroupEnd, y, call.Next);
        else
            Tiles(call, 0, y);
    }

    /// <summary>Bytes of a block with its scales.</summary>
    private static int BytesRead
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => TBlock.Bytes + TScales.Bytes + TScales.SuperBytes / PackedLayout.SuperBlocks;
    }

    /// <summary>Tokens from <paramref name="tokenBegin"/> on, four at a time; the first of them prefetch weights to come.</summary>
    public static void Tiles(in GemmCall call, int tokenBegin, float* y)
    {
        if (TBlock.IsBytes)
        {
            ByteTile<TBlock>.Multiply(call, tokenBegin, y);
            return;
        }
        ref readonly PackedMatrix w = ref call.W;
        TBlock block = TBlock.Of(w.Format);
        for (int group = call.GroupBegin; group < call.GroupEnd; group += 2)
        {
            int second = Math.Min(group + 1, call.GroupEnd - 1);
            float* y0 = y + (group - call.GroupBegin) * GroupRows, y1 = y + (second - call.GroupBegin) * GroupRows;
            byte* w0 = w.Data.Pointer + group * w.GroupBytes;
            int tiles = (call.Tokens - tokenBegin + TileTokens - 1) / TileTokens;
            for (int i = 0; i < tiles; i++)
                Tile(block, w, group, second, call.X, tokenBegin + i * TileTokens, call.Tokens, y0, y1, call.YStride, new Streaming(w, w0 + i * w.GroupBytes, call.GroupEnd, call.Next), Streaming.GroupsAhead(i, tiles));
        }
    }

    /// <summary>One token: two row groups at a time. Each weight is read once, so it need not stay in any cache behind the first.</summary>
    private static void Gemv(TBlock block, in PackedMatrix w, Activations input, int groupBegin, int groupEnd, float* y, NativeView next)
    {
        sbyte* quants = input.Quants.Pointer;
        float* xScales = input.Scales.Pointer;
        int bytesRead = 2 * BytesRead; // a call in the loop would cost every register
        long lead = Streaming.Lead(w, groupEnd - groupBegin, inTurn: 2);
        int* xOffsets = TScales.HasHalves ? input.HalfOffsets!.Pointer : input.Offsets.Pointer;
        for (int group = groupBegin; group < groupEnd; group += 2)
        {
            int second = Math.Min(group + 1, groupEnd - 1);
            byte* w0 = w.Data.Pointer + group * w.GroupBytes, w1 = w.Data.Pointer + second * w.GroupBytes;
            var streaming = new Streaming(w, w0, groupEnd, next, lead);
            byte* d0 = w0 + w.ScalesOffset, d1 = w1 + w.ScalesOffset, e0 = w0 + w.SupersOffset, e1 = w1 + w.SupersOffset;
            sbyte* x = quants;
            int* xOffset = xOffsets;
            Vector256<float> acc0 = default, acc1 = default, super0 = default, super1 = default, superMin0 = default, superMin1 = default;
            for (int b = 0; b < w.Blocks; b++)
            {
                byte* ahead = streaming.Ahead(bytesRead);
                if (TScales.SuperBytes > 0 && b % PackedLayout.SuperBlocks == 0)
                {
                    NextSuper(ref e0, out super0, out superMin0);
                    NextSuper(ref e1, out super1, out superMin1);
                }
                float xScale = Scaled(block, xScales[b]);
                int offset = *xOffset++;
                Vector256<int> i0 = TBlock.Start(offset, TScales.HasMins), i1 = i0;
                Vector256<byte> u0 = TBlock.UpperFirst(w0), u1 = TBlock.UpperFirst(w1), v0 = TBlock.UpperSecond(w0), v1 = TBlock.UpperSecond(w1);
                for (int j = 0; j < Steps; j++)
                {
                    streaming.Ask(ahead, 2 * TBlock.Bytes / Steps); // step by step: all of a block's lines at once wait for each other
                    ahead += 2 * TBlock.Bytes / Steps;
                    Vector256<sbyte> a = Broadcast4(x);
                    i0 = TBlock.AddAlone(i0, block.First(w0, u0), a);
                    i1 = TBlock.AddAlone(i1, block.First(w1, u1), a);
                    Shift(ref u0, ref u1);
                    if (!TScales.HasHalves)
                    {
                        Vector256<sbyte> c = Broadcast4(x + BlockSize / 2);
                        i0 = TBlock.AddAlone(i0, block.Second(w0, v0), c);
                        i1 = TBlock.AddAlone(i1, block.Second(w1, v1), c);
                        Shift(ref v0, ref v1);
                    }
                    w0 += StepBytes;
                    w1 += StepBytes;
                    x += 4;
                }
                if (TScales.HasHalves)
                {
                    AddScaled(i0, offset, d0, super0, superMin0, 0, xScale, ref acc0);
                    AddScaled(i1, offset, d1, super1, superMin1, 0, xScale, ref acc1);
                    w0 -= Steps * StepBytes;
                    w1 -= Steps * StepBytes;
                    offset = *xOffset++;
                    i0 = i1 = TBlock.Start(offset, TScales.HasMins);
                    for (int j = 0; j < Steps; j++)
                    {
                        Vector256<sbyte> c = Broadcast4(x);
                        i0 = TBlock.AddAlone(i0, block.Second(w0, v0), c);
                        i1 = TBlock.AddAlone(i1, block.Second(w1, v1), c);
                        Shift(ref v0, ref v1);
                        w0 += StepBytes;
                        w1 += StepBytes;
                        x += 4;
                    }
                    x -= Steps * 4;
                }
                streaming.Ask(ahead, 64); // the scales stand elsewhere, but asking keeps to a straight line
                w0 += TBlock.Bytes - Steps * StepBytes;
                w1 += TBlock.Bytes - Steps * StepBytes;
                x += BlockSize - Steps * 4;
                AddScaled(i0, offset, d0, super0, superMin0, 1, xScale, ref acc0);
                AddScaled(i1, offset, d1, super1, superMin1, 1, xScale, ref acc1);
                d0 += TScales.Bytes;
                d1 += TScales.Bytes;
            }
            acc0.Store(y + (group - groupBegin) * GroupRows);
            acc1.Store(y + (second - groupBegin) * GroupRows);
        }
    }

    /// <summary>Two row groups by four tokens. Sixteen registers hold the integer sums; the float sums wait in memory, partial[token, group, row]. Asks for the bytes of so many groups.</summary>
    private static void Tile(TBlock block, in PackedMatrix w, int group0, int group1, Activations input, int token, int tokens, float* y0, float* y1, int yStride, Streaming streaming, int groupsAhead)
    {
        byte* w0 = w.Data.Pointer + group0 * w.GroupBytes, w1 = w.Data.Pointer + group1 * w.GroupBytes;
        byte* d0 = w0 + w.ScalesOffset, d1 = w1 + w.ScalesOffset, e0 = w0 + w.SupersOffset, e1 = w1 + w.SupersOffset;
        nint t1 = Math.Min(1, tokens - 1 - token), t2 = Math.Min(2, tokens - 1 - token), t3 = Math.Min(3, tokens - 1 - token);
        nint q1 = t1 * input.Stride, q2 = t2 * input.Stride, q3 = t3 * input.Stride;
        nint b1 = t1 * input.BlockStride, b2 = t2 * input.BlockStride, b3 = t3 * input.BlockStride;
        sbyte* x = input.Quants.Pointer + (nint)token * input.Stride;
        float* xScale = input.Scales.Pointer + (nint)token * input.BlockStride;
        int* xOffset = (TScales.HasHalves ? input.HalfOffsets!.Pointer : input.Offsets.Pointer) + (nint)token * input.BlockStride * (TScales.HasHalves ? 2 : 1);
        nint p1 = TScales.HasHalves ? 2 * b1 : b1, p2 = TScales.HasHalves ? 2 * b2 : b2, p3 = TScales.HasHalves ? 2 * b3 : b3;
        int bytesRead = groupsAhead * BytesRead;
        Vector256<float> super0 = default, super1 = default, superMin0 = default, superMin1 = default;
        float* partial = stackalloc float[2 * GroupRows * TileTokens];
        for (int i = 0; i < 2 * TileTokens; i++)
            Vector256<float>.Zero.Store(partial + i * GroupRows);
        for (int b = 0; b < w.Blocks; b++)
        {
            byte* ahead = streaming.Ahead(bytesRead);
            for (int line = 0; line < groupsAhead * TBlock.Bytes; line += 64)
                Sse.Prefetch0(ahead + line);
            if (TScales.SuperBytes > 0 && b % PackedLayout.SuperBlocks == 0)
            {
                NextSuper(ref e0, out super0, out superMin0);
                NextSuper(ref e1, out super1, out superMin1);
            }
            int o0 = xOffset[0], o1 = xOffset[p1], o2 = xOffset[p2], o3 = xOffset[p3];
            Vector256<int> a0 = TBlock.Start(o0, TScales.HasMins), a1 = TBlock.Start(o1, TScales.HasMins), a2 = TBlock.Start(o2, TScales.HasMins), a3 = TBlock.Start(o3, TScales.HasMins);
            Vector256<int> c0 = a0, c1 = a1, c2 = a2, c3 = a3;
            Vector256<byte> u0 = TBlock.UpperFirst(w0), u1 = TBlock.UpperFirst(w1), v0 = TBlock.UpperSecond(w0), v1 = TBlock.UpperSecond(w1);
            for (int j = 0; j < Steps; j++)
            {
                AddTokens(block.First(w0, u0), block.First(w1, u1), x, q1, q2, q3, ref a0, ref a1, ref a2, ref a3, ref c0, ref c1, ref c2, ref c3);
                Shift(ref u0, ref u1);
                if (!TScales.HasHalves)
                {
                    AddTokens(block.Second(w0, v0), block.Second(w1, v1), x + BlockSize / 2, q1, q2, q3, ref a0, ref a1, ref a2, ref a3, ref c0, ref c1, ref c2, ref c3);
                    Shift(ref v0, ref v1);
                }
                w0 += StepBytes;
                w1 += StepBytes;
                x += 4;
            }
            if (TScales.HasHalves)
            {
                ScaleTokens(a0, a1, a2, a3, c0, c1, c2, c3, o0, o1, o2, o3, d0, d1, super0, super1, superMin0, superMin1, 0,
                    Scaled(block, xScale[0]), Scaled(block, xScale[b1]), Scaled(block, xScale[b2]), Scaled(block, xScale[b3]), partial);
                w0 -= Steps * StepBytes;
                w1 -= Steps * StepBytes;
                xOffset++;
                (o0, o1, o2, o3) = (xOffset[0], xOffset[p1], xOffset[p2], xOffset[p3]);
                (a0, a1, a2, a3) = (TBlock.Start(o0, TScales.HasMins), TBlock.Start(o1, TScales.HasMins), TBlock.Start(o2, TScales.HasMins), TBlock.Start(o3, TScales.HasMins));
                (c0, c1, c2, c3) = (a0, a1, a2, a3);
                for (int j = 0; j < Steps; j++)
                {
                    AddTokens(block.Second(w0, v0), block.Second(w1, v1), x, q1, q2, q3, ref a0, ref a1, ref a2, ref a3, ref c0, ref c1, ref c2, ref c3);
                    Shift(ref v0, ref v1);
                    w0 += StepBytes;
                    w1 += StepBytes;
                    x += 4;
                }
                x -= Steps * 4;
            }
            ScaleTokens(a0, a1, a2, a3, c0, c1, c2, c3, o0, o1, o2, o3, d0, d1, super0, super1, superMin0, superMin1, 1,
                Scaled(block, xScale[0]), Scaled(block, xScale[b1]), Scaled(block, xScale[b2]), Scaled(block, xScale[b3]), partial);
            w0 += TBlock.Bytes - Steps * StepBytes;
            w1 += TBlock.Bytes - Steps * StepBytes;
            x += BlockSize - Steps * 4;
            xScale++;
            xOffset++;
            d0 += TScales.Bytes;
            d1 += TScales.Bytes;
        }
        Store(partial, y0, y1, (nint)token * yStride);
        Store(partial + 16, y0, y1, (token + t1) * yStride);
        Store(partial + 32, y0, y1, (token + t2) * yStride);
        Store(partial + 48, y0, y1, (token + t3) * yStride);
    }

    /// <summary>What the scales of the next eight blocks are multiplied by.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void NextSuper(ref byte* e, out Vector256<float> super, out Vector256<float> superMin)
    {
        super = TScales.Super(e);
        superMin = TScales.SuperMin(e);
        e += TScales.SuperBytes;
    }

    /// <summary>Upper bits of two row groups moved on by a step; without them nothing is held.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Shift(ref Vector256<byte> upper0, ref Vector256<byte> upper1)
    {
        if (!TBlock.HasUpper)
            return;
        upper0 = TBlock.Shift(upper0);
        upper1 = TBlock.Shift(upper1);
    }

    /// <summary>Four activations in each of the eight lanes.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<sbyte> Broadcast4(sbyte* x) => Vector256.Create(*(int*)x).AsSByte();

    /// <summary>An activation's scale, times the format's power of two.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static float Scaled(TBlock block, float xScale) => TBlock.HasFactor ? xScale * block.Factor : xScale;

    /// <summary>Four columns of two row groups times four tokens.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void AddTokens(Vector256<sbyte> w0, Vector256<sbyte> w1, sbyte* x, nint q1, nint q2, nint q3,
        ref Vector256<int> a0, ref Vector256<int> a1, ref Vector256<int> a2, ref Vector256<int> a3, ref Vector256<int> c0, ref Vector256<int> c1, ref Vector256<int> c2, ref Vector256<int> c3)
    {
        Vector256<sbyte> v = Broadcast4(x);
        a0 = TBlock.Add(a0, w0, v);
        c0 = TBlock.Add(c0, w1, v);
        v = Broadcast4(x + q1);
        a1 = TBlock.Add(a1, w0, v);
        c1 = TBlock.Add(c1, w1, v);
        v = Broadcast4(x + q2);
        a2 = TBlock.Add(a2, w0, v);
        c2 = TBlock.Add(c2, w1, v);
        v = Broadcast4(x + q3);
        a3 = TBlock.Add(a3, w0, v);
        c3 = TBlock.Add(c3, w1, v);
    }

    /// <summary>acc = fma((float)dot, weightScale · xScale, acc), and where there are mins fma(min, xScale · Σ x, acc).</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void AddScaled(Vector256<int> dot, int offset, byte* d, Vector256<float> super, Vector256<float> superMin, int half, float xScale, ref Vector256<float> acc)
    {
        acc = Fma.MultiplyAdd(Avx.ConvertToVector256Single(TBlock.Finish(dot, offset, TScales.HasMins)), TScales.Scale(d, super, half) * Vector256.Create(xScale), acc);
        if (TScales.HasMins)
            acc = Fma.MultiplyAdd(TScales.Min(d, superMin, half), Vector256.Create(xScale * Activations.Sum(offset)), acc);
    }

    /// <summary>The same for two row groups and four tokens.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void ScaleTokens(Vector256<int> a0, Vector256<int> a1, Vector256<int> a2, Vector256<int> a3, Vector256<int> c0, Vector256<int> c1, Vector256<int> c2, Vector256<int> c3,
        int o0, int o1, int o2, int o3, byte* d0, byte* d1, Vector256<float> super0, Vector256<float> super1, Vector256<float> superMin0, Vector256<float> superMin1, int half, float x0, float x1, float x2, float x3, float* partial)
    {
        Vector256<float> s0 = TScales.Scale(d0, super0, half), s1 = TScales.Scale(d1, super1, half);
        AddScaled(a0, c0, o0, s0, s1, x0, partial);
        AddScaled(a1, c1, o1, s0, s1, x1, partial + 16);
        AddScaled(a2, c2, o2, s0, s1, x2, partial + 32);
        AddScaled(a3, c3, o3, s0, s1, x3, partial + 48);
        if (!TScales.HasMins)
            return;
        Vector256<float> m0 = TScales.Min(d0, superMin0, half), m1 = TScales.Min(d1, superMin1, half);
        AddMin(o0, m0, m1, x0, partial);
        AddMin(o1, m0, m1, x1, partial + 16);
        AddMin(o2, m0, m1, x2, partial + 32);
        AddMin(o3, m0, m1, x3, partial + 48);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void AddScaled(Vector256<int> a, Vector256<int> c, int offset, Vector256<float> s0, Vector256<float> s1, float xScale, float* partial)
    {
        Vector256<float> x = Vector256.Create(xScale);
        Fma.MultiplyAdd(Avx.ConvertToVector256Single(TBlock.Finish(a, offset, TScales.HasMins)), s0 * x, Vector256.Load(partial)).Store(partial);
        Fma.MultiplyAdd(Avx.ConvertToVector256Single(TBlock.Finish(c, offset, TScales.HasMins)), s1 * x, Vector256.Load(partial + 8)).Store(partial + 8);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void AddMin(int offset, Vector256<float> m0, Vector256<float> m1, float xScale, float* partial)
    {
        Vector256<float> sum = Vector256.Create(xScale * Activations.Sum(offset));
        Fma.MultiplyAdd(m0, sum, Vector256.Load(partial)).Store(partial);
        Fma.MultiplyAdd(m1, sum, Vector256.Load(partial + 8)).Store(partial + 8);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Store(float* partial, float* y0, float* y1, nint offset)
    {
        Vector256.Load(partial).Store(y0 + offset);
        Vector256.Load(partial + 8).Store(y1 + offset);
    }
}
