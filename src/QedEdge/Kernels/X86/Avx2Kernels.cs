using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using QedEdge.Memory;
using QedEdge.Quantization;

namespace QedEdge.Kernels.X86;

/// <summary>
/// Matrices with 256-bit vectors. A tile is two row groups (16 rows) by one token or by four: a broadcast of four activations
/// serves both groups, a vector of weights serves four tokens. A remainder repeats the last group or token: the same sums
/// are stored twice, which costs less than more shapes of tile.
/// </summary>
/// <typeparam name="TDot">How four products are summed: <see cref="Avx2Dot"/> or <see cref="AvxVnniDot"/>.</typeparam>
internal sealed unsafe class Avx2Kernels<TDot> : VectorKernels<Avx2Float8> where TDot : struct, IInt8Dot
{
    private const int GroupRows = PackedLayout.GroupRows;
    private const int BlockSize = PackedLayout.BlockSize;

    /// <summary>
    /// Bytes ahead of its reading that a lone token asks for weights. Row groups are read two at a time, which breaks the
    /// stream that the processor's own prefetcher looks for; asking runs in a straight line instead (docs/performance.md).
    /// </summary>
    private const int PrefetchDistance = 8192;

    /// <inheritdoc/>
    public override string Name => typeof(TDot) == typeof(AvxVnniDot) ? "avxvnni" : "avx2";

    /// <inheritdoc/>
    protected override void GemmQ4_0(in PackedMatrix w, Activations x, int tokens, int groupBegin, int groupEnd, ref float y, int yStride, NativeView next)
    {
        fixed (float* outputs = &y)
        {
            if (tokens == 1)
                GemvQ4_0(w, x.Quants.Pointer, x.Scales.Pointer, x.Sums.Pointer, groupBegin, groupEnd, outputs, next);
            else
                GemmQ4_0(w, x, tokens, groupBegin, groupEnd, outputs, yStride);
        }
    }

    /// <inheritdoc/>
    protected override void GemmQ8_0(in PackedMatrix w, Activations x, int tokens, int groupBegin, int groupEnd, ref float y, int yStride, NativeView next)
    {
        fixed (float* outputs = &y)
        {
            if (tokens == 1)
                GemvQ8_0(w, x.Quants.Pointer, x.Scales.Pointer, x.Sums.Pointer, groupBegin, groupEnd, outputs, next);
            else
                GemmQ8_0(w, x, tokens, groupBegin, groupEnd, outputs, yStride);
        }
    }

    /// <summary>What to ask for while the row group at <paramref name="w0"/> is read: behind the last group it is what comes next.</summary>
    private static byte* Ahead(in PackedMatrix w, byte* w0, int groupEnd, NativeView next)
    {
        byte* ahead = w0 + PrefetchDistance, end = w.Data.Pointer + groupEnd * w.GroupBytes;
        return ahead < end || next.Length == 0 ? ahead : next.Pointer + (ahead - end);
    }

