using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using QedEdge.Memory;
using QedEdge.Quantization;

namespace QedEdge.Kernels.X86;

/// <summary>
/// int4 matrices for many tokens with 512-bit vectors: two row groups are one vector, and of 32 registers eight tokens' integer and float
/// sums take half. All else stays with 256 bits: a lone token waits for memory, and AVX-512 has no byte sign for int8
/// (docs/decisions/0004-avx512.md).
/// </summary>
/// <typeparam name="TDot">How four products are summed with 256 bits.</typeparam>
internal sealed unsafe class Avx512Kernels<TDot> : Avx2Kernels<TDot> where TDot : struct, IInt8Dot
{
    private const int GroupRows = PackedLayout.GroupRows;
    private const int TileTokens = 8;

    /// <inheritdoc/>
    public override string Name => "avx512";

    /// <inheritdoc/>
    protected override void GemmQ4_0(in PackedMatrix w, Activations x, int tokens, int groupBegin, int groupEnd, ref float y, int yStride, NativeView next)
    {
        int tiled = tokens / TileTokens * TileTokens;
        if (tiled == 0)
        {
            base.GemmQ4_0(w, x, tokens, groupBegin, groupEnd, ref y, yStride, next);
            return;
        }
        int tiles = tiled / TileTokens;
        fixed (float* outputs = &y)
        {
            for (int group = groupBegin; group < groupEnd; group += 2)
            {
                int second = Math.Min(group + 1, groupEnd - 1);
                float* y0 = outputs + (group - groupBegin) * GroupRows, y1 = outputs + (second - groupBegin) * GroupRows;
                byte* w0 = w.Data.Pointer + group * w.GroupBytes;
                for (int i = 0; i < tiles; i++)
                {
                    nint at = (nint)i * TileTokens * yStride;
                    Tile(w, group, second, x, i * TileTokens, y0 + at, y1 + at, yStride, new Streaming(w, w0 + i * w.GroupBytes, groupEnd, next), Streaming.GroupsAhead(i, tiles));
                }
            }
            BlockGemm<Nibbles<TDot>>.Tiles(w, x, tiled, tokens, groupBegin, groupEnd, outputs, yStride, next);
        }
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
        Vector512<byte> low = Vector512.Create((byte)15);
        Vector512<float> f0 = default, f1 = default, f2 = default, f3 = default, f4 = default, f5 = default, f6 = default, f7 = default;
        for (int b = 0; b < w.Blocks; b++)
        {
            byte* ahead = streaming.Ahead(groupsAhead * (Nibbles<TDot>.Bytes + 2 * GroupRows));
            for (int line = 0; line < groupsAhead * Nibbles<TDot>.Bytes; line += 64)
                Sse.Prefetch0(ahead + line);
            Vector512<short> a0 = Start(xOffset[0]), a1 = Start(xOffset[s]), a2 = Start(xOffset[2 * s]), a3 = Start(xOffset[s3]);
            Vector512<short> a4 = Start(zOffset[0]), a5 = Start(zOffset[s]), a6 = Start(zOffset[2 * s]), a7 = Start(zOffset[s3]);
            for (int j = 0; j < 4; j++)
            {
                Vector512<byte> both = Vector512.Create(Vector256.Load(w0), Vector256.Load(w1)), v = both & low;
                a0 = Add(a0, v, x);
                a1 = Add(a1, v, x + q);
                a2 = Add(a2, v, x + 2 * q);
                a3 = Add(a3, v, x + q3);
                a4 = Add(a4, v, z);
                a5 = Add(a5, v, z + q);
                a6 = Add(a6, v, z + 2 * q);
                a7 = Add(a7, v, z + q3);
                v = (both.AsUInt16() >>> 4).AsByte() & low;
                a0 = Add(a0, v, x + 16);
                a1 = Add(a1, v, x + q + 16);
                a2 = Add(a2, v, x + 2 * q + 16);
                a3 = Add(a3, v, x + q3 + 16);
                a4 = Add(a4, v, z + 16);
                a5 = Add(a5, v, z + q + 16);
                a6 = Add(a6, v, z + 2 * q + 16);
                a7 = Add(a7, v, z + q3 + 16);
                w0 += 32;
                w1 += 32;
                x += 4;
                z += 4;
            }
            Vector512<float> d = Vector512.Create(Avx2Float8.WidenHalves(Vector128.Load(d0)), Avx2Float8.WidenHalves(Vector128.Load(d1)));
            f0 = Scale(a0, d, xScale[0], f0);
            f1 = Scale(a1, d, xScale[s], f1);
            f2 = Scale(a2, d, xScale[2 * s], f2);
            f3 = Scale(a3, d, xScale[s3], f3);
            f4 = Scale(a4, d, zScale[0], f4);
            f5 = Scale(a5, d, zScale[s], f5);
            f6 = Scale(a6, d, zScale[2 * s], f6);
            f7 = Scale(a7, d, zScale[s3], f7);
            x += 16;
            z += 16;
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

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<short> Start(int offset) => Vector512.Create(offset).AsInt16();

    // The bounds are those of Avx2Dot.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<short> Add(Vector512<short> acc, Vector512<byte> nibbles, sbyte* x) =>
        acc + Avx512BW.MultiplyAddAdjacent(nibbles, Vector512.Create(*(int*)x).AsSByte());

    /// <summary>fma((float)dot, weightScale · xScale, acc)</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<float> Scale(Vector512<short> sums, Vector512<float> d, float xScale, Vector512<float> acc) => Avx512F.FusedMultiplyAdd(
        Avx512F.ConvertToVector512Single(Avx512BW.MultiplyAddAdjacent(sums, Vector512<short>.One)), d * Vector512.Create(xScale), acc);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Store(Vector512<float> v, float* y0, float* y1)
    {
        v.GetLower().Store(y0);
        v.GetUpper().Store(y1);
    }
}
