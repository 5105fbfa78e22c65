using QedEdge.Memory;
using QedEdge.Model;
using QedEdge.Threading;

namespace QedEdge;

/// <summary>What the sequences of a session or a batch share: the threads, the scratch memory and the layers. One call at a time.</summary>
internal sealed class Engine : IDisposable
{
    private const int None = int.MaxValue;

    private readonly QedModel _model;
    private readonly WorkerTeam _team;
    private readonly Workspace _workspace;
    private readonly Ropes _ropes;
    private readonly Transformer _transformer;
    private readonly KvFormat _format;
    private readonly SlotMap _window;
    private readonly Batch _batch;
    private readonly Wanted[] _wanted = new Wanted[Workspace.BatchSize];
    private readonly int[] _rows;
    private readonly int[] _members = new int[Workspace.BatchSize]; // whose each segment of the batch is, as an index into the call's sequences
    private readonly int[] _done; // tokens of each sequence done in this call
    private readonly int[] _firstBroken; // of each sequence: the batch row whose values are not finite, or None
    private readonly Lock _gate = new();
    private readonly ManualResetEventSlim _freed = new();
    private readonly CancellationTokenSource _closing = new(); // ends the call that runs when the engine is closed
    private readonly List<Sequence> _left = [];                // closed while a call ran: freed at its end
    private int _owner;      // the thread whose call it is, or 0
    private int _depth;      // calls of its, one within another
    private bool _computing; // whether the innermost of them uses what is shared

    /// <summary>Allocates everything but the sequences.</summary>
    /// <exception cref="InvalidOptionException">An option is out of range.</exception>
    public Engine(QedModel model, SessionOptions options, int sequences)
    {
        ModelConfig config = model.Config;
        int threads = options.Threads ?? ProcessorInfo.PhysicalCores;
        if (threads is < 1 or > WorkerTeam.MaxSize)
            throw new InvalidOptionException($"threads must be 1 to {WorkerTeam.MaxSize}, got {threads}");
        int capacity = options.ContextLength ?? config.ContextLength;
        if (capacity < 1 || capacity > config.ContextLength)
            throw new InvalidOptionException($"the context size must be 1 to {config.ContextLength}, the model's context length; got {capacity}");
        bool slides = options.Overflow == ContextOverflow.Slide;
        if (slides && !config.Architecture.HasRelativePositions)
            throw new InvalidOptionException($"the positions of the family '{config.Architecture.Name}' are absolute: a text cannot slide through its context; take the overflow 'stop'");
        int sinks = options.Sinks ?? Math.Min(SessionOptions.DefaultSinks, capacity / 2);
        if (slides && (sinks < 0 || sinks > Math.Min(SlotMap.MaxSinks, capacity / 2)))
            throw new InvalidOptionException($"the number of sinks must be 0 to {Math.Min(SlotMap.MaxSinks, capacity / 2)} with a context size of {capacity}, got {sinks}");
        _format = KvCacheTypes.FormatOf(options.KvType, model.Weights.Layers[0].Query.Weight.Format);
        _model = model;
        _window = new SlotMap(capacity, slides, sinks);
        model.Retain();
        try
        {
            _batch = new Batch(config.Architecture.Layers[0].Attention.Group, config.Architecture.HasRelativePositions);
            _workspace = new Workspace(config.Architecture, threads, sequences, _window.Slots, model.Weights.HasHalfBlocks);
            _ropes = new Ropes(config.Architecture.Layers, model.Weights.RotaryFactors, capacity - 1);
            _rows = new int[_workspace.LogitRows];
            _done = new int[sequences];
            _firstBroken = new int[sequences];
            _team = new WorkerTeam(threads);
            _transformer = new Transformer(config.Architecture, model.Weights, model.Kernels, _team, _workspace, _ropes, _batch) { Closing = _closing.Token };
        }
        catch // memory is short
        {
            _workspace?.Dispose();
            _ropes?.Dispose();
            model.Release();
            throw;
        }
    }

    /// <summary>How keys and values are stored.</summary>
    public KvCacheType KvType => KvCacheTypes.Of(_format);

    /// <summary>Threads that compute.</summary>
    public int Threads => _team.Size;

    /// <summary>The model.</summary>
    public QedModel Model => _model;

    /// <summary>An empty sequence with all its memory.</summary>
    public Sequence CreateSequence() => new(_window, _model.Config.Architecture.Layers, _format, _workspace.LogitStride);

    /// <summary>Whether the engine is closed, and the call that has it is to end.</summary>
    public bool IsClosing => _closing.IsCancellationRequested;

    /// <summary>Takes the engine for one call that uses what is shared.</summary>
    /// <exception cref="InvalidOperationException">Another call has it.</exception>
    /// <exception cref="ObjectDisposedException">It was closed.</exception>
    /// <exception cref="OperationCanceledException">It was closed during the call that this one is a part of.</exception>
    public Use Enter() => Enter(computing: true);