    /// <summary>One token, int4: two row groups at a time share its broadcasts.</summary>
    private static void GemvQ4_0(in PackedMatrix w, sbyte* quants, float* xScales, int* xSums, int groupBegin, int groupEnd, float* y, NativeView next)
    {
        Vector256<byte> low = Vector256.Create((byte)15);
        for (int group = groupBegin; group < groupEnd; group += 2)
        {
            int second = Math.Min(group + 1, groupEnd - 1);
            byte* w0 = w.Data.Pointer + group * w.GroupBytes, w1 = w.Data.Pointer + second * w.GroupBytes;
            byte* ahead = Ahead(w, w0, groupEnd, next);
            ushort* d0 = (ushort*)(w0 + w.ScalesOffset), d1 = (ushort*)(w1 + w.ScalesOffset);
            sbyte* x = quants;
            Vector256<float> acc0 = default, acc1 = default;
            for (int b = 0; b < w.Blocks; b++)
            {
                Sse.Prefetch0(ahead); // two blocks and their scales are 288 bytes
                Sse.Prefetch0(ahead + 64);
                Sse.Prefetch0(ahead + 128);
                Sse.Prefetch0(ahead + 192);
                Sse.Prefetch0(ahead + 256);
                ahead += 2 * (GroupRows * BlockSize / 2 + 2 * GroupRows);
                Vector256<int> i0 = default, i1 = default;
                for (int j = 0; j < 4; j++)
                {
                    Vector256<byte> v0 = Vector256.Load(w0), v1 = Vector256.Load(w1);
                    Vector256<sbyte> a = Broadcast4(x + 4 * j), c = Broadcast4(x + 16 + 4 * j);
                    i0 = TDot.AddNibbles(i0, v0 & low, a);
                    i1 = TDot.AddNibbles(i1, v1 & low, a);
                    i0 = TDot.AddNibbles(i0, HighNibbles(v0), c);
                    i1 = TDot.AddNibbles(i1, HighNibbles(v1), c);
                    w0 += 32;
                    w1 += 32;
                }
                // Nibbles are 8 too large: 8 · Σ x is taken back.
                Vector256<int> offset = Vector256.Create(8 * xSums[b]);
                Vector256<float> xScale = Vector256.Create(xScales[b]);
                acc0 = Scale(TDot.FinishNibbles(i0) - offset, d0, xScale, acc0);
                acc1 = Scale(TDot.FinishNibbles(i1) - offset, d1, xScale, acc1);
                x += BlockSize;
                d0 += GroupRows;
                d1 += GroupRows;
            }
            acc0.Store(y + (group - groupBegin) * GroupRows);
            acc1.Store(y + (second - groupBegin) * GroupRows);
        }
    }

    /// <summary>One token, int8: two row groups at a time share its broadcasts.</summary>
    private static void GemvQ8_0(in PackedMatrix w, sbyte* quants, float* xScales, int* xSums, int groupBegin, int groupEnd, float* y, NativeView next)
    {
        for (int group = groupBegin; group < groupEnd; group += 2)
        {
            int second = Math.Min(group + 1, groupEnd - 1);
            byte* w0 = w.Data.Pointer + group * w.GroupBytes, w1 = w.Data.Pointer + second * w.GroupBytes;
            byte* ahead = Ahead(w, w0, groupEnd, next);
            ushort* d0 = (ushort*)(w0 + w.ScalesOffset), d1 = (ushort*)(w1 + w.ScalesOffset);
            sbyte* x = quants;
            Vector256<float> acc0 = default, acc1 = default;
            for (int b = 0; b < w.Blocks; b++)
            {
                Vector256<int> i0 = Vector256.Create(-TDot.Offset * xSums[b]), i1 = i0;
                for (int j = 0; j < 8; j++)
                {
                    Sse.Prefetch0(ahead + 64 * j);
                    Vector256<sbyte> v0 = Vector256.Load((sbyte*)w0), v1 = Vector256.Load((sbyte*)w1);
                    Vector256<sbyte> a = Broadcast4(x + 4 * j);
                    i0 = TDot.AddBytes(i0, TDot.Unsigned(v0), v0, a);
                    i1 = TDot.AddBytes(i1, TDot.Unsigned(v1), v1, a);
                    w0 += 32;
                    w1 += 32;
                }
                Sse.Prefetch0(ahead + 512); // two blocks and their scales are 544 bytes
                ahead += 2 * (GroupRows * BlockSize + 2 * GroupRows);
                Vector256<float> xScale = Vector256.Create(xScales[b]);
                acc0 = Scale(i0, d0, xScale, acc0);
                acc1 = Scale(i1, d1, xScale, acc1);
                x += BlockSize;
                d0 += GroupRows;
                d1 += GroupRows;
            }
            acc0.Store(y + (group - groupBegin) * GroupRows);
            acc1.Store(y + (second - groupBegin) * GroupRows);
        }
    }

