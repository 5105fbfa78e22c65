using QedEdge.Kernels;
using QedEdge.Memory;
using QedEdge.Quantization;

namespace QedEdge.Model;

/// <summary>
/// Causal attention of one head, streamed over the cache in chunks of positions with a running maximum (Milakov and Gimelshein
/// 2018; Dao 2022), several queries sharing each pass over the keys. Chunks start at fixed positions and merge in order, so a
/// query's result depends neither on the other queries nor on who computes it.
/// </summary>
internal static class Attention
{
    /// <summary>Rotates and stores the new keys and values of one head.</summary>
    public static void Store(in Batch batch, KernelSet kernels, Rope rope, KvCache cache, Workspace ws, WorkerSpace own, int layer, int head)
    {
        int size = cache.HeadSize;
        Span<float> key = own.Head.Slice(0, cache.PaddedHeadSize), value = own.Head.Slice(cache.PaddedHeadSize, cache.PaddedHeadSize);
        for (int t = 0; t < batch.Count; t++)
        {
            long at = (long)t * ws.HiddenStride + head * size;
            rope.Apply(t, ws.Key.Slice(at, size), key);
            ws.Value.Slice(at, size).CopyTo(value);
            cache.Store(kernels, layer, head, batch.FirstSlot + t, key, value);
        }
    }

    /// <summary>Attention of queries <paramref name="first"/> .. <paramref name="first"/> + <paramref name="count"/> of a batch, one head.</summary>
    public static void Attend(in Batch batch, KernelSet kernels, Rope rope, KvCache cache, Workspace ws, WorkerSpace own, int layer, int head, int first, int count)
    {
        int size = cache.HeadSize, padded = cache.PaddedHeadSize;
        float scale = 1f / MathF.Sqrt(size);
        for (int i = 0; i < count; i++)
        {
            rope.Apply(first + i, ws.Query.Slice((long)(first + i) * ws.HiddenStride + head * size, size), own.Queries.Row(i));
            if (cache.Format == BlockFormat.Q8_0)
                kernels.Quantize(own.Queries, i, size);
            own.Max[i] = float.NegativeInfinity;
            own.Denominator[i] = 0f;
        }

        PackedMatrix keys = cache.Keys(layer, head);
        int end = batch.FirstSlot + first + count; // the last query's own position is its last key
        for (int begin = 0; begin < end; begin += KvCache.ChunkSize)
        {
            int length = Math.Min(KvCache.ChunkSize, end - begin), chunk = begin / KvCache.ChunkSize;
            int groupBegin = begin / PackedLayout.GroupRows;
            int groupEnd = (begin + length + PackedLayout.GroupRows - 1) / PackedLayout.GroupRows;
            kernels.Gemm(keys, own.Queries, count, groupBegin, groupEnd, own.Scores.Span, KvCache.ChunkSize, cache.Values(layer, head, chunk));
            int visible = batch.FirstSlot + first + 1 - begin; // by the first query
            for (int i = 0; i < count; i++)
                Weigh(batch, kernels, own, i, begin, Math.Clamp(visible + i, 0, length), length, scale);
            NativeView next = keys.Data.Slice(groupEnd * keys.GroupBytes, keys.Data.Length - groupEnd * keys.GroupBytes);
            cache.WeighValues(kernels, own, layer, head, chunk, count, visible, next, own.Chunk.Slice(0, count * padded));
            for (int i = 0; i < count; i++)
                Merge(kernels, own, i, padded);
        }

        for (int i = 0; i < count; i++)
        {
            Span<float> sum = own.Sums.Slice(i * padded, padded);
            if (own.Denominator[i] > 0f)
                kernels.Divide(sum, own.Denominator[i]);
            else
                sum.Clear(); // every key masked: the row has no meaning, but it must not become not-a-number
            sum[..size].CopyTo(ws.Output.Slice((long)(first + i) * ws.HiddenStride + head * size, size));
        }
    }

    /// <summary>A query's scores of a chunk into weights, zero where it does not look.</summary>
    private static void Weigh(in Batch batch, KernelSet kernels, WorkerSpace own, int query, int begin, int visible, int length, float scale)
    {
        Span<float> scores = own.Scores.Slice(query * KvCache.ChunkSize, KvCache.ChunkSize);
        ReadOnlySpan<byte> mask = batch.Mask.IsEmpty ? default : batch.Mask.Span.Slice(begin, visible);
        own.ChunkDenominator[query] = kernels.Softmax(scores, visible, mask, scale, out own.ChunkMax[query]);
        scores[visible..Workspace.Pad(length)].Clear();
    }

    /// <summary>Adds a chunk's weighted values to a query's sums; the larger maximum becomes the base of both.</summary>
    private static void Merge(KernelSet kernels, WorkerSpace own, int query, int padded)
    {
        float max = own.ChunkMax[query];
        if (float.IsNegativeInfinity(max))
            return;
        Span<float> sum = own.Sums.Slice(query * padded, padded), chunk = own.Chunk.Slice(query * padded, padded);
        if (own.Denominator[query] == 0f)
        {
            chunk.CopyTo(sum);
            own.Max[query] = max;
            own.Denominator[query] = own.ChunkDenominator[query];
            return;
        }
        float larger = MathF.Max(own.Max[query], max);
        float oldFactor = own.Max[query] == larger ? 1f : (float)PortableMath.Exp(own.Max[query] - larger);
        float newFactor = max == larger ? 1f : (float)PortableMath.Exp(max - larger);
        kernels.Merge(chunk, newFactor, sum, oldFactor);
        own.Denominator[query] = MathF.FusedMultiplyAdd(own.Denominator[query], oldFactor, own.ChunkDenominator[query] * newFactor);
        own.Max[query] = larger;
    }
}
