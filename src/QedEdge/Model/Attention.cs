using QedEdge.Kernels;
using QedEdge.Memory;
using QedEdge.Quantization;

namespace QedEdge.Model;

/// <summary>
/// Causal attention, streamed over the cache in chunks of positions with a running maximum (Milakov and Gimelshein 2018; Dao 2022). A row is a query of one
/// head; rows that look at the same key-value head, of several tokens and of the heads that share it, share each pass over the keys. Few rows take the keys
/// of many chunks before they turn to their values: memory is fastest in a straight line. Chunks start at fixed positions and merge in order, so a row's
/// result depends neither on the other rows nor on who computes it.
/// </summary>
internal static class Attention
{
    /// <summary>Rotates and stores the new keys and values of one key-value head.</summary>
    public static void Store(in Segment segment, KernelSet kernels, Rope? rope, Workspace ws, WorkerSpace own, LayerWeights weights, int layer, int head)
    {
        KvCache cache = segment.Sequence.Cache;
        int size = cache.HeadSize;
        Span<float> key = own.Head.Slice(0, cache.PaddedHeadSize), value = own.Head.Slice(cache.PaddedHeadSize, cache.PaddedHeadSize);
        for (int t = 0; t < segment.Count; t++)
        {
            int row = segment.Row + t;
            long at = (long)row * ws.KvStride + head * size;
            Turn(rope, row, Normed(kernels, weights.KeyNorm, ws.Key.Slice(at, size), own), key);
            ws.Value.Slice(at, size).CopyTo(value);
            if (!cache.Store(kernels, layer, head, cache.Map(layer).Slot(segment.Begin + t), key, value))
                ws.Broken[row] = true;
        }
    }

    /// <summary>Attention of the heads of one key-value head for some of a segment's queries, whose keys are all stored.</summary>
    public static void Attend(in Segment segment, in QueryTile tile, KernelSet kernels, Rope? rope, Workspace ws, WorkerSpace own, LayerWeights weights, int layer, int head) =>
        Attend(segment, tile, kernels, rope, ws, own, weights, layer, head, 0, int.MaxValue, null);

    /// <summary>A lone token's attention to the chunks <paramref name="firstChunk"/> .. <paramref name="endChunk"/> of one key-value head, whose keys are stored: into parts, for <see cref="Join"/>.</summary>
    public static void AttendPart(in Segment segment, KernelSet kernels, Rope? rope, Workspace ws, WorkerSpace own, LayerWeights weights, int layer, int head, int firstChunk, int endChunk) =>
        Attend(segment, new QueryTile(0, 0, 1), kernels, rope, ws, own, weights, layer, head, firstChunk, endChunk, ws.Parts);

    /// <summary>A lone token's attention of one query head from its parts of the chunks <paramref name="firstChunk"/> .. <paramref name="endChunk"/>, which are all it looks at.</summary>
    public static void Join(KernelSet kernels, Workspace ws, WorkerSpace own, int size, int head, int firstChunk, int endChunk)
    {
        own.Denominator[0] = 0f;
        for (int chunk = firstChunk; chunk < endChunk; chunk++)
        {
            (float max, float denominator) = ws.Parts.Softmax(head, chunk);
            Merge(kernels, own, 0, ws.Parts.Values(head, chunk), max, denominator);
        }
        Finish(kernels, own, 0, ws.Attended.Slice((long)head * size, size));
    }

    private static void Attend(in Segment segment, in QueryTile tile, KernelSet kernels, Rope? rope, Workspace ws, WorkerSpace own, LayerWeights weights, int layer, int head, int firstChunk, int endChunk, AttentionParts? parts)
    {
        int group = weights.Shape.Attention.Group;
        for (int first = 0; first < group; first += WorkerSpace.Rows)
            Attend(segment, tile, kernels, rope, ws, own, weights, layer, head, head * group + first, Math.Min(WorkerSpace.Rows, group - first), firstChunk, endChunk, parts);
    }