    /// <summary>Takes the engine for work that consists of several calls: until its end, memory stays even where the engine is closed meanwhile.</summary>
    /// <exception cref="InvalidOperationException">Another call has it.</exception>
    /// <exception cref="ObjectDisposedException">It was closed.</exception>
    /// <exception cref="OperationCanceledException">It was closed during the call that this one is a part of.</exception>
    public Use Hold() => Enter(computing: false);

    private Use Enter(bool computing)
    {
        int thread = Environment.CurrentManagedThreadId;
        lock (_gate)
        {
            bool nested = _owner == thread;
            if (IsClosing)
                throw nested ? Closed() : new ObjectDisposedException(nameof(Session));
            if (_computing || (_depth > 0 && !nested))
                throw new InvalidOperationException("the session is in use by another call; a session belongs to one thread, and to one call at a time");
            _owner = thread;
            _depth++;
            _computing = computing;
            return new Use(this);
        }
    }

    private void Leave()
    {
        lock (_gate)
        {
            _computing = false;
            if (--_depth > 0)
                return;
            _owner = 0;
            FreeWhatIsLeft();
        }
    }

    /// <summary>
    /// Feeds tokens to sequences, as many at a time as fit into a batch. The caller has checked everything; where it ends early each sequence
    /// keeps the tokens of the batches that were done.
    /// </summary>
    /// <param name="sequences">Whose tokens they are [n].</param>
    /// <param name="lengths">Tokens of each [n].</param>
    /// <param name="tokens">All tokens, one sequence after another.</param>
    /// <param name="options">What goes with them, of each [n].</param>
    /// <param name="cancellation">Ends within a layer's time.</param>
    /// <exception cref="NotFiniteException">Of some sequences; the others were fed to their ends.</exception>
    public void Feed(ReadOnlySpan<Sequence> sequences, ReadOnlySpan<int> lengths, ReadOnlySpan<int> tokens, ReadOnlySpan<FeedOptions> options, CancellationToken cancellation)
    {
        _done.AsSpan().Clear();
        _firstBroken.AsSpan().Fill(None);
        while (Fill(sequences, lengths, tokens, options, out int wanted))
        {
            _ropes.Prepare(_batch.Positions);
            _transformer.Forward(cancellation);
            FindBroken();
            ReportLogits(_wanted.AsSpan(0, wanted), sequences, cancellation);
            for (int i = 0; i < _batch.Segments.Length; i++)
            {
                Segment segment = _batch.Segments[i];
                int member = _members[i];
                if (_firstBroken[member] != None)
                {
                    _done[member] = lengths[member]; // its other tokens would follow what was not computed
                    continue;
                }
                segment.Sequence.Append(_batch.Tokens.Slice(segment.Row, segment.Count));
                segment.Sequence.HasLogits = _done[member] == lengths[member];
                options[member].OnChunk?.Invoke(_done[member]);
            }
            if (IsClosing)
                throw Closed();
        }
        if (_firstBroken.AsSpan().ContainsAnyExcept(None))
        {
            var members = new List<int>();
            for (int member = 0; member < _firstBroken.Length; member++)
            {
                if (_firstBroken[member] != None)
                    members.Add(member);
            }
            throw NotFinite(members.ToArray());
        }
    }

    /// <summary>Fills the batch with the next tokens of each sequence; false when all are done.</summary>
    private bool Fill(ReadOnlySpan<Sequence> sequences, ReadOnlySpan<int> lengths, ReadOnlySpan<int> tokens, ReadOnlySpan<FeedOptions> options, out int wanted)
    {
        _batch.Clear();
        wanted = 0;
        for (int i = 0, start = 0; i < sequences.Length && _batch.Room > 0; start += lengths[i++])
        {
            FeedOptions own = options[i];
            int done = _done[i], chunk = own.ChunkSize > 0 ? own.ChunkSize : Workspace.BatchSize;
            int count = Math.Min(lengths[i] - done, Math.Min(chunk, _batch.Room));
            if (count == 0)
                continue;
            for (int t = 0; t < count; t++)
            {
                bool last = done + t == lengths[i] - 1;
                LogitsHandler? handler = own.Wants(done + t) ? own.OnLogits : null;
                if (last || handler is not null)
                    _wanted[wanted++] = new Wanted(_batch.Count + t, i, done + t, handler, last);
            }
            sequences[i].Expect(count);
            _members[_batch.Segments.Length] = i;
            _batch.Add(sequences[i], tokens.Slice(start + done, count), own.PositionIds.IsEmpty ? default : own.PositionIds.Span.Slice(done, count));
            _done[i] += count;
        }
        return _batch.Count > 0;
    }

    /// <summary>Notes each member's first row that met what is not finite.</summary>
    private void FindBroken()
    {
        for (int i = 0; i < _batch.Segments.Length; i++)
        {
            Segment segment = _batch.Segments[i];
            int row = _workspace.Broken.AsSpan(segment.Row, segment.Count).IndexOf(true);
            if (row >= 0)
                _firstBroken[_members[i]] = segment.Row + row;
        }
    }

