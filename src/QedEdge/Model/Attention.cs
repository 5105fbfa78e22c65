using QedEdge.Kernels;
using QedEdge.Memory;
using QedEdge.Quantization;

namespace QedEdge.Model;

/// <summary>
/// Causal attention of one head, streamed over the cache in chunks of positions with a running maximum (Milakov and Gimelshein
/// 2018; Dao 2022), several queries sharing each pass over the keys. A lone query takes the keys of many chunks before it turns to their
/// values: memory is fastest in a straight line. Chunks start at fixed positions and merge in order, so a query's result depends
/// neither on the other queries nor on who computes it.
/// </summary>
internal static class Attention
{
    /// <summary>Rotates and stores the new keys and values of one head.</summary>
    public static void Store(in Segment segment, KernelSet kernels, Rope rope, Workspace ws, WorkerSpace own, int layer, int head)
    {
        KvCache cache = segment.Sequence.Cache;
        int size = cache.HeadSize;
        Span<float> key = own.Head.Slice(0, cache.PaddedHeadSize), value = own.Head.Slice(cache.PaddedHeadSize, cache.PaddedHeadSize);
        for (int t = 0; t < segment.Count; t++)
        {
            int row = segment.Row + t;
            long at = (long)row * ws.HiddenStride + head * size;
            rope.Apply(row, ws.Key.Slice(at, size), key);
            ws.Value.Slice(at, size).CopyTo(value);
            if (!cache.Store(kernels, layer, head, segment.Sequence.Window.Slot(segment.Begin + t), key, value))
                ws.Broken[row] = true;
        }
    }

    /// <summary>Attention of one head for some of a segment's queries, whose keys are all stored.</summary>
    public static void Attend(in Segment segment, in QueryTile tile, KernelSet kernels, Rope rope, Workspace ws, WorkerSpace own, int layer, int head)
    {
        Sequence sequence = segment.Sequence;
        KvCache cache = sequence.Cache;
        SlotWindow window = sequence.Window;
        int size = cache.HeadSize, padded = cache.PaddedHeadSize, count = tile.Count, row = segment.Row + tile.First;
        int index = segment.Begin + tile.First, stored = segment.Begin + segment.Count; // the first query's; all tokens
        bool sinksMove = window.Sinks > 0 && window.IsPast(index + count - 1);
        float scale = 1f / MathF.Sqrt(size);
        for (int i = 0; i < count; i++)
        {
            ReadOnlySpan<float> query = ws.Query.Slice((long)(row + i) * ws.HiddenStride + head * size, size);
            bool finite = Rotate(kernels, rope, cache, row + i, query, own.Queries, i);
            if (sinksMove)
                finite &= Rotate(kernels, rope, cache, Rope.SinkRow, query, own.SinkQueries, i);
            if (!finite)
                ws.Broken[row + i] = true;
            own.Max[i] = float.NegativeInfinity;
            own.Denominator[i] = 0f;
        }

        PackedMatrix keys = cache.Keys(layer, head);
        int end = window.End(index + count - 1, stored);
        // Items are a chunk's queries or a lone query's chunks.
        bool alone = count == 1;
        int step = KvCache.ChunkSize * (alone ? WorkerSpace.LoneChunks : 1), itemPositions = alone ? KvCache.ChunkSize : 0, itemQueries = alone ? 0 : 1;
        for (int begin = 0; begin < end; begin += step)
        {
            int length = Math.Min(step, end - begin), chunk = begin / KvCache.ChunkSize;
            // Each item's scores are 256: a lone query's chunks come one after another.
            kernels.Gemm(keys, own.Queries, count, begin / PackedLayout.GroupRows, PackedLayout.RowGroups(begin + length), own.Scores.Span, step, cache.Values(layer, head, chunk));
            if (sinksMove && begin == 0)
                ScoreSinks(kernels, own, keys, window, index, count);
            int items = alone ? (length + KvCache.ChunkSize - 1) / KvCache.ChunkSize : count;
            for (int i = 0; i < items; i++)
            {
                int skipped = i * itemPositions;
                own.Visible[i] = Weigh(kernels, own, i, sequence, index + i * itemQueries, stored, begin + skipped, Math.Min(KvCache.ChunkSize, length - skipped), scale);
            }
            NativeView next = cache.KeysFrom(layer, head, begin + length < end ? begin + length : cache.Capacity);
            if (alone)
                cache.WeighChunks(kernels, own, layer, head, chunk, length, items, next);
            else
                cache.WeighChunk(kernels, own, layer, head, chunk, length, count, next);
            for (int i = 0; i < items; i++)
                Merge(kernels, own, i, i * itemQueries, padded);
        }

        for (int i = 0; i < count; i++)
        {
            Span<float> sum = own.Sums.Slice(i * padded, padded);
            if (own.Denominator[i] == 0f)
                sum.Clear(); // every key masked: the row has no meaning, but it must not become not-a-number
            else
                kernels.Divide(sum, own.Denominator[i]);
            sum[..size].CopyTo(ws.Output.Slice((long)(row + i) * ws.HiddenStride + head * size, size));
        }
    }