    private static void GemmQ4_0(in PackedMatrix w, Activations x, int tokens, int groupBegin, int groupEnd, float* y, int yStride)
    {
        float* partial = stackalloc float[8 * GroupRows];
        for (int group = groupBegin; group < groupEnd; group += 2)
        {
            int second = Math.Min(group + 1, groupEnd - 1);
            byte* w0 = w.Data.Pointer + group * w.GroupBytes, w1 = w.Data.Pointer + second * w.GroupBytes;
            for (int t = 0; t < tokens; t += 4)
            {
                int t1 = Math.Min(t + 1, tokens - 1), t2 = Math.Min(t + 2, tokens - 1), t3 = Math.Min(t + 3, tokens - 1);
                Q4Tile(w0, w1, w.ScalesOffset, w.Blocks, x.Quants.Pointer, x.Stride, x.Scales.Pointer, x.Sums.Pointer, x.BlockStride, t, t1, t2, t3, partial);
                StoreTile(partial, y + (group - groupBegin) * GroupRows, y + (second - groupBegin) * GroupRows, yStride, t, t1, t2, t3);
            }
        }
    }

    private static void GemmQ8_0(in PackedMatrix w, Activations x, int tokens, int groupBegin, int groupEnd, float* y, int yStride)
    {
        float* partial = stackalloc float[8 * GroupRows];
        for (int group = groupBegin; group < groupEnd; group += 2)
        {
            int second = Math.Min(group + 1, groupEnd - 1);
            byte* w0 = w.Data.Pointer + group * w.GroupBytes, w1 = w.Data.Pointer + second * w.GroupBytes;
            for (int t = 0; t < tokens; t += 4)
            {
                int t1 = Math.Min(t + 1, tokens - 1), t2 = Math.Min(t + 2, tokens - 1), t3 = Math.Min(t + 3, tokens - 1);
                Q8Tile(w0, w1, w.ScalesOffset, w.Blocks, x.Quants.Pointer, x.Stride, x.Scales.Pointer, x.Sums.Pointer, x.BlockStride, t, t1, t2, t3, partial);
                StoreTile(partial, y + (group - groupBegin) * GroupRows, y + (second - groupBegin) * GroupRows, yStride, t, t1, t2, t3);
            }
        }
    }

