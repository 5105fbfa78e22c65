using QedEdge.Architectures;
using QedEdge.Kernels;
using QedEdge.Threading;

namespace QedEdge.Model;

/// <summary>
/// A lone token's attention where key-value heads do not divide evenly among the workers: each takes as many chunks of positions, whosever head they are, and
/// what the chunks give merges in order afterwards, as if one worker had taken the head alone (docs/numerics.md, N8).
/// </summary>
internal static class SharedHeads
{
    /// <summary>Products, of query heads and columns, that must be spared for each position of a chunk, so that one more barrier pays.</summary>
    private const int LeastSpared = 192;

    /// <summary>Attends where that pays, which all workers see alike; a barrier lies between the projections and this, and between this and who reads its result.</summary>
    public static bool TryAttend(in Segment segment, WorkerTeam team, int worker, KernelSet kernels, Rope? rope, Workspace ws, WorkerSpace own, LayerWeights weights, int layer)
    {
        AttentionShape shape = weights.Shape.Attention;
        SlotMap map = segment.Sequence.Cache.Map(layer);
        int stored = segment.Begin + 1;
        int first = map.Begin(segment.Begin, stored) / KvCache.ChunkSize, end = (map.End(segment.Begin, stored) + KvCache.ChunkSize - 1) / KvCache.ChunkSize, chunks = end - first;
        if (!Pays(shape, chunks, team.Active))
            return false;

        int newest = map.Slot(segment.Begin) / KvCache.ChunkSize - first;
        (int begin, int last) = team.Share(worker, shape.KvHeads * chunks);
        for (int next; begin < last; begin = next)
        {
            (int head, int chunk) = Math.DivRem(begin, chunks);
            next = Math.Min(last, (head + 1) * chunks);
            int count = next - begin;
            if (newest >= chunk && newest < chunk + count) // who reads the new key and value stores them: no need to wait
                Attention.Store(segment, kernels, rope, ws, own, weights, layer, head);
            Attention.AttendPart(segment, kernels, rope, ws, own, weights, layer, head, first + chunk, first + chunk + count);
        }
        team.Barrier(worker);
        (begin, last) = team.Share(worker, shape.Heads);
        for (int head = begin; head < last; head++)
            Attention.Join(kernels, ws, own, shape.HeadSize, head, first, end);
        return true;
    }

    /// <summary>Whether the worker with most to do is spared enough.</summary>
    public static bool Pays(AttentionShape shape, int chunks, int workers)
    {
        int alone = Shares(shape.KvHeads, workers) * chunks, shared = Shares(shape.KvHeads * chunks, workers);
        return (long)(alone - shared) * shape.Group * shape.HeadSize >= LeastSpared;
    }

    /// <summary>The most that a worker has of so many.</summary>
    private static int Shares(int count, int workers) => (count + workers - 1) / workers;
}
