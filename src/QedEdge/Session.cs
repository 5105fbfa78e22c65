using QedEdge.Model;
using QedEdge.Quantization;
using QedEdge.Threading;

namespace QedEdge;

/// <summary>
/// One context of a model: the cached keys and values of the tokens fed so far, and the logits that follow the last of them.
/// A session belongs to one thread at a time; all its memory is allocated when it opens.
/// </summary>
public sealed class Session : IDisposable
{
    private readonly QedModel _model;
    private readonly WorkerTeam _team;
    private readonly Workspace _workspace;
    private readonly KvCache _cache;
    private readonly Rope _rope;
    private readonly Transformer _transformer;
    private readonly int[] _tokens = new int[Workspace.BatchSize];
    private readonly int[] _positions = new int[Workspace.BatchSize];
    private readonly byte[] _mask;
    private bool _masked;
    private bool _hasLogits;
    private bool _disposed;
    private int _inUse;

    internal Session(QedModel model, SessionOptions options)
    {
        ModelConfig config = model.Config;
        int threads = options.Threads ?? ProcessorInfo.PhysicalCores;
        if (threads is < 1 or > 256)
            throw new InvalidOptionException($"threads must be 1 to 256, got {threads}");
        Capacity = options.ContextLength ?? config.ContextLength;
        if (Capacity < 1 || Capacity > config.ContextLength)
            throw new InvalidOptionException($"the context size must be 1 to {config.ContextLength}, the model's context length; got {Capacity}");
        BlockFormat format = options.KvType switch
        {
            KvCacheType.F32 => BlockFormat.F32,
            KvCacheType.F16 => BlockFormat.F16,
            KvCacheType.Q8_0 => BlockFormat.Q8_0,
            _ => model.Weights.Layers[0].Query.Weight.Format is var weights and (BlockFormat.F32 or BlockFormat.F16) ? weights : BlockFormat.Q8_0,
        };
        KvType = format switch { BlockFormat.F32 => KvCacheType.F32, BlockFormat.F16 => KvCacheType.F16, _ => KvCacheType.Q8_0 };

        _model = model;
        int slots = PackedLayout.RowGroups(Capacity) * PackedLayout.GroupRows;
        _mask = new byte[slots];
        _workspace = new Workspace(config, threads);
        _cache = new KvCache(config.LayerCount, config.HeadCount, config.HeadSize, slots, format);
        _rope = new Rope(config.HeadSize, config.RopeTheta, Workspace.BatchSize);
        _team = new WorkerTeam(threads); // last: where memory is short its threads would wait for good
        _transformer = new Transformer(config, model.Weights, model.Kernels, _team, _workspace, _cache, _rope);
    }

    /// <summary>Tokens fed so far.</summary>
    public int Position { get; private set; }

    /// <summary>Positions the session can hold.</summary>
    public int Capacity { get; }

    /// <summary>Entries of the vocabulary: the number of logits.</summary>
    public int VocabSize => _model.Config.VocabSize;

    /// <summary>How keys and values are stored; never <see cref="KvCacheType.Auto"/>.</summary>
    public KvCacheType KvType { get; }

    /// <summary>Threads that compute, the caller's included.</summary>
    public int Threads => _team.Size;

    /// <summary>The logits after the last token fed [VocabSize]; overwritten by the next feed.</summary>
    /// <exception cref="InvalidOperationException">Nothing was fed yet.</exception>
    public ReadOnlySpan<float> Logits
    {
        get
        {
            ObjectDisposedException.ThrowIf(_disposed, this);
            return _hasLogits
                ? _workspace.Logits.Slice(0, _model.Config.VocabSize)
                : throw new InvalidOperationException("there are no logits: feed at least one token first");
        }
    }

    /// <summary>Appends tokens and computes the logits after the last one.</summary>
    /// <exception cref="ContextLengthException">They do not fit; nothing was computed or stored.</exception>
    /// <exception cref="InvalidOptionException">An id is outside the vocabulary; nothing was computed or stored.</exception>
    public void Feed(ReadOnlySpan<int> tokens) => Feed(tokens, Plain);

    /// <summary>Appends tokens with a mask, positions, or a receiver of all logits.</summary>
    /// <exception cref="ContextLengthException">They do not fit; nothing was computed or stored.</exception>
    /// <exception cref="InvalidOptionException">An id, the mask or a position is not usable; nothing was computed or stored.</exception>
    /// <exception cref="OperationCanceledException">Cancelled between chunks; the chunks done stay.</exception>
    public void Feed(ReadOnlySpan<int> tokens, FeedOptions options)
    {
        Enter();
        try
        {
            Check(tokens, options);
            if (tokens.IsEmpty)
                return;
            TakeMask(options.AttentionMask, tokens.Length);
            _hasLogits = false;
            int chunk = options.ChunkSize is > 0 and < Workspace.BatchSize ? options.ChunkSize : Workspace.BatchSize;
            for (int begin = 0; begin < tokens.Length; begin += chunk)
            {
                options.Cancellation.ThrowIfCancellationRequested();
                int count = Math.Min(chunk, tokens.Length - begin);
                FeedChunk(tokens.Slice(begin, count), begin, options);
                if (options.OnLogits is { } handler)
                    ReportLogits(handler, begin, count);
                else if (begin + count == tokens.Length)
                    ComputeLogits(count - 1, 1);
                Position += count;
            }
            _hasLogits = true;
        }
        finally
        {
            Volatile.Write(ref _inUse, 0);
        }
    }

