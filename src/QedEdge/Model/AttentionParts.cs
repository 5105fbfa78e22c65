using QedEdge.Architectures;
using QedEdge.Memory;

namespace QedEdge.Model;

/// <summary>What each chunk of positions gives each query head of a lone token, until all are there and merge in order: room for all chunks of a context.</summary>
internal sealed class AttentionParts : IDisposable
{
    private readonly int _chunks;
    private readonly int _padded;
    private readonly AlignedBuffer<float> _values;              // [query heads, chunks, padded head size]
    private readonly AlignedBuffer<(float, float)> _softmax;    // maximum and sum of weights [query heads, chunks]

    /// <summary>Allocates for a model; nothing for a lone worker.</summary>
    public AttentionParts(Architecture architecture, int workers, int slots)
    {
        _chunks = Chunks(workers, slots);
        _padded = Workspace.Pad(architecture.HeadSize);
        long parts = Count(architecture, workers, slots);
        _values = new AlignedBuffer<float>(parts * _padded);
        _softmax = new AlignedBuffer<(float, float)>(parts);
    }

    /// <summary>Bytes that it takes once all slots are used.</summary>
    public static long BytesFor(Architecture architecture, int workers, int slots) =>
        Count(architecture, workers, slots) * (Workspace.Pad(architecture.HeadSize) + 2) * sizeof(float);

    /// <summary>Keeps a chunk's result for a query head.</summary>
    /// <param name="head">The query head.</param>
    /// <param name="chunk">Which chunk.</param>
    /// <param name="values">Weighted values [padded head size].</param>
    /// <param name="max">The largest score, −infinity where the head looks at no position of the chunk.</param>
    /// <param name="denominator">The sum of weights.</param>
    public void Keep(int head, int chunk, ReadOnlySpan<float> values, float max, float denominator)
    {
        values.CopyTo(_values.Slice(At(head, chunk) * _padded, _padded));
        _softmax.Slice(At(head, chunk), 1)[0] = (max, denominator);
    }

    /// <summary>What was kept: weighted values [padded head size].</summary>
    public ReadOnlySpan<float> Values(int head, int chunk) => _values.Slice(At(head, chunk) * _padded, _padded);

    /// <summary>What was kept: the largest score and the sum of weights.</summary>
    public (float Max, float Denominator) Softmax(int head, int chunk) => _softmax.Slice(At(head, chunk), 1)[0];

    /// <inheritdoc/>
    public void Dispose()
    {
        _values.Dispose();
        _softmax.Dispose();
    }

    private static int Chunks(int workers, int slots) => workers == 1 ? 0 : (int)(((long)slots + KvCache.ChunkSize - 1) / KvCache.ChunkSize);

    private static long Count(Architecture architecture, int workers, int slots) => (long)Chunks(workers, slots) * (architecture.Layers[0].Attention.Heads);

    private long At(int head, int chunk) => (long)head * _chunks + chunk;
}
