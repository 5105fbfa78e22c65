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
            cache.Store(kernels, layer, head, segment.Sequence.Window.Slot(segment.Begin + t), key, value);
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
            Rotate(kernels, rope, cache, row + i, query, own.Queries, i);
            if (sinksMove)
                Rotate(kernels, rope, cache, Rope.SinkRow, query, own.SinkQueries, i);
            own.Max[i] = float.NegativeInfinity;
            own.Denominator[i] = 0f;
        }

        PackedMatrix keys = cache.Keys(layer, head);
        int end = window.End(index + count - 1, stored);
        for (int begin = 0; begin < end; begin += KvCache.ChunkSize)
        {
            int length = Math.Min(KvCache.ChunkSize, end - begin), chunk = begin / KvCache.ChunkSize;
            int groupBegin = begin / PackedLayout.GroupRows;
            int groupEnd = (begin + length + PackedLayout.GroupRows - 1) / PackedLayout.GroupRows;
            kernels.Gemm(keys, own.Queries, count, groupBegin, groupEnd, own.Scores.Span, KvCache.ChunkSize, cache.Values(layer, head, chunk));
            if (sinksMove && begin == 0)
                ScoreSinks(kernels, own, keys, window, index, count);
            for (int i = 0; i < count; i++)
                own.Visible[i] = Weigh(kernels, own, i, sequence, index + i, stored, begin, length, scale);
            NativeView next = keys.Data.Slice(groupEnd * keys.GroupBytes, keys.Data.Length - groupEnd * keys.GroupBytes);
            cache.WeighValues(kernels, own, layer, head, chunk, length, own.Visible.AsSpan(0, count), next, own.Chunk.Slice(0, count * padded));
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
            sum[..size].CopyTo(ws.Output.Slice((long)(row + i) * ws.HiddenStride + head * size, size));
        }
    }

    /// <summary>A query rotated for a row of the angles' table, as input of the keys' matrix.</summary>
    private static void Rotate(KernelSet kernels, Rope rope, KvCache cache, int angles, ReadOnlySpan<float> query, Activations queries, int i)
    {
        rope.Apply(angles, query, queries.Row(i));
        if (cache.Format == BlockFormat.Q8_0)
            kernels.Quantize(queries, i, cache.HeadSize);
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

    /// <summary>A query's scores of a chunk into weights, zero where it does not look; returns where it looks last.</summary>
    private static int Weigh(KernelSet kernels, WorkerSpace own, int query, Sequence sequence, int index, int stored, int begin, int length, float scale)
    {
        Span<float> scores = own.Scores.Slice(query * KvCache.ChunkSize, KvCache.ChunkSize);
        int visible = sequence.Window.Visible(index, stored, begin, length, own.Mask);
        ReadOnlySpan<byte> mask = visible < 0 ? own.Mask.AsSpan(0, length) : sequence.Mask.IsEmpty ? default : sequence.Mask.Slice(begin, visible);
        int count = visible < 0 ? length : visible;
        own.ChunkDenominator[query] = kernels.Softmax(scores, count, mask, scale, out own.ChunkMax[query]);
        scores[count..Workspace.Pad(length)].Clear();
        return count;
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
