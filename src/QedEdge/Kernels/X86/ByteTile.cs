using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using QedEdge.Quantization;

namespace QedEdge.Kernels.X86;

/// <summary>
/// int8 matrices by several tokens. A tile is two row groups by four tokens or by three, as many queries as share a head of SmolLM2's, and goes from groups to
/// groups by itself where there are few tokens: a head's keys are two blocks wide, which a call for each two groups would not pay for.
/// </summary>
/// <typeparam name="TBlock">How the bytes are multiplied.</typeparam>
internal static unsafe class ByteTile<TBlock> where TBlock : struct, IBlock<TBlock>
{
    private const int GroupRows = PackedLayout.GroupRows;
    private const int BlockSize = PackedLayout.BlockSize;

    /// <summary>Tokens from <paramref name="tokenBegin"/> on.</summary>
    public static void Multiply(in GemmCall call, int tokenBegin, float* y)
    {
        int tokens = call.Tokens - tokenBegin, tiles = (tokens + 3) / 4;
        int step = tiles == 1 ? call.GroupEnd - call.GroupBegin : tiles == 2 ? 8 : 2; // what the first tile reads is in the first-level cache for the others
        for (int group = call.GroupBegin; group < call.GroupEnd; group += step)
        {
            int end = Math.Min(group + step, call.GroupEnd);
            for (int i = 0, token = tokenBegin; i < tiles; i++)
            {
                // Two are three of which one is computed twice, five are three and two, six twice three, seven four and three.
                if (!TBlock.HasThree || call.Tokens - token is 4 or >= 7)
                {
                    Tile<FourTokens>(call, token, group, end, y, i, Streaming.GroupsAhead(i, tiles));
                    token += 4;
                }
                else
                {
                    Tile<ThreeTokens>(call, token, group, end, y, i, Streaming.GroupsAhead(i, tiles));
                    token += 3;
                }
            }
        }
    }

    /// <summary>Integer sums are in registers, float sums wait in memory, partial[token, group, row]. Tile <paramref name="number"/> of a pass asks for the bytes of so many groups.</summary>
    private static void Tile<TTokens>(in GemmCall call, int token, int groupBegin, int groupEnd, float* y, int number, int groupsAhead) where TTokens : struct, ITileTokens
    {
        PackedMatrix w = call.W;
        Activations input = call.X;
        int last = call.Tokens - 1 - token, blocks = w.Blocks;
        nint t1 = Math.Min(1, last), t2 = Math.Min(2, last), t3 = Math.Min(3, last);
        nint q1 = t1 * input.Stride, q2 = t2 * input.Stride, q3 = t3 * input.Stride;
        nint b1 = t1 * input.BlockStride, b2 = t2 * input.BlockStride, b3 = t3 * input.BlockStride;
        nint groupBytes = (nint)w.GroupBytes, scalesOffset = (nint)w.ScalesOffset;
        sbyte* quants = input.Quants.Pointer + (nint)token * input.Stride;
        float* xScales = input.Scales.Pointer + (nint)token * input.BlockStride;
        nint offsets = (nint)((byte*)(input.Offsets.Pointer + (nint)token * input.BlockStride) - (byte*)xScales); // as far as scales
        byte* weights = w.Data.Pointer + groupBegin * groupBytes;
        y += (groupBegin - call.GroupBegin) * GroupRows + (nint)token * call.YStride;
        nint y1 = t1 * call.YStride, y2 = t2 * call.YStride, y3 = t3 * call.YStride;
        float* partial = stackalloc float[2 * GroupRows * 4];
        for (int group = groupBegin; group < groupEnd; group += 2, weights += 2 * groupBytes, y += 2 * GroupRows)
        {
            nint next = group + 1 < groupEnd ? groupBytes : 0; // a lone group is computed twice
            byte* v = weights;
            byte* scales = weights + scalesOffset;
            sbyte* x = quants;
            float* xScale = xScales;
            var streaming = new Streaming(w, weights + number * groupBytes, call.GroupEnd, call.Next);
            Clear<TTokens>(partial);
            for (int b = 0; b < blocks; b++)
            {
                byte* ahead = streaming.Ahead(groupsAhead * (TBlock.Bytes + HalfScales.Bytes)); // the scales stand elsewhere
                for (int i = 0; i < groupsAhead; i++, ahead += TBlock.Bytes)
                    Ask(ahead);
                int* offset = (int*)((byte*)xScale + offsets);
                Vector256<int> a0 = TBlock.Start(offset[0], false), a1 = TBlock.Start(offset[b1], false), a2 = TBlock.Start(offset[b2], false), a3 = TTokens.HasFourth ? TBlock.Start(offset[b3], false) : default;
                Vector256<int> c0 = a0, c1 = a1, c2 = a2, c3 = a3;
                for (int j = 0; j < BlockSize / 8; j++, v += 32, x += 4)
                {
                    Add<TTokens>(default(TBlock).First(v, default), default(TBlock).First(v + next, default), x, q1, q2, q3, ref a0, ref a1, ref a2, ref a3, ref c0, ref c1, ref c2, ref c3);
                    Add<TTokens>(default(TBlock).Second(v, default), default(TBlock).Second(v + next, default), x + BlockSize / 2, q1, q2, q3, ref a0, ref a1, ref a2, ref a3, ref c0, ref c1, ref c2, ref c3);
                }
                Vector256<float> s0 = HalfScales.Widen(scales), s1 = HalfScales.Widen(scales + next);
                Scale(a0, c0, s0, s1, xScale[0], partial);
                Scale(a1, c1, s0, s1, xScale[b1], partial + 16);
                Scale(a2, c2, s0, s1, xScale[b2], partial + 32);
                if (TTokens.HasFourth)
                    Scale(a3, c3, s0, s1, xScale[b3], partial + 48);
                v += TBlock.Bytes / 2;
                x += BlockSize / 2;
                xScale++;
                scales += HalfScales.Bytes;
            }
            nint second = next == 0 ? 0 : GroupRows;
            Store(partial, y, second);
            Store(partial + 16, y + y1, second);
            Store(partial + 32, y + y2, second);
            if (TTokens.HasFourth)
                Store(partial + 48, y + y3, second);
        }
    }

