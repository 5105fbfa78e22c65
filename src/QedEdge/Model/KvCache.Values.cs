using QedEdge.Kernels;
using QedEdge.Memory;
using QedEdge.Quantization;

namespace QedEdge.Model;

/// <content>Values, summed with softmax's weights.</content>
internal sealed partial class KvCache
{
    /// <summary>
    /// Chunk[q, c] = Σ_i Scores[q, i] · value[256 · chunk + i, c] for one head; query q takes the first Visible[q] positions, in order.
    /// </summary>
    /// <param name="kernels">The kernel set.</param>
    /// <param name="own">Scores [queries, 256], zero from Visible[q] to <paramref name="length"/>, which is rounded up to 32; receives Chunk [queries, padded head size].</param>
    /// <param name="layer">The layer.</param>
    /// <param name="head">The head.</param>
    /// <param name="chunk">Which chunk of positions.</param>
    /// <param name="length">Positions of the chunk that take part.</param>
    /// <param name="queries">How many.</param>
    /// <param name="next">What is read afterwards: a hint, which the float formats leave unused.</param>
    public void WeighChunk(KernelSet kernels, WorkerSpace own, int layer, int head, int chunk, int length, int queries, NativeView next)
    {
        Span<float> y = own.Chunk.Slice(0, queries * PaddedHeadSize);
        if (Features.Int4Only || Format == BlockFormat.Q8_0)
        {
            for (int q = 0; q < queries; q++)
                QuantizeWeights(kernels, own, layer, head, chunk, length, q, own.Weights, q);
            PackedMatrix matrix = ValueMatrix(layer, head, chunk, length);
            kernels.GemmNonNegative(matrix, own.Weights, queries, 0, matrix.Groups, y, PaddedHeadSize, next);
            return;
        }
        y.Clear();
        ReadOnlySpan<int> visible = own.Visible.AsSpan(0, queries);
        int common = length;
        foreach (int count in visible)
            common = Math.Min(common, count);
        AddRows(kernels, own, layer, head, chunk, 0, queries, 0, common);
        for (int q = 0; q < queries; q++) // what some see beyond that
            AddRows(kernels, own, layer, head, chunk, q, 1, common, visible[q]);
    }

    /// <summary>
    /// Chunk[j, c] = Σ_i Scores[j, i] · value[256 · (chunk + j) + i, c] for one head and one query, which takes the first Visible[j] positions of each of
    /// several chunks: as <see cref="WeighChunk"/> for each of them, to the bit.
    /// </summary>
    /// <param name="kernels">The kernel set.</param>
    /// <param name="own">Scores [chunks, 256], zero as for <see cref="WeighChunk"/>; receives Chunk [chunks, padded head size].</param>
    /// <param name="layer">The layer.</param>
    /// <param name="head">The head.</param>
    /// <param name="chunk">The first chunk of positions.</param>
    /// <param name="length">Positions that take part.</param>
    /// <param name="chunks">In how many chunks they are.</param>
    /// <param name="next">What is read afterwards: a hint, which the float formats leave unused.</param>
    public void WeighChunks(KernelSet kernels, WorkerSpace own, int layer, int head, int chunk, int length, int chunks, NativeView next)
    {
        if (!Features.Int4Only && Format != BlockFormat.Q8_0)
        {
            own.Chunk.Slice(0, chunks * PaddedHeadSize).Clear();
            for (int j = 0; j < chunks; j++)
                AddRows(kernels, own, layer, head, chunk + j, j, 1, 0, own.Visible[j]);
            return;
        }
        // Reading does not pause between two chunks: all weights first.
        for (int j = 0; j < chunks; j++)
            QuantizeWeights(kernels, own, layer, head, chunk + j, Math.Min(ChunkSize, length - j * ChunkSize), j, own.ChunkWeights[j], 0);
        for (int j = 0; j < chunks; j++)
        {
            PackedMatrix matrix = ValueMatrix(layer, head, chunk + j, Math.Min(ChunkSize, length - j * ChunkSize));
            NativeView after = j + 1 < chunks ? Values(layer, head, chunk + j + 1) : next;
            kernels.GemmNonNegative(matrix, own.ChunkWeights[j], 1, 0, matrix.Groups, own.Chunk.Slice(j * PaddedHeadSize, PaddedHeadSize), PaddedHeadSize, after);
        }
    }

    /// <summary>Row <paramref name="item"/> of the scores times the scales of a chunk's int8 values, quantized.</summary>
    private void QuantizeWeights(KernelSet kernels, WorkerSpace own, int layer, int head, int chunk, int length, int item, Activations weights, int row)
    {
        int padded = PackedLayout.Blocks(length) * PackedLayout.BlockSize;
        ReadOnlySpan<ushort> scales = _scales.Slice(Index(layer, head) * _valueScales + (long)chunk * ChunkSize, padded);
        kernels.QuantizeWeighted(own.Scores.Slice(item * ChunkSize, padded), scales, weights, row);
    }

    /// <summary>A chunk's int8 values as a matrix of the columns that take part.</summary>
    private PackedMatrix ValueMatrix(int layer, int head, int chunk, int length) =>
        new PackedMatrix(Format, PaddedHeadSize, ChunkSize, Values(layer, head, chunk)).FirstBlocks(PackedLayout.Blocks(length));

    /// <summary>Adds float values of the positions from <paramref name="begin"/> to <paramref name="end"/>, weighted by the scores from row <paramref name="item"/> on.</summary>
    private void AddRows(KernelSet kernels, WorkerSpace own, int layer, int head, int chunk, int item, int queries, int begin, int end)
    {
        if (begin >= end)
            return;
        NativeView values = Values(layer, head, chunk);
        ReadOnlySpan<byte> rows = values.Span(0, (int)values.Length)[(begin * PaddedHeadSize * ElementBytes(Format))..];
        kernels.AddWeightedRows(own.Scores.Span[(item * ChunkSize + begin)..], ChunkSize, queries, end - begin, Format, rows, PaddedHeadSize, own.Chunk.Slice(item * PaddedHeadSize, queries * PaddedHeadSize));
    }
}