    private NotFiniteException NotFinite(int[] members)
    {
        string storage = KvType == KvCacheType.F32 ? "" : $", or a key or value is too large for {KvType}";
        return new NotFiniteException(_model.File.Name, $"the model's results are not finite numbers; its weights are damaged ('qed verify' tells) or overflow{storage}", members);
    }

    /// <summary>Takes tokens out of the middle of a sequence whose slots did not wrap around.</summary>
    public void Shift(Sequence sequence, int position, int count)
    {
        _ropes.Prepare([-count]);
        bool stored = sequence.Cache.Shift(_model.Kernels, _ropes, position, count, sequence.Count);
        sequence.Remove(position, count);
        if (stored)
            return;
        sequence.Truncate(position); // what moved means nothing now
        throw NotFinite([]);
    }

    /// <summary>Becomes what feeding a plain sequence's first tokens alone gives.</summary>
    public void Recompute(Sequence sequence, int count)
    {
        int[] tokens = sequence.Ids[..count].ToArray();
        FeedOptions plain = FeedOptions.Plain;
        sequence.Truncate(0);
        Feed(new(in sequence), new(in count), tokens, new(in plain), CancellationToken.None);
        sequence.HasLogits = false;
    }

    /// <summary>Frees a sequence, at once or where a call runs at its end.</summary>
    public void Free(Sequence sequence)
    {
        lock (_gate)
        {
            _left.Add(sequence);
            if (_depth == 0)
                FreeWhatIsLeft();
        }
    }

    /// <summary>
    /// Ends the threads and frees what sequences share. A call that runs is cancelled and waited for; from within that call itself nothing is waited for, and its end frees.
    /// </summary>
    public void Dispose()
    {
        lock (_gate)
        {
            _closing.Cancel();
            if (_depth == 0)
                FreeWhatIsLeft();
            else if (_owner == Environment.CurrentManagedThreadId)
                return;
        }
        _freed.Wait();
    }

    /// <summary>No call runs.</summary>
    private void FreeWhatIsLeft()
    {
        foreach (Sequence sequence in _left)
            sequence.Dispose();
        _left.Clear();
        if (!IsClosing || _freed.IsSet)
            return;
        _team.Dispose();
        _workspace.Dispose();
        _ropes.Dispose();
        _model.Release();
        _freed.Set();
    }

    private static OperationCanceledException Closed() => new("the session was closed during the call");

    /// <summary>Logits of some of the batch's tokens, several for each pass over the head's weights; of each member those before its first broken row.</summary>
    private void ReportLogits(Span<Wanted> wanted, ReadOnlySpan<Sequence> sequences, CancellationToken cancellation)
    {
        int sound = 0;
        foreach (Wanted token in wanted)
        {
            if (token.Row < _firstBroken[token.Member])
                wanted[sound++] = token;
        }
        wanted = wanted[..sound];
        while (!wanted.IsEmpty)
        {
            cancellation.ThrowIfCancellationRequested();
            if (IsClosing)
                throw Closed();
            ReadOnlySpan<Wanted> now = wanted[..Math.Min(wanted.Length, _rows.Length)];
            wanted = wanted[now.Length..];
            for (int r = 0; r < now.Length; r++)
                _rows[r] = now[r].Row;
            // A lone token's go where they are wanted at once.
            AlignedBuffer<float> logits = now.Length == 1 ? sequences[now[0].Member].Logits : _workspace.Logits;
            _transformer.Logits(_rows.AsSpan(0, now.Length), logits);
            for (int r = 0; r < now.Length; r++)
            {
                Span<float> row = logits.Slice((long)r * _workspace.LogitStride, _model.Config.VocabSize);
                // Weights are finite when a file is opened; only an overflow on the way can end here.
                if (!FiniteCheck.Floats(row))
                    _firstBroken[now[r].Member] = Math.Min(_firstBroken[now[r].Member], now[r].Row);
                if (now[r].Row >= _firstBroken[now[r].Member])
                    continue;
                now[r].Handler?.Invoke(now[r].Index, row);
                if (now[r].IsLast && now.Length > 1)
                    row.CopyTo(sequences[now[r].Member].Logits.Span);
            }
        }
    }

    /// <summary>A token of the batch whose logits are computed.</summary>
    /// <param name="Row">Its row.</param>
    /// <param name="Member">The index of its sequence in the call.</param>
    /// <param name="Index">Its index among the tokens fed to the sequence.</param>
    /// <param name="Handler">Who receives them.</param>
    /// <param name="IsLast">Whether it is the last token fed, whose logits the sequence keeps.</param>
    private readonly record struct Wanted(int Row, int Member, int Index, LogitsHandler? Handler, bool IsLast);

    /// <summary>A call's lease of the engine.</summary>
    public readonly ref struct Use(Engine engine)
    {
        /// <summary>Releases it.</summary>
        public void Dispose() => engine?.Leave();
    }
}