    /// <summary>The same for the heads from <paramref name="firstHead"/> on: row r is head r % heads of the tile's token r / heads.</summary>
    private static void Attend(in Segment segment, in QueryTile tile, KernelSet kernels, Rope? rope, Workspace ws, WorkerSpace own, LayerWeights weights, int layer, int kvHead, int firstHead, int heads,
        int firstChunk, int endChunk, AttentionParts? parts)
    {
        Sequence sequence = segment.Sequence;
        KvCache cache = sequence.Cache;
        SlotMap window = cache.Map(layer);
        int size = cache.HeadSize, padded = cache.PaddedHeadSize, rows = tile.Count * heads, batchRow = segment.Row + tile.First;
        int index = segment.Begin + tile.First, last = index + tile.Count - 1, stored = segment.Begin + segment.Count; // the first token's; the last one's; all tokens
        bool sinksMove = window.Sinks > 0 && window.IsPast(last);
        for (int r = 0; r < rows; r++)
        {
            int token = batchRow + r / heads;
            ReadOnlySpan<float> query = Normed(kernels, weights.QueryNorm, ws.Query.Slice(At(r), size), own);
            bool finite = Rotate(kernels, rope, cache, token, query, own.Queries, r);
            if (sinksMove)
                finite &= Rotate(kernels, rope, cache, Rope.SinkRow, query, own.SinkQueries, r);
            if (!finite)
                ws.Broken[token] = true;
            own.Denominator[r] = 0f;
        }

        PackedMatrix keys = cache.Keys(layer, kvHead);
        int end = (int)Math.Min(window.End(last, stored), (long)endChunk * KvCache.ChunkSize), step = WorkerSpace.Items / rows * KvCache.ChunkSize;
        for (int begin = Math.Max(firstChunk, window.Begin(index, stored) / KvCache.ChunkSize) * KvCache.ChunkSize; begin < end; begin += step)
        {
            int length = Math.Min(step, end - begin), chunk = begin / KvCache.ChunkSize, chunks = (length + KvCache.ChunkSize - 1) / KvCache.ChunkSize;
            kernels.Gemm(new(keys, own.Queries, rows, begin / PackedLayout.GroupRows, PackedLayout.RowGroups(begin + length), own.Scores.Span, chunks * KvCache.ChunkSize) { Next = cache.Values(layer, kvHead, chunk) });
            if (sinksMove && begin == 0)
                ScoreSinks(kernels, own, keys, window, index, heads, rows, chunks);
            for (int item = 0; item < rows * chunks; item++)
            {
                int skipped = item % chunks * KvCache.ChunkSize;
                own.Visible[item] = Soften(kernels, own, item, sequence, window, index + item / chunks / heads, stored, begin + skipped, Math.Min(KvCache.ChunkSize, length - skipped), weights.Shape.Attention.Scale);
            }
            NativeView next = cache.KeysFrom(layer, kvHead, begin + length < end ? begin + length : window.Slots);
            cache.Weigh(kernels, own, layer, kvHead, chunk, length, chunks, rows, next);
            for (int item = 0; item < rows * chunks; item++)
            {
                (int row, int j) = Math.DivRem(item, chunks);
                Span<float> values = own.Chunk.Slice((j * rows + row) * padded, padded);
                if (parts is null)
                    Merge(kernels, own, row, values, own.ChunkMax[item], own.ChunkDenominator[item]);
                else
                    parts.Keep(firstHead + row, chunk + j, values, own.ChunkMax[item], own.ChunkDenominator[item]);
            }
        }
        for (int r = 0; r < rows && parts is null; r++)
            Finish(kernels, own, r, ws.Attended.Slice(At(r), size));

        long At(int r) => (long)(batchRow + r / heads) * ws.QueryStride + (firstHead + r % heads) * size;
    }

    /// <summary>A query or key [size] behind the layer's norm of them, where it has one.</summary>
    private static ReadOnlySpan<float> Normed(KernelSet kernels, NormWeights? norm, ReadOnlySpan<float> x, WorkerSpace own)
    {
        if (norm is null)
            return x;
        Span<float> padded = own.Head.Span[^norm.Gain.Length..];
        x.CopyTo(padded);
        padded[x.Length..].Clear();
        norm.Apply(kernels, padded, x.Length, padded);
        return padded[..x.Length];
    }

    /// <summary>Rotates a query or key, where the layer does.</summary>
    private static void Turn(Rope? rope, int angles, ReadOnlySpan<float> x, Span<float> y)
    {
        if (rope is null)
            x.CopyTo(y);
        else
            rope.Apply(angles, x, y);
    }

