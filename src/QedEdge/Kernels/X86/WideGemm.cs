using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using QedEdge.Memory;
using QedEdge.Quantization;

namespace QedEdge.Kernels.X86;

/// <summary>
/// <see cref="BlockGemm{TBlock, TScales}"/> with 512-bit vectors: two row groups are one vector. A lone token takes one pair of groups after another; several take
/// them four or eight at a time, their integer and float sums all being in registers.
/// </summary>
/// <typeparam name="TBlock">How two row groups of weights are stored and multiplied.</typeparam>
/// <typeparam name="TScales">What they are scaled by.</typeparam>
internal static unsafe class WideGemm<TBlock, TScales> where TBlock : struct, IWideBlock<TBlock> where TScales : struct, IWideScales
{
    private const int GroupRows = PackedLayout.GroupRows;
    private const int BlockSize = PackedLayout.BlockSize;

    /// <summary><see cref="KernelSet.Gemm"/> for these blocks.</summary>
    public static void Multiply(in GemmCall call, float* y)
    {
        if (call.Tokens == 1)
            Gemv(TBlock.Of(call.W.Format), call.W, call.X, call.GroupBegin, call.GroupEnd, y, call.Next);
        else
            WideTiles<TBlock, TScales>.Multiply(call, y);
    }

    /// <summary>Bytes of a block with its scales.</summary>
    internal static int BytesRead
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => TBlock.Bytes + TScales.Bytes + TScales.SuperBytes / PackedLayout.SuperBlocks;
    }

    /// <summary>One token. Each weight is read once, so it need not stay in any cache behind the first.</summary>
    private static void Gemv(TBlock block, in PackedMatrix w, Activations input, int groupBegin, int groupEnd, float* y, NativeView next)
    {
        int bytesRead = 2 * BytesRead; // a call in the loop would cost every register
        sbyte* quants = input.Quants.Pointer;
        float* xScales = input.Scales.Pointer;
        int* xOffsets = TScales.HasHalves ? input.HalfOffsets!.Pointer : input.Offsets.Pointer;
        for (int group = groupBegin; group < groupEnd; group += 2)
        {
            int second = Math.Min(group + 1, groupEnd - 1);
            byte* w0 = w.Data.Pointer + group * w.GroupBytes, w1 = w.Data.Pointer + second * w.GroupBytes;
            var streaming = new Streaming(w, w0, groupEnd, next);
            byte* d0 = w0 + w.ScalesOffset, d1 = w1 + w.ScalesOffset, e0 = w0 + w.SupersOffset, e1 = w1 + w.SupersOffset;
            sbyte* x = quants;
            float* xScale = xScales;
            int* xOffset = xOffsets;
            Vector512<float> acc = default, super = default, superMin = default;
            for (int b = 0; b < w.Blocks; b++)
            {
                Streaming.Ask(streaming.Ahead(bytesRead), 2 * (TBlock.Bytes + TScales.Bytes)); // the scales stand elsewhere, but asking keeps to a straight line
                if (TScales.SuperBytes > 0 && b % PackedLayout.SuperBlocks == 0)
                    NextSupers(ref e0, ref e1, out super, out superMin);
                Vector512<byte> u = TBlock.UpperFirst(w0, w1), v = TBlock.UpperSecond(w0, w1);
                int offset = *xOffset++;
                Vector512<int> sums = TBlock.Start(offset, TScales.HasMins);
                sums = TBlock.Add(sums, block.First(w0, w1, u, 0), Broadcast4(x));
                sums = TBlock.Add(sums, block.First(w0, w1, u, 1), Broadcast4(x + 4));
                sums = TBlock.Add(sums, block.First(w0, w1, u, 2), Broadcast4(x + 8));
                sums = TBlock.Add(sums, block.First(w0, w1, u, 3), Broadcast4(x + 12));
                if (TScales.HasHalves)
                {
                    AddScaled(block, sums, offset, d0, d1, super, superMin, 0, *xScale, ref acc);
                    offset = *xOffset++;
                    sums = TBlock.Start(offset, TScales.HasMins);
                }
                sums = TBlock.Add(sums, block.Second(w0, w1, v, 0), Broadcast4(x + 16));
                sums = TBlock.Add(sums, block.Second(w0, w1, v, 1), Broadcast4(x + 20));
                sums = TBlock.Add(sums, block.Second(w0, w1, v, 2), Broadcast4(x + 24));
                sums = TBlock.Add(sums, block.Second(w0, w1, v, 3), Broadcast4(x + 28));
                AddScaled(block, sums, offset, d0, d1, super, superMin, 1, *xScale, ref acc);
                w0 += TBlock.Bytes;
                w1 += TBlock.Bytes;
                d0 += TScales.Bytes;
                d1 += TScales.Bytes;
                x += BlockSize;
                xScale++;
            }
            acc.GetLower().Store(y + (group - groupBegin) * GroupRows);
            acc.GetUpper().Store(y + (second - groupBegin) * GroupRows);
        }
    }

    /// <summary>What the scales of the next eight blocks are multiplied by.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static void NextSupers(ref byte* e0, ref byte* e1, out Vector512<float> super, out Vector512<float> superMin)
    {
        super = TScales.Super(e0, e1);
        superMin = TScales.SuperMin(e0, e1);
        e0 += TScales.SuperBytes;
        e1 += TScales.SuperBytes;
    }

    /// <summary>Four activations in each of the sixteen lanes.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static Vector512<sbyte> Broadcast4(sbyte* x) => Vector512.Create(*(int*)x).AsSByte();

    /// <summary>Scales of a block, or of a half of it.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static Vector512<float> Scale(TBlock block, byte* d0, byte* d1, Vector512<float> super, int half)
    {
        Vector512<float> scale = TScales.Scale(d0, d1, super, half);
        return TBlock.HasFactor ? scale * Vector512.Create(block.Factor) : scale;
    }

    /// <summary>acc = fma((float)dot, weightScale · xScale, acc), and where there are mins fma(min, xScale · Σ x, acc).</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void AddScaled(TBlock block, Vector512<int> sums, int offset, byte* d0, byte* d1, Vector512<float> super, Vector512<float> superMin, int half, float xScale, ref Vector512<float> acc)
    {
        acc = Avx512F.FusedMultiplyAdd(Avx512F.ConvertToVector512Single(TBlock.Finish(sums, offset, TScales.HasMins)), Scale(block, d0, d1, super, half) * Vector512.Create(xScale), acc);
        if (TScales.HasMins)
            acc = Avx512F.FusedMultiplyAdd(TScales.Min(d0, d1, superMin, half), Vector512.Create(xScale * Activations.Sum(offset)), acc);
    }
}
