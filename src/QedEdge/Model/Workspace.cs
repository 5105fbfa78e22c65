using QedEdge.Architectures;
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

    /// <summary>Allocates for a model, a team and a number of sequences of so many slots; <paramref name="halfOffsets"/>: whether matrices have scales for 16 columns.</summary>
    public Workspace(Architecture architecture, int workers, int sequences, int slots, bool halfOffsets = false)
    {
        LogitRows = Math.Clamp(sequences, MinLogitRows, BatchSize);
        HiddenStride = Pad(architecture.Width);
        QueryStride = Pad(architecture.QueryWidth);
        KvStride = Pad(architecture.KvWidth);
        InnerStride = Pad(architecture.Inner);
        LogitStride = PadRows(architecture.VocabSize);
        Residual = new AlignedBuffer<float>((long)BatchSize * HiddenStride);
        Query = new AlignedBuffer<float>((long)BatchSize * QueryStride);
        Key = new AlignedBuffer<float>((long)BatchSize * KvStride);
        Value = new AlignedBuffer<float>((long)BatchSize * KvStride);
        Attended = new AlignedBuffer<float>((long)BatchSize * QueryStride);
        Gate = new AlignedBuffer<float>((long)BatchSize * InnerStride);
        Up = new AlignedBuffer<float>((long)BatchSize * InnerStride);
        Branch = new AlignedBuffer<float>((long)BatchSize * HiddenStride);
        Second = new AlignedBuffer<float>(IsParallel(architecture) ? (long)BatchSize * HiddenStride : 0);
        Logits = new AlignedBuffer<float>((long)LogitRows * LogitStride);
        Parts = new AttentionParts(architecture, workers, slots);
        int widest = Widest(architecture);
        Batch = new Activations(BatchSize, widest, halfOffsets);
        Workers = new WorkerSpace[workers];
        for (int i = 0; i < workers; i++)
            Workers[i] = new WorkerSpace(architecture, widest, halfOffsets);
    }

    /// <summary>Positions whose logits are computed together.</summary>
    public int LogitRows { get; }

    /// <summary>Bytes that a workspace for one sequence takes when its slots are used: what the constructor allocates, its small parts left out.</summary>
    public static long BytesFor(Architecture architecture, int workers, int slots)
    {
        long hidden = Pad(architecture.Width), query = Pad(architecture.QueryWidth), kv = Pad(architecture.KvWidth), inner = Pad(architecture.Inner), widest = Pad(Widest(architecture));
        long floats = BatchSize * (2 * (hidden + query + kv + inner) + (IsParallel(architecture) ? hidden : 0)) + workers * hidden + (long)MinLogitRows * PadRows(architecture.VocabSize);
        long activations = (BatchSize + workers) * (widest * 5 + widest / PackedLayout.BlockSize * 8);
        return floats * sizeof(float) + activations + AttentionParts.BytesFor(architecture, workers, slots);
    }

    private static bool IsParallel(Architecture architecture) => Array.Exists(architecture.Layers, static layer => layer.Parallel);

    /// <summary>Values of the widest input of a matrix.</summary>
    private static int Widest(Architecture architecture) => Math.Max(Math.Max(architecture.Width, architecture.QueryWidth), architecture.Inner);

    /// <summary>Elements between tokens in buffers of hidden vectors.</summary>
    public int HiddenStride { get; }

    /// <summary>Elements between tokens in buffers of all query heads.</summary>
    public int QueryStride { get; }

    /// <summary>Elements between tokens in buffers of all key-value heads.</summary>
    public int KvStride { get; }

    /// <summary>Elements between tokens in buffers of feed-forward vectors.</summary>
    public int InnerStride { get; }

    /// <summary>Elements between rows of logits.</summary>
    public int LogitStride { get; }

    /// <summary>The residual stream [tokens, HiddenStride]; of a lone token the first worker's.</summary>
    public AlignedBuffer<float> Residual { get; }

    /// <summary>Queries [tokens, QueryStride].</summary>
    public AlignedBuffer<float> Query { get; }

    /// <summary>Keys [tokens, KvStride].</summary>
    public AlignedBuffer<float> Key { get; }

    /// <summary>Values [tokens, KvStride].</summary>
    public AlignedBuffer<float> Value { get; }

    /// <summary>Attention's result [tokens, QueryStride].</summary>
    public AlignedBuffer<float> Attended { get; }

    /// <summary>Gate, then gate · up [tokens, InnerStride].</summary>
    public AlignedBuffer<float> Gate { get; }

    /// <summary>Up [tokens, InnerStride].</summary>
    public AlignedBuffer<float> Up { get; }

    /// <summary>What is added to the residual stream [tokens, HiddenStride].</summary>
    public AlignedBuffer<float> Branch { get; }

    /// <summary>The second half's part of that where both halves are added together [tokens, HiddenStride]; else empty.</summary>
    public AlignedBuffer<float> Second { get; }

    /// <summary>Logits [LogitRows, LogitStride].</summary>
    public AlignedBuffer<float> Logits { get; }

    /// <summary>A lone token's attention by chunks, where workers share a head.</summary>
    public AttentionParts Parts { get; }

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
        Attended.Dispose();
        Gate.Dispose();
        Up.Dispose();
        Branch.Dispose();
        Second.Dispose();
        Logits.Dispose();
        Parts.Dispose();
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
    /// <summary>Rows, each a query of one head, that share a pass over the keys.</summary>
    public const int Rows = 8;

    /// <summary>Rows times the chunks whose keys they take before they turn to the values.</summary>
    public const int Items = 16;

    /// <summary>Allocates for a model.</summary>
    public WorkerSpace(Architecture architecture, int widest, bool halfOffsets = false)
    {
        int headSize = architecture.HeadSize, head = Workspace.Pad(headSize);
        Residual = new AlignedBuffer<float>(Workspace.Pad(architecture.Width));
        Input = new Activations(1, widest, halfOffsets);
        Queries = new Activations(Rows, headSize);
        Head = new AlignedBuffer<float>(3 * head);
        SinkQueries = new Activations(Rows, headSize);
        Scores = new AlignedBuffer<float>(Items * KvCache.ChunkSize);
        SinkScores = new AlignedBuffer<float>(Rows * SlotMap.MaxSinks);
        Mask = new byte[KvCache.ChunkSize];
        Visible = new int[Items];
        Weights = new Activations[Items];
        for (int j = 0; j < Items; j++)
            Weights[j] = new Activations(Math.Min(Rows, Items / (j + 1)), KvCache.ChunkSize);
        Chunk = new AlignedBuffer<float>(Items * head);
        Sums = new AlignedBuffer<float>(Rows * head);
        Max = new float[Rows];
        ChunkMax = new float[Items];
        ChunkDenominator = new float[Items];
        Denominator = new float[Rows];
    }

    /// <summary>This worker's copy of a lone token's residual stream [HiddenStride]: adding a branch again is cheaper than waiting for who adds it.</summary>
    public AlignedBuffer<float> Residual { get; }

    /// <summary>A single token's input of a matrix.</summary>
    public Activations Input { get; }

    /// <summary>Rotated queries [Rows, head].</summary>
    public Activations Queries { get; }

    /// <summary>A rotated key and a value on their way into the cache, and a query or key on its way through its norm [3, head].</summary>
    public AlignedBuffer<float> Head { get; }

    /// <summary>Scores, then weights [rows, chunks, 256].</summary>
    public AlignedBuffer<float> Scores { get; }

    /// <summary>Queries rotated for their distance to the sinks [Rows, head].</summary>
    public Activations SinkQueries { get; }

    /// <summary>Scores of the sinks [Rows, MaxSinks].</summary>
    public AlignedBuffer<float> SinkScores { get; }

    /// <summary>Which positions of a chunk one query sees [256].</summary>
    public byte[] Mask { get; }

    /// <summary>How many positions of a chunk take part in a row's sums [rows, chunks].</summary>
    public int[] Visible { get; }

    /// <summary>Softmax weights times the scales of int8 values, quantized: of each chunk [Items][rows, 256].</summary>
    public Activations[] Weights { get; }

    /// <summary>Weighted values of each chunk [chunks, rows, head].</summary>
    public AlignedBuffer<float> Chunk { get; }

    /// <summary>Weighted values so far [Rows, head].</summary>
    public AlignedBuffer<float> Sums { get; }

    /// <summary>A chunk's largest score [rows, chunks].</summary>
    public float[] ChunkMax { get; }

    /// <summary>A chunk's sum of weights [rows, chunks].</summary>
    public float[] ChunkDenominator { get; }

    /// <summary>The largest score so far [Rows].</summary>
    public float[] Max { get; }

    /// <summary>The sum of weights so far [Rows].</summary>
    public float[] Denominator { get; }

    /// <inheritdoc/>
    public void Dispose()
    {
        Residual.Dispose();
        Input.Dispose();
        Queries.Dispose();
        Head.Dispose();
        SinkQueries.Dispose();
        Scores.Dispose();
        SinkScores.Dispose();
        foreach (Activations weights in Weights)
            weights.Dispose();
        Chunk.Dispose();
        Sums.Dispose();
    }
}
