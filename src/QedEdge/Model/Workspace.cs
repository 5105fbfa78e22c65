using QedEdge.Kernels;
using QedEdge.Memory;
using QedEdge.Quantization;

namespace QedEdge.Model;

/// <summary>
/// All scratch memory of a session, allocated when it opens. Shared buffers hold a batch of up to <see cref="BatchSize"/> tokens;
/// every worker has its own inputs for a single token, since computing those again is cheaper than waiting for them.
/// Rows are padded with zeros to 32 elements.
/// </summary>
internal sealed class Workspace : IDisposable
{
    /// <summary>Tokens computed together in prefill: enough to reuse each weight from cache, small enough for 20 MB of scratch.</summary>
    public const int BatchSize = 128;

    /// <summary>Positions whose logits are computed together, at least.</summary>
    public const int MinLogitRows = 8;

    /// <summary>Allocates for a model, a team and a number of sequences.</summary>
    public Workspace(ModelConfig config, int workers, int sequences)
    {
        LogitRows = Math.Clamp(sequences, MinLogitRows, BatchSize);
        HiddenStride = Pad(config.HiddenSize);
        InnerStride = Pad(config.FeedForwardSize);
        LogitStride = PackedLayout.RowGroups(config.VocabSize) * PackedLayout.GroupRows;
        Residual = new AlignedBuffer<float>((long)BatchSize * HiddenStride);
        Query = new AlignedBuffer<float>((long)BatchSize * HiddenStride);
        Key = new AlignedBuffer<float>((long)BatchSize * HiddenStride);
        Value = new AlignedBuffer<float>((long)BatchSize * HiddenStride);
        Output = new AlignedBuffer<float>((long)BatchSize * HiddenStride);
        Gate = new AlignedBuffer<float>((long)BatchSize * InnerStride);
        Up = new AlignedBuffer<float>((long)BatchSize * InnerStride);
        Logits = new AlignedBuffer<float>((long)LogitRows * LogitStride);
        int widest = Math.Max(config.HiddenSize, config.FeedForwardSize);
        Batch = new Activations(BatchSize, widest);
        Workers = new WorkerSpace[workers];
        for (int i = 0; i < workers; i++)
            Workers[i] = new WorkerSpace(config, widest);
    }

    /// <summary>Positions whose logits are computed together.</summary>
    public int LogitRows { get; }

    /// <summary>Bytes that a workspace for one sequence takes: what the constructor allocates, its small parts left out.</summary>
    public static long BytesFor(ModelConfig config, int workers)
    {
        long hidden = Pad(config.HiddenSize), inner = Pad(config.FeedForwardSize), widest = Math.Max(hidden, inner);
        long floats = BatchSize * (5 * hidden + 2 * inner) + (long)MinLogitRows * (config.VocabSize + PackedLayout.GroupRows);
        long activations = (BatchSize + workers) * (widest * 5 + widest / PackedLayout.BlockSize * 8);
        return floats * sizeof(float) + activations;
    }

    /// <summary>Elements between tokens in buffers of hidden vectors.</summary>
    public int HiddenStride { get; }

    /// <summary>Elements between tokens in buffers of feed-forward vectors.</summary>
    public int InnerStride { get; }

    /// <summary>Elements between rows of logits.</summary>
    public int LogitStride { get; }

    /// <summary>The residual stream [tokens, HiddenStride].</summary>
    public AlignedBuffer<float> Residual { get; }

    /// <summary>Queries [tokens, HiddenStride].</summary>
    public AlignedBuffer<float> Query { get; }

    /// <summary>Keys, and once they are in the cache what is added to the residual stream [tokens, HiddenStride].</summary>
    public AlignedBuffer<float> Key { get; }

    /// <summary>Values [tokens, HiddenStride].</summary>
    public AlignedBuffer<float> Value { get; }

    /// <summary>Attention's result [tokens, HiddenStride].</summary>
    public AlignedBuffer<float> Output { get; }

    /// <summary>Gate, then gate · up [tokens, InnerStride].</summary>
    public AlignedBuffer<float> Gate { get; }

    /// <summary>Up [tokens, InnerStride].</summary>
    public AlignedBuffer<float> Up { get; }

    /// <summary>Logits [LogitRows, LogitStride].</summary>
    public AlignedBuffer<float> Logits { get; }

    /// <summary>Inputs of the matrices for a batch.</summary>
    public Activations Batch { get; }

    /// <summary>What belongs to each worker.</summary>
    public WorkerSpace[] Workers { get; }

    /// <summary>
    /// Which rows of the batch met a value that is not finite or cannot be stored: any worker's mark, never taken back within a run. Marks and not contagion:
    /// neither bytes nor halves of the cache can hold what is not a number.
    /// </summary>
    public bool[] Broken { get; } = new bool[BatchSize];