    /// <summary>A query rotated for a row of the angles' table, as input of the keys' matrix; whether it is finite.</summary>
    private static bool Rotate(KernelSet kernels, Rope? rope, KvCache cache, int angles, ReadOnlySpan<float> query, Activations queries, int row)
    {
        Turn(rope, angles, query, queries.Row(row));
        return cache.Format == KvFormat.Q8_0 ? kernels.Quantize(queries, row, cache.HeadSize) : kernels.IsFinite(queries.Row(row));
    }

    /// <summary>
    /// Sinks stand right before the oldest token seen, wherever that is. Only distances count (Su et al. 2021), so instead of rotating their keys
    /// anew for each token, the query is rotated as if it stood at the window's end with the sinks at its beginning.
    /// </summary>
    private static void ScoreSinks(KernelSet kernels, WorkerSpace own, in PackedMatrix keys, SlotMap window, int index, int heads, int rows, int chunks)
    {
        int groups = (window.Sinks + PackedLayout.GroupRows - 1) / PackedLayout.GroupRows;
        kernels.Gemm(new(keys, own.SinkQueries, rows, 0, groups, own.SinkScores.Span, SlotMap.MaxSinks));
        for (int r = 0; r < rows; r++)
        {
            if (window.IsPast(index + r / heads))
                own.SinkScores.Slice(r * SlotMap.MaxSinks, window.Sinks).CopyTo(own.Scores.Slice(r * chunks * KvCache.ChunkSize, window.Sinks));
        }
    }

    /// <summary>A row's scores of a chunk into weights, zero where it does not look; returns where it looks last.</summary>
    private static int Soften(KernelSet kernels, WorkerSpace own, int item, Sequence sequence, in SlotMap window, int index, int stored, int begin, int length, float scale)
    {
        Span<float> scores = own.Scores.Slice(item * KvCache.ChunkSize, KvCache.ChunkSize);
        int visible = window.Visible(index, stored, begin, length, own.Mask);
        ReadOnlySpan<byte> mask = sequence.Mask;
        if (!mask.IsEmpty && stored > window.Slots) // a layer's slots wrapped around, and the mask is by token
        {
            for (int i = 0; i < length; i++)
                own.Mask[i] = (byte)((visible < 0 ? own.Mask[i] : i < visible ? 1 : 0) & mask[window.Token(begin + i, stored)]);
            mask = own.Mask.AsSpan(0, length);
            visible = -1;
        }
        else if (visible < 0)
        {
            for (int i = 0; i < length && !mask.IsEmpty; i++)
                own.Mask[i] &= mask[begin + i];
            mask = own.Mask.AsSpan(0, length);
        }
        else if (!mask.IsEmpty)
        {
            mask = mask.Slice(begin, visible);
        }
        int count = visible < 0 ? length : visible;
        own.ChunkDenominator[item] = kernels.Softmax(scores, count, mask, scale, out own.ChunkMax[item]);
        scores[count..Workspace.Pad(length)].Clear();
        return count;
    }

    /// <summary>Adds a chunk's weighted values to a row's sums; the larger maximum becomes the base of both.</summary>
    private static void Merge(KernelSet kernels, WorkerSpace own, int row, ReadOnlySpan<float> values, float max, float denominator)
    {
        if (float.IsNegativeInfinity(max))
            return;
        Span<float> sum = own.Sums.Slice(row * values.Length, values.Length);
        if (own.Denominator[row] == 0f)
        {
            values.CopyTo(sum);
            own.Max[row] = max;
            own.Denominator[row] = denominator;
            return;
        }
        float larger = MathF.Max(own.Max[row], max);
        float oldFactor = own.Max[row] == larger ? 1f : (float)PortableMath.Exp(own.Max[row] - larger);
        float newFactor = max == larger ? 1f : (float)PortableMath.Exp(max - larger);
        kernels.Merge(values, newFactor, sum, oldFactor);
        own.Denominator[row] = MathF.FusedMultiplyAdd(own.Denominator[row], oldFactor, denominator * newFactor);
        own.Max[row] = larger;
    }

    /// <summary>A row's sums over its sum of weights.</summary>
    private static void Finish(KernelSet kernels, WorkerSpace own, int row, Span<float> attended)
    {
        int padded = Workspace.Pad(attended.Length);
        Span<float> sum = own.Sums.Slice(row * padded, padded);
        if (own.Denominator[row] == 0f)
            sum.Clear(); // every key masked: the row has no meaning, but it must not become not-a-number
        else
            kernels.Divide(sum, own.Denominator[row]);
        sum[..attended.Length].CopyTo(attended);
    }
}
