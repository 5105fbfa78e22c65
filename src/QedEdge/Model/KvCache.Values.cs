using QedEdge.Kernels;
using QedEdge.Memory;
using QedEdge.Quantization;

namespace QedEdge.Model;

/// <content>Values, summed with softmax's weights.</content>
internal sealed partial class KvCache
{
    /// <summary>
    /// Chunk[j, r, c] = Σ_i Scores[r, j, i] · value[256 · (chunk + j) + i, c] for one head; row r takes the first Visible[r, j] positions of chunk j, in order.
    /// A row's sums do not depend on the other rows or chunks.
    /// </summary>
    /// <param name="kernels">The kernel set.</param>
    /// <param name="own">Scores [rows, chunks, 256], zero from Visible[r, j] to the chunk's length, which is rounded up to 32; receives Chunk [chunks, rows, padded head size].</param>
    /// <param name="layer">The layer.</param>
    /// <param name="head">The key-value head.</param>
    /// <param name="chunk">The first chunk of positions.</param>
    /// <param name="length">Positions that take part.</param>
    /// <param name="chunks">In how many chunks they are.</param>
    /// <param name="rows">How many rows.</param>
    /// <param name="next">What is read afterwards: a hint, which the float formats leave unused.</param>
    public void Weigh(KernelSet kernels, WorkerSpace own, int layer, int head, int chunk, int length, int chunks, int rows, NativeView next)
    {
        if (Format != KvFormat.Q8_0)
        {
            own.Chunk.Slice(0, chunks * rows * PaddedHeadSize).Clear();
            for (int j = 0; j < chunks; j++)
                AddRows(kernels, own, Values(layer, head, chunk + j), j, chunks, rows, Math.Min(ChunkSize, length - j * ChunkSize));
            return;
        }
        // Reading does not pause between two chunks: all weights first.
        for (int j = 0; j < chunks; j++)
        {
            for (int r = 0; r < rows; r++)
                QuantizeWeights(kernels, own, layer, head, chunk + j, Math.Min(ChunkSize, length - j * ChunkSize), r * chunks + j, own.Weights[j], r);
        }
        for (int j = 0; j < chunks; j++)
        {
            PackedMatrix matrix = ValueMatrix(layer, head, chunk + j, Math.Min(ChunkSize, length - j * ChunkSize));
            NativeView after = j + 1 < chunks ? Values(layer, head, chunk + j + 1) : next;
            kernels.Gemm(new(matrix, own.Weights[j], rows, 0, matrix.Groups, own.Chunk.Slice(j * rows * PaddedHeadSize, rows * PaddedHeadSize), PaddedHeadSize) { Next = after, NonNegative = true });
        }
    }

    /// <summary>Row <paramref name="item"/> of the scores times the scales of a chunk's int8 values, quantized.</summary>
    private void QuantizeWeights(KernelSet kernels, WorkerSpace own, int layer, int head, int chunk, int length, int item, Activations weights, int row)
    {
        int padded = PackedLayout.Blocks(length) * PackedLayout.BlockSize;
        ReadOnlySpan<ushort> scales = _scales.Slice(_rooms[layer].ScalesOf(head) + (long)chunk * ChunkSize, padded);
        kernels.QuantizeWeighted(own.Scores.Slice(item * ChunkSize, padded), scales, weights, row);
    }

    /// <summary>A chunk's int8 values as a matrix of the columns that take part.</summary>
    private PackedMatrix ValueMatrix(int layer, int head, int chunk, int length) =>
        _chunk.At(Values(layer, head, chunk)).FirstBlocks(PackedLayout.Blocks(length));

    /// <summary>Adds a chunk's float values, weighted by each row's scores: what all rows see together, what some see beyond that each for itself.</summary>
    private void AddRows(KernelSet kernels, WorkerSpace own, NativeView values, int j, int chunks, int rows, int length)
    {
        int common = length;
        for (int r = 0; r < rows; r++)
            common = Math.Min(common, own.Visible[r * chunks + j]);
        Add(0, rows, 0, common);
        for (int r = 0; r < rows; r++)
            Add(r, 1, common, own.Visible[r * chunks + j]);

        void Add(int row, int count, int begin, int end)
        {
            if (begin >= end)
                return;
            ReadOnlySpan<byte> part = values.Span(0, (int)values.Length)[(begin * PaddedHeadSize * Format.ElementBytes())..];
            kernels.AddWeightedRows(own.Scores.Span[((row * chunks + j) * ChunkSize + begin)..], chunks * ChunkSize, count, end - begin, Format == KvFormat.F16, part, PaddedHeadSize,
                own.Chunk.Slice((j * rows + row) * PaddedHeadSize, count * PaddedHeadSize));
        }
    }
}