    /// <summary>Two row groups by four tokens, int4; partial[token, group, row].</summary>
    private static void Q4Tile(byte* w0, byte* w1, long scalesOffset, int blocks, sbyte* x, int stride, float* xScales, int* xSums, int blockStride,
        int t0, int t1, int t2, int t3, float* partial)
    {
        ushort* d0 = (ushort*)(w0 + scalesOffset);
        ushort* d1 = (ushort*)(w1 + scalesOffset);
        sbyte* x0 = x + (nint)t0 * stride, x1 = x + (nint)t1 * stride, x2 = x + (nint)t2 * stride, x3 = x + (nint)t3 * stride;
        Vector256<byte> low = Vector256.Create((byte)15);
        ClearTile(partial);
        for (int b = 0; b < blocks; b++)
        {
            Vector256<int> a0 = default, a1 = default, a2 = default, a3 = default, c0 = default, c1 = default, c2 = default, c3 = default;
            for (int j = 0; j < 4; j++)
            {
                Vector256<byte> raw0 = Vector256.Load(w0), raw1 = Vector256.Load(w1);
                Vector256<byte> v0 = raw0 & low, v1 = raw1 & low;
                Vector256<sbyte> v = Broadcast4(x0);
                a0 = TDot.AddNibbles(a0, v0, v);
                c0 = TDot.AddNibbles(c0, v1, v);
                v = Broadcast4(x1);
                a1 = TDot.AddNibbles(a1, v0, v);
                c1 = TDot.AddNibbles(c1, v1, v);
                v = Broadcast4(x2);
                a2 = TDot.AddNibbles(a2, v0, v);
                c2 = TDot.AddNibbles(c2, v1, v);
                v = Broadcast4(x3);
                a3 = TDot.AddNibbles(a3, v0, v);
                c3 = TDot.AddNibbles(c3, v1, v);
                v0 = HighNibbles(raw0);
                v1 = HighNibbles(raw1);
                v = Broadcast4(x0 + 16);
                a0 = TDot.AddNibbles(a0, v0, v);
                c0 = TDot.AddNibbles(c0, v1, v);
                v = Broadcast4(x1 + 16);
                a1 = TDot.AddNibbles(a1, v0, v);
                c1 = TDot.AddNibbles(c1, v1, v);
                v = Broadcast4(x2 + 16);
                a2 = TDot.AddNibbles(a2, v0, v);
                c2 = TDot.AddNibbles(c2, v1, v);
                v = Broadcast4(x3 + 16);
                a3 = TDot.AddNibbles(a3, v0, v);
                c3 = TDot.AddNibbles(c3, v1, v);
                w0 += 32;
                w1 += 32;
                x0 += 4;
                x1 += 4;
                x2 += 4;
                x3 += 4;
            }
            Vector256<float> s0 = Avx2Float8.WidenHalves(Vector128.Load(d0)), s1 = Avx2Float8.WidenHalves(Vector128.Load(d1));
            AddNibbleBlock(a0, c0, s0, s1, xScales[t0 * blockStride + b], xSums[t0 * blockStride + b], partial);
            AddNibbleBlock(a1, c1, s0, s1, xScales[t1 * blockStride + b], xSums[t1 * blockStride + b], partial + 16);
            AddNibbleBlock(a2, c2, s0, s1, xScales[t2 * blockStride + b], xSums[t2 * blockStride + b], partial + 32);
            AddNibbleBlock(a3, c3, s0, s1, xScales[t3 * blockStride + b], xSums[t3 * blockStride + b], partial + 48);
            x0 += 16;
            x1 += 16;
            x2 += 16;
            x3 += 16;
            d0 += GroupRows;
            d1 += GroupRows;
        }
    }

    /// <summary>Two row groups by four tokens, int8; partial[token, group, row].</summary>
    private static void Q8Tile(byte* w0, byte* w1, long scalesOffset, int blocks, sbyte* x, int stride, float* xScales, int* xSums, int blockStride,
        int t0, int t1, int t2, int t3, float* partial)
    {
        ushort* d0 = (ushort*)(w0 + scalesOffset);
        ushort* d1 = (ushort*)(w1 + scalesOffset);
        sbyte* x0 = x + (nint)t0 * stride, x1 = x + (nint)t1 * stride, x2 = x + (nint)t2 * stride, x3 = x + (nint)t3 * stride;
        ClearTile(partial);
        for (int b = 0; b < blocks; b++)
        {
            Vector256<int> a0 = Vector256.Create(-TDot.Offset * xSums[t0 * blockStride + b]), c0 = a0;
            Vector256<int> a1 = Vector256.Create(-TDot.Offset * xSums[t1 * blockStride + b]), c1 = a1;
            Vector256<int> a2 = Vector256.Create(-TDot.Offset * xSums[t2 * blockStride + b]), c2 = a2;
            Vector256<int> a3 = Vector256.Create(-TDot.Offset * xSums[t3 * blockStride + b]), c3 = a3;
            for (int j = 0; j < 8; j++)
            {
                Vector256<sbyte> v0 = Vector256.Load((sbyte*)w0), v1 = Vector256.Load((sbyte*)w1);
                Vector256<byte> u0 = TDot.Unsigned(v0), u1 = TDot.Unsigned(v1);
                Vector256<sbyte> v = Broadcast4(x0);
                a0 = TDot.AddBytes(a0, u0, v0, v);
                c0 = TDot.AddBytes(c0, u1, v1, v);
                v = Broadcast4(x1);
                a1 = TDot.AddBytes(a1, u0, v0, v);
                c1 = TDot.AddBytes(c1, u1, v1, v);
                v = Broadcast4(x2);
                a2 = TDot.AddBytes(a2, u0, v0, v);
                c2 = TDot.AddBytes(c2, u1, v1, v);
                v = Broadcast4(x3);
                a3 = TDot.AddBytes(a3, u0, v0, v);
                c3 = TDot.AddBytes(c3, u1, v1, v);
                w0 += 32;
                w1 += 32;
                x0 += 4;
                x1 += 4;
                x2 += 4;
                x3 += 4;
            }
            Vector256<float> s0 = Avx2Float8.WidenHalves(Vector128.Load(d0)), s1 = Avx2Float8.WidenHalves(Vector128.Load(d1));
            AddBlock(a0, c0, s0, s1, xScales[t0 * blockStride + b], partial);
            AddBlock(a1, c1, s0, s1, xScales[t1 * blockStride + b], partial + 16);
            AddBlock(a2, c2, s0, s1, xScales[t2 * blockStride + b], partial + 32);
            AddBlock(a3, c3, s0, s1, xScales[t3 * blockStride + b], partial + 48);
            d0 += GroupRows;
            d1 += GroupRows;
        }
    }