    /// <inheritdoc/>
    public void Dispose()
    {
        Residual.Dispose();
        Query.Dispose();
        Key.Dispose();
        Value.Dispose();
        Output.Dispose();
        Gate.Dispose();
        Up.Dispose();
        Logits.Dispose();
        Batch.Dispose();
        foreach (WorkerSpace worker in Workers)
            worker.Dispose();
    }

    /// <summary>Rows rounded up to whole groups of 8.</summary>
    internal static int PadRows(int rows) => PackedLayout.RowGroups(rows) * PackedLayout.GroupRows;

    internal static int Pad(int size) => PackedLayout.Blocks(size) * PackedLayout.BlockSize;
}

/// <summary>One worker's scratch memory.</summary>
internal sealed class WorkerSpace : IDisposable
{
    /// <summary>Queries that share a pass over the keys.</summary>
    public const int QueryTile = 8;

    /// <summary>Chunks whose keys a lone query takes before it turns to their values.</summary>
    public const int LoneChunks = 16;

    /// <summary>The most items of attention: queries of one chunk or chunks of one query.</summary>
    private const int Items = LoneChunks > QueryTile ? LoneChunks : QueryTile;

    /// <summary>Allocates for a model.</summary>
    public WorkerSpace(ModelConfig config, int widest)
    {
        int head = Workspace.Pad(config.HeadSize);
        Input = new Activations(1, widest);
        Queries = new Activations(QueryTile, config.HeadSize);
        Head = new AlignedBuffer<float>(2 * head);
        SinkQueries = new Activations(QueryTile, config.HeadSize);
        Scores = new AlignedBuffer<float>(Items * KvCache.ChunkSize);
        SinkScores = new AlignedBuffer<float>(QueryTile * SlotWindow.MaxSinks);
        Mask = new byte[KvCache.ChunkSize];
        Visible = new int[Items];
        Weights = new Activations(QueryTile, KvCache.ChunkSize);
        ChunkWeights = new Activations[LoneChunks];
        for (int i = 0; i < LoneChunks; i++)
            ChunkWeights[i] = new Activations(1, KvCache.ChunkSize);
        Chunk = new AlignedBuffer<float>(Items * head);
        Sums = new AlignedBuffer<float>(QueryTile * head);
        Max = new float[QueryTile];
        ChunkMax = new float[Items];
        ChunkDenominator = new float[Items];
        Denominator = new float[QueryTile];
    }

    /// <summary>A single token's input of a matrix.</summary>
    public Activations Input { get; }

    /// <summary>Rotated queries of one head [QueryTile, head].</summary>
    public Activations Queries { get; }

    /// <summary>A rotated key and a value on their way into the cache [2, head].</summary>
    public AlignedBuffer<float> Head { get; }

    /// <summary>Scores, then weights [items, 256].</summary>
    public AlignedBuffer<float> Scores { get; }

    /// <summary>Queries rotated for their distance to the sinks [QueryTile, head].</summary>
    public Activations SinkQueries { get; }

    /// <summary>Scores of the sinks [QueryTile, MaxSinks].</summary>
    public AlignedBuffer<float> SinkScores { get; }

    /// <summary>Which positions of a chunk one query sees [256].</summary>
    public byte[] Mask { get; }

    /// <summary>How many positions of a chunk take part in a query's sums [items].</summary>
    public int[] Visible { get; }

    /// <summary>Softmax weights times the scales of int8 values, quantized [QueryTile, 256].</summary>
    public Activations Weights { get; }

    /// <summary>The same for each chunk of a lone query [LoneChunks][1, 256]; apart, since a product takes its inputs from the first row on.</summary>
    public Activations[] ChunkWeights { get; }

    /// <summary>Weighted values of a chunk [items, head].</summary>
    public AlignedBuffer<float> Chunk { get; }

    /// <summary>Weighted values so far [QueryTile, head].</summary>
    public AlignedBuffer<float> Sums { get; }

    /// <summary>The chunk's largest score [items].</summary>
    public float[] ChunkMax { get; }

    /// <summary>The chunk's sum of weights [items].</summary>
    public float[] ChunkDenominator { get; }

    /// <summary>The largest score so far [QueryTile].</summary>
    public float[] Max { get; }

    /// <summary>The sum of weights so far [QueryTile].</summary>
    public float[] Denominator { get; }

    /// <inheritdoc/>
    public void Dispose()
    {
        Input.Dispose();
        Queries.Dispose();
        Head.Dispose();
        SinkQueries.Dispose();
        Scores.Dispose();
        SinkScores.Dispose();
        Weights.Dispose();
        foreach (Activations weights in ChunkWeights)
            weights.Dispose();
        Chunk.Dispose();
        Sums.Dispose();
    }
}