    /// <summary>A query rotated for a row of the angles' table, as input of the keys' matrix; whether it is finite.</summary>
    private static bool Rotate(KernelSet kernels, Rope rope, KvCache cache, int angles, ReadOnlySpan<float> query, Activations queries, int i)
    {
        rope.Apply(angles, query, queries.Row(i));
        return cache.Format == BlockFormat.Q8_0 ? kernels.Quantize(queries, i, cache.HeadSize) : kernels.IsFinite(queries.Row(i));
    }

    /// <summary>
    /// Sinks stand right before the oldest token seen, wherever that is. Only distances count (Su et al. 2021), so instead of rotating their keys
    /// anew for each token, the query is rotated as if it stood at the window's end with the sinks at its beginning.
    /// </summary>
    private static void ScoreSinks(KernelSet kernels, WorkerSpace own, in PackedMatrix keys, SlotWindow window, int index, int count)
    {
        int groups = (window.Sinks + PackedLayout.GroupRows - 1) / PackedLayout.GroupRows;
        kernels.Gemm(keys, own.SinkQueries, count, 0, groups, own.SinkScores.Span, SlotWindow.MaxSinks);
        for (int i = 0; i < count; i++)
        {
            if (window.IsPast(index + i))
                own.SinkScores.Slice(i * SlotWindow.MaxSinks, window.Sinks).CopyTo(own.Scores.Slice(i * KvCache.ChunkSize, window.Sinks));
        }
    }

    /// <summary>An item's scores into weights, zero where the query does not look; returns where it looks last.</summary>
    private static int Weigh(KernelSet kernels, WorkerSpace own, int item, Sequence sequence, int index, int stored, int begin, int length, float scale)
    {
        Span<float> scores = own.Scores.Slice(item * KvCache.ChunkSize, KvCache.ChunkSize);
        int visible = sequence.Window.Visible(index, stored, begin, length, own.Mask);
        ReadOnlySpan<byte> mask = visible < 0 ? own.Mask.AsSpan(0, length) : sequence.Mask.IsEmpty ? default : sequence.Mask.Slice(begin, visible);
        int count = visible < 0 ? length : visible;
        own.ChunkDenominator[item] = kernels.Softmax(scores, count, mask, scale, out own.ChunkMax[item]);
        scores[count..Workspace.Pad(length)].Clear();
        return count;
    }

    /// <summary>Adds an item's weighted values to its query's sums; the larger maximum becomes the base of both.</summary>
    private static void Merge(KernelSet kernels, WorkerSpace own, int item, int query, int padded)
    {
        float max = own.ChunkMax[item];
        if (float.IsNegativeInfinity(max))
            return;
        Span<float> sum = own.Sums.Slice(query * padded, padded), chunk = own.Chunk.Slice(item * padded, padded);
        if (own.Denominator[query] == 0f)
        {
            chunk.CopyTo(sum);
            own.Max[query] = max;
            own.Denominator[query] = own.ChunkDenominator[item];
            return;
        }
        float larger = MathF.Max(own.Max[query], max);
        float oldFactor = own.Max[query] == larger ? 1f : (float)PortableMath.Exp(own.Max[query] - larger);
        float newFactor = max == larger ? 1f : (float)PortableMath.Exp(max - larger);
        kernels.Merge(chunk, newFactor, sum, oldFactor);
        own.Denominator[query] = MathF.FusedMultiplyAdd(own.Denominator[query], oldFactor, own.ChunkDenominator[item] * newFactor);
        own.Max[query] = larger;
    }
}
