using QedEdge.Kernels;
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
        for (int begin = 0; begin < end; begin += WorkerSpace.ChunkSize)
        {
            int length = Math.Min(WorkerSpace.ChunkSize, end - begin);
            int groupBegin = begin / PackedLayout.GroupRows;
            int groupEnd = (begin + length + PackedLayout.GroupRows - 1) / PackedLayout.GroupRows;
            kernels.Gemm(keys, own.Queries, count, groupBegin, groupEnd, own.Scores.Span, WorkerSpace.ChunkSize);
            for (int i = 0; i < count; i++)
            {
                int visible = Math.Min(length, batch.FirstSlot + first + i + 1 - begin);
                if (visible > 0)
                    AddChunk(batch, kernels, cache, own, layer, head, i, begin, visible, scale);
            }
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

    private static void AddChunk(in Batch batch, KernelSet kernels, KvCache cache, WorkerSpace own, int layer, int head, int query, int begin, int visible, float scale)
    {
        Span<float> scores = own.Scores.Slice(query * WorkerSpace.ChunkSize, WorkerSpace.ChunkSize);
        ReadOnlySpan<byte> mask = batch.Mask.IsEmpty ? default : batch.Mask.Span.Slice(begin, visible);
        float weight = kernels.Softmax(scores, visible, mask, scale, out float max);
        if (float.IsNegativeInfinity(max))
            return;
        Span<float> sum = own.Sums.Slice(query * cache.PaddedHeadSize, cache.PaddedHeadSize);
        if (own.Denominator[query] == 0f)
        {
            sum.Clear();
            cache.AddWeightedValues(kernels, layer, head, begin, scores[..visible], sum);
            own.Max[query] = max;
            own.Denominator[query] = weight;
            return;
        }
        Span<float> chunk = own.Chunk.Span;
        chunk.Clear();
        cache.AddWeightedValues(kernels, layer, head, begin, scores[..visible], chunk);
        float larger = MathF.Max(own.Max[query], max);
        float oldFactor = (float)PortableMath.Exp(own.Max[query] - larger), newFactor = (float)PortableMath.Exp(max - larger);
        kernels.Merge(chunk, newFactor, sum, oldFactor);
        own.Denominator[query] = MathF.FusedMultiplyAdd(own.Denominator[query], oldFactor, weight * newFactor);
        own.Max[query] = larger;
    }
}