    /// <inheritdoc/>
    protected override void GemmF32(in PackedMatrix w, Activations x, int tokens, int groupBegin, int groupEnd, ref float y, int yStride, NativeView next) =>
        GemmFloat<SingleColumn>(w, x, tokens, groupBegin, groupEnd, ref y, yStride, next);

    /// <inheritdoc/>
    protected override void GemmF16(in PackedMatrix w, Activations x, int tokens, int groupBegin, int groupEnd, ref float y, int yStride, NativeView next) =>
        GemmFloat<HalfColumn>(w, x, tokens, groupBegin, groupEnd, ref y, yStride, next);

    /// <summary>Float matrices: two row groups by four tokens, eight chains of fused multiply-adds.</summary>
    private static void GemmFloat<TColumn>(in PackedMatrix w, Activations x, int tokens, int groupBegin, int groupEnd, ref float y, int yStride, NativeView next)
        where TColumn : struct, IColumn
    {
        int cols = w.Blocks * BlockSize;
        fixed (float* outputs = &y)
        {
            float* values = x.Values.Pointer;
            if (tokens == 1)
            {
                GemvFloat<TColumn>(w, values, cols, groupBegin, groupEnd, outputs, next);
                return;
            }
            float* partial = stackalloc float[8 * GroupRows];
            for (int group = groupBegin; group < groupEnd; group += 2)
            {
                int second = Math.Min(group + 1, groupEnd - 1);
                byte* w0 = w.Data.Pointer + group * w.GroupBytes;
                byte* w1 = w.Data.Pointer + second * w.GroupBytes;
                float* y0 = outputs + (group - groupBegin) * GroupRows;
                float* y1 = outputs + (second - groupBegin) * GroupRows;
                for (int t = 0; t < tokens; t += 4)
                {
                    int t1 = Math.Min(t + 1, tokens - 1), t2 = Math.Min(t + 2, tokens - 1), t3 = Math.Min(t + 3, tokens - 1);
                    float* x0 = values + (nint)t * x.Stride, x1 = values + (nint)t1 * x.Stride;
                    float* x2 = values + (nint)t2 * x.Stride, x3 = values + (nint)t3 * x.Stride;
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
                    a0.Store(partial);
                    c0.Store(partial + 8);
                    a1.Store(partial + 16);
                    c1.Store(partial + 24);
                    a2.Store(partial + 32);
                    c2.Store(partial + 40);
                    a3.Store(partial + 48);
                    c3.Store(partial + 56);
                    StoreTile(partial, y0, y1, yStride, t, t1, t2, t3);
                }
            }
        }
    }