    /// <summary>Asks for a block of a group.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Ask(byte* ahead)
    {
        Sse.Prefetch0(ahead);
        Sse.Prefetch0(ahead + 64);
        Sse.Prefetch0(ahead + 128);
        Sse.Prefetch0(ahead + 192);
    }

    /// <summary>Four columns of two row groups times the tokens'.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Add<TTokens>(Vector256<sbyte> w0, Vector256<sbyte> w1, sbyte* x, nint q1, nint q2, nint q3, ref Vector256<int> a0, ref Vector256<int> a1, ref Vector256<int> a2,
        ref Vector256<int> a3, ref Vector256<int> c0, ref Vector256<int> c1, ref Vector256<int> c2, ref Vector256<int> c3) where TTokens : struct, ITileTokens
    {
        Add(w0, w1, x, ref a0, ref c0);
        Add(w0, w1, x + q1, ref a1, ref c1);
        Add(w0, w1, x + q2, ref a2, ref c2);
        if (TTokens.HasFourth)
            Add(w0, w1, x + q3, ref a3, ref c3);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Add(Vector256<sbyte> w0, Vector256<sbyte> w1, sbyte* x, ref Vector256<int> a, ref Vector256<int> c)
    {
        Vector256<sbyte> four = Vector256.Create(*(int*)x).AsSByte();
        a = TBlock.Add(a, w0, four);
        c = TBlock.Add(c, w1, four);
    }

    /// <summary>partial = fma((float)dot, weightScale · xScale, partial)</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Scale(Vector256<int> a, Vector256<int> c, Vector256<float> s0, Vector256<float> s1, float xScale, float* partial)
    {
        Vector256<float> x = Vector256.Create(xScale);
        Fma.MultiplyAdd(Avx.ConvertToVector256Single(a), s0 * x, Vector256.Load(partial)).Store(partial);
        Fma.MultiplyAdd(Avx.ConvertToVector256Single(c), s1 * x, Vector256.Load(partial + GroupRows)).Store(partial + GroupRows);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Clear<TTokens>(float* partial) where TTokens : struct, ITileTokens
    {
        Vector256<float> zero = default;
        zero.Store(partial);
        zero.Store(partial + 8);
        zero.Store(partial + 16);
        zero.Store(partial + 24);
        zero.Store(partial + 32);
        zero.Store(partial + 40);
        if (!TTokens.HasFourth)
            return;
        zero.Store(partial + 48);
        zero.Store(partial + 56);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Store(float* partial, float* y, nint second)
    {
        Vector256.Load(partial).Store(y);
        Vector256.Load(partial + GroupRows).Store(y + second);
    }
}

/// <summary>How many tokens a tile has.</summary>
internal interface ITileTokens
{
    /// <summary>Whether it has a fourth one.</summary>
    static abstract bool HasFourth { get; }
}

internal readonly struct ThreeTokens : ITileTokens
{
    public static bool HasFourth => false;
}

internal readonly struct FourTokens : ITileTokens
{
    public static bool HasFourth => true;
}