    /// <summary>Forgets everything from <paramref name="position"/> on.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The position is not one of 0..Position.</exception>
    public void Rollback(int position)
    {
        Enter();
        try
        {
            if ((uint)position > (uint)Position)
                throw new ArgumentOutOfRangeException(nameof(position), position, $"must be 0 to {Position}");
            Position = position;
            _hasLogits = false;
        }
        finally
        {
            Volatile.Write(ref _inUse, 0);
        }
    }

    /// <summary>Frees the memory and ends the threads.</summary>
    public void Dispose()
    {
        if (_disposed)
            return;
        Enter();
        _disposed = true;
        _team.Dispose();
        _workspace.Dispose();
        _cache.Dispose();
        _rope.Dispose();
    }

    private static readonly FeedOptions Plain = new();

    private void Enter()
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        if (Interlocked.CompareExchange(ref _inUse, 1, 0) != 0)
            throw new InvalidOperationException("the session is in use by another thread; a session belongs to one thread at a time");
    }

    private void Check(ReadOnlySpan<int> tokens, FeedOptions options)
    {
        if (tokens.Length > Capacity - Position)
            throw new ContextLengthException(Position, tokens.Length, Capacity);
        foreach (int id in tokens)
        {
            if ((uint)id >= (uint)_model.Config.VocabSize)
                throw new InvalidOptionException($"token id {id} is outside the vocabulary of {_model.Config.VocabSize} entries");
        }
        ReadOnlyMemory<byte> mask = options.AttentionMask;
        if (!mask.IsEmpty)
        {
            if (mask.Length != Position + tokens.Length)
                throw new InvalidOptionException($"the attention mask has {mask.Length} entries; {Position} past + {tokens.Length} new tokens need {Position + tokens.Length}");
            if (mask.Span.ContainsAnyExceptInRange((byte)0, (byte)1))
                throw new InvalidOptionException("the attention mask may hold only 0 and 1");
        }
        ReadOnlyMemory<int> positions = options.PositionIds;
        if (!positions.IsEmpty)
        {
            if (positions.Length != tokens.Length)
                throw new InvalidOptionException($"{positions.Length} position ids were given for {tokens.Length} tokens");
            if (positions.Span.ContainsAnyExceptInRange(0, _model.Config.ContextLength - 1))
                throw new InvalidOptionException($"position ids must be 0 to {_model.Config.ContextLength - 1}");
        }
    }

    /// <summary>A mask given once stays: later tokens go on ignoring what it left out.</summary>
    private void TakeMask(ReadOnlyMemory<byte> mask, int added)
    {
        if (!mask.IsEmpty)
        {
            mask.Span.CopyTo(_mask);
            _masked = mask.Span.Contains((byte)0);
        }
        else
        {
            _mask.AsSpan(Position, added).Fill(1);
        }
    }

    private void FeedChunk(ReadOnlySpan<int> tokens, int begin, FeedOptions options)
    {
        tokens.CopyTo(_tokens);
        Span<int> positions = _positions.AsSpan(0, tokens.Length);
        if (!options.PositionIds.IsEmpty)
        {
            options.PositionIds.Span.Slice(begin, tokens.Length).CopyTo(positions);
        }
        else
        {
            for (int i = 0; i < positions.Length; i++)
                positions[i] = Position + i;
        }
        _rope.Prepare(positions);
        ReadOnlyMemory<byte> mask = _masked ? _mask.AsMemory(0, Position + tokens.Length) : default;
        _transformer.Forward(new Batch(_tokens.AsMemory(0, tokens.Length), Position, mask));
    }

    private void ReportLogits(LogitsHandler handler, int begin, int count)
    {
        int rows = 0;
        for (int first = 0; first < count; first += rows)
        {
            rows = Math.Min(Workspace.LogitRows, count - first);
            ComputeLogits(first, rows);
            for (int r = 0; r < rows; r++)
                handler(begin + first + r, _workspace.Logits.Slice((long)r * _workspace.LogitStride, _model.Config.VocabSize));
        }
        // Logits speaks of the last token: row 0 is where it looks.
        if (rows > 1)
            _workspace.Logits.Slice((long)(rows - 1) * _workspace.LogitStride, _workspace.LogitStride).CopyTo(_workspace.Logits.Span);
    }

    private void ComputeLogits(int first, int count)
    {
        _transformer.Logits(first, count);
        for (int r = 0; r < count; r++)
        {
            // Weights are finite when a file is opened; only an overflow on the way can end here.
            if (!FiniteCheck.Floats(_workspace.Logits.Slice((long)r * _workspace.LogitStride, _model.Config.VocabSize)))
            {
                throw new ModelFormatException(ModelFault.Damaged, _model.File.Name,
                    "the model's results are not finite numbers; the weights are damaged, see 'qed verify'");
            }
        }
    }
}