    /// <summary>One token: four row groups at a time, since a chain of fused multiply-adds alone waits four cycles for each.</summary>
    private static void GemvFloat<TColumn>(in PackedMatrix w, float* x, int cols, int groupBegin, int groupEnd, float* y, NativeView next)
        where TColumn : struct, IColumn
    {
        for (int group = groupBegin; group < groupEnd; group += 4)
        {
            int g1 = Math.Min(group + 1, groupEnd - 1), g2 = Math.Min(group + 2, groupEnd - 1), g3 = Math.Min(group + 3, groupEnd - 1);
            byte* w0 = w.Data.Pointer + group * w.GroupBytes, w1 = w.Data.Pointer + g1 * w.GroupBytes;
            byte* w2 = w.Data.Pointer + g2 * w.GroupBytes, w3 = w.Data.Pointer + g3 * w.GroupBytes;
            byte* ahead = Ahead(w, w0, groupEnd, next);
            Vector256<float> a0 = default, a1 = default, a2 = default, a3 = default;
            for (int c = 0; c < cols; c++)
            {
                for (int line = 0; line < 4 * TColumn.Bytes; line += 64)
                    Sse.Prefetch0(ahead + line);
                ahead += 4 * TColumn.Bytes;
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

    /// <summary>Eight rows of one column of a float matrix.</summary>
    private interface IColumn
    {
        static abstract int Bytes { get; }

        static abstract Vector256<float> Load(byte* column);
    }

    private readonly struct SingleColumn : IColumn
    {
        public static int Bytes => 32;

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static Vector256<float> Load(byte* column) => Vector256.Load((float*)column);
    }

    private readonly struct HalfColumn : IColumn
    {
        public static int Bytes => 16;

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static Vector256<float> Load(byte* column) => Avx2Float8.WidenHalves(Vector128.Load((ushort*)column));
    }

    /// <summary>Four activations in each of the eight lanes.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<sbyte> Broadcast4(sbyte* x) => Vector256.Create(*(int*)x).AsSByte();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<byte> HighNibbles(Vector256<byte> v) => (v.AsUInt16() >>> 4).AsByte() & Vector256.Create((byte)15);

    /// <summary>fma((float)dot, weightScale · xScale, acc)</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<float> Scale(Vector256<int> dot, ushort* d, Vector256<float> xScale, Vector256<float> acc) =>
        Fma.MultiplyAdd(Avx.ConvertToVector256Single(dot), Avx2Float8.WidenHalves(Vector128.Load(d)) * xScale, acc);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void AddNibbleBlock(Vector256<int> a, Vector256<int> c, Vector256<float> s0, Vector256<float> s1, float xScale, int xSum, float* partial)
    {
        Vector256<int> offset = Vector256.Create(8 * xSum);
        AddBlock(TDot.FinishNibbles(a) - offset, TDot.FinishNibbles(c) - offset, s0, s1, xScale, partial);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void AddBlock(Vector256<int> a, Vector256<int> c, Vector256<float> s0, Vector256<float> s1, float xScale, float* partial)
    {
        Vector256<float> x = Vector256.Create(xScale);
        Fma.MultiplyAdd(Avx.ConvertToVector256Single(a), s0 * x, Vector256.Load(partial)).Store(partial);
        Fma.MultiplyAdd(Avx.ConvertToVector256Single(c), s1 * x, Vector256.Load(partial + 8)).Store(partial + 8);
    }

    private static void ClearTile(float* partial) => new Span<float>(partial, 8 * GroupRows).Clear();

    /// <summary>partial[token, group, row] to the outputs of two row groups.</summary>
    private static void StoreTile(float* partial, float* y0, float* y1, int yStride, int t0, int t1, int t2, int t3)
    {
        StoreToken(partial, y0, y1, (nint)t0 * yStride);
        StoreToken(partial + 16, y0, y1, (nint)t1 * yStride);
        StoreToken(partial + 32, y0, y1, (nint)t2 * yStride);
        StoreToken(partial + 48, y0, y1, (nint)t3 * yStride);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void StoreToken(float* partial, float* y0, float* y1, nint offset)
    {
        Vector256.Load(partial).Store(y0 + offset);
        Vector256.Load(partial + 8).Store(y1 + offset);
    }
}
