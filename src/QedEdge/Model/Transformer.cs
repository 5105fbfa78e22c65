using QedEdge.Kernels;
using QedEdge.Memory;
using QedEdge.Quantization;
using QedEdge.Threading;

namespace QedEdge.Model;

/// <summary>
/// The forward pass (reference.md is its definition, MODEL.md repeats it). Every worker of the team runs the same code on its own
/// share of rows, heads or tokens and meets the others at barriers; a batch of one token is decoding.
/// </summary>
internal sealed class Transformer(ModelConfig config, ModelWeights weights, KernelSet kernels, WorkerTeam team, Workspace ws, Rope rope, Batch batch)
    : ITeamWork
{
    private readonly LogitsWork _logits = new(config, weights, kernels, team, ws);

    /// <summary>Each worker's rows of q, k and v are whole heads: it need not wait for others before it attends with them.</summary>
    private bool HeadsOwned => config.HeadCount % team.Active == 0 && config.HeadSize % PackedLayout.GroupRows == 0;

    private int _nextItem;
    private bool _embeds;
    private CancellationToken _cancellation;
    private volatile bool _cancelled;

    /// <summary>Cancels all runs, whatever their own tokens say.</summary>
    public CancellationToken Closing { get; init; }

    /// <summary>Sees the inputs of the matrices of each batch; null but for calibration.</summary>
    public IInputTap? Tap { get; init; }

    /// <summary>Runs the batch through all layers; its keys and values are in the caches and its residual stream in the workspace afterwards.</summary>
    /// <exception cref="OperationCanceledException">Cancelled within a layer; nothing visible changed.</exception>
    public void Forward(CancellationToken cancellation) => Forward(embeds: true, cancellation);

    /// <summary>The same from a residual stream that the workspace holds already instead of the tokens' embeddings.</summary>
    /// <exception cref="OperationCanceledException">Cancelled within a layer.</exception>
    public void Continue(CancellationToken cancellation) => Forward(embeds: false, cancellation);

    private void Forward(bool embeds, CancellationToken cancellation)
    {
        _embeds = embeds;
        _cancellation = cancellation;
        _cancelled = false;
        team.Run(this);
        if (_cancelled)
            throw new OperationCanceledException(cancellation);
    }

    /// <summary>Logits of batch rows, at most <see cref="Workspace.LogitRows"/>, in the order given [rows, <see cref="Workspace.LogitStride"/>].</summary>
    public void Logits(ReadOnlySpan<int> rows, AlignedBuffer<float> logits)
    {
        _logits.Take(rows, logits);
        team.Run(_logits);
    }

    /// <inheritdoc/>
    public void Execute(int worker)
    {
        WorkerSpace own = ws.Workers[worker];
        int n = batch.Count, hidden = config.HiddenSize;

        if (worker == 0)
        {
            _nextItem = 0;
            Array.Clear(ws.Broken);
        }
        if (_embeds)
            Embed(worker);                                                                    // x = embed[ids]
        team.Barrier(worker);
        for (int i = 0; i < weights.Layers.Length; i++)
        {
            LayerWeights layer = weights.Layers[i];

            Linear next = i + 1 < weights.Layers.Length ? weights.Layers[i + 1].Query : weights.Output;

            Activations h = Norm(worker, own, layer.AttentionNorm);                           // h = RMSNorm(x)
            Show(worker, MatrixInput.Attention, h);
            Multiply(worker, layer.Query, h, ws.Query.Span, ws.HiddenStride, layer.Key);      // q, k, v = h W + b
            Multiply(worker, layer.Key, h, ws.Key.Span, ws.HiddenStride, layer.Value);
            Multiply(worker, layer.Value, h, ws.Value.Span, ws.HiddenStride, layer.AttentionOutput);
            if (!HeadsOwned)
                team.Barrier(worker);

            Attend(worker, own, i);                                                           // a = softmax(RoPE(q) RoPE(k)ᵀ / √size + mask) v
            team.Barrier(worker);

            Activations a = Inputs(worker, own, ws.Output.Span, ws.HiddenStride, hidden, layer.AttentionOutput);
            Show(worker, MatrixInput.AttentionOutput, a);
            MultiplyAndAdd(worker, layer.AttentionOutput, a, layer.Gate);                     // x = x + a Wo + b
            if (Cancelled(worker))
                return;

            h = Norm(worker, own, layer.FeedForwardNorm);                                     // h = RMSNorm(x)
            Show(worker, MatrixInput.FeedForward, h);
            (int begin, int end) = Multiply(worker, layer.Gate, h, ws.Gate.Span, ws.InnerStride, layer.Up);
            Multiply(worker, layer.Up, h, ws.Up.Span, ws.InnerStride, layer.Down);
            for (int t = 0; t < n; t++)                                                       // g = silu(h Wg) · (h Wu)
            {
                Span<float> gate = ws.Gate.Slice((long)t * ws.InnerStride + begin, end - begin);
                kernels.SwiGlu(gate, ws.Up.Slice((long)t * ws.InnerStride + begin, end - begin), gate);
            }
            team.Barrier(worker);

            Activations g = Inputs(worker, own, ws.Gate.Span, ws.InnerStride, config.FeedForwardSize, layer.Down);
            Show(worker, MatrixInput.Down, g);
            MultiplyAndAdd(worker, layer.Down, g, next);                                      // x = x + g Wd + b
            if (Cancelled(worker))
                return;
        }
    }

    /// <summary>A barrier, and whether the run was cancelled before it; another one follows before it is asked again, so that all see the same.</summary>
    private bool Cancelled(int worker)
    {
        if (worker == 0)
            _cancelled = _cancellation.IsCancellationRequested || Closing.IsCancellationRequested;
        team.Barrier(worker);
        return _cancelled;
    }

    private void Show(int worker, MatrixInput input, Activations x)
    {
        if (worker == 0)
            Tap?.Take(input, x, batch.Count);
    }

    private void Embed(int worker)
    {
        (int begin, int end) = team.Share(worker, batch.Count);
        ReadOnlySpan<int> tokens = batch.Tokens;
        for (int t = begin; t < end; t++)
        {
            Span<float> x = ws.Residual.Slice((long)t * ws.HiddenStride, ws.HiddenStride);
            weights.ReadEmbedding(tokens[t], x[..config.HiddenSize]);
            x[config.HiddenSize..].Clear(); // a run that was not finite may have left NaN there
        }
    }

    /// <summary>RMSNorm of the residual stream as inputs of a matrix.</summary>
    private Activations Norm(int worker, WorkerSpace own, float[] gain) => Normalize(kernels, team, ws, config, worker, own, gain, default, batch.Count);

    /// <summary>Vectors as inputs of a matrix: a lone token by every worker for itself, a batch by shares.</summary>
    private Activations Inputs(int worker, WorkerSpace own, ReadOnlySpan<float> x, int stride, int size, Linear consumer)
    {
        bool alone = batch.Count == 1;
        Activations inputs = alone ? own.Input : ws.Batch;
        (int begin, int end) = alone ? (0, 1) : team.Share(worker, batch.Count);
        for (int t = begin; t < end; t++)
        {
            x.Slice(t * stride, size).CopyTo(inputs.Row(t));
            Span<float> row = inputs.Row(t)[..Workspace.Pad(size)];
            row[size..].Clear();
            if (!(PackedLayout.HasScales(consumer.Weight.Format) ? kernels.Quantize(inputs, t, size) : kernels.IsFinite(row)))
                ws.Broken[t] = true;
        }
        if (!alone)
            team.Barrier(worker);
        return inputs;
    }

    private static Activations Normalize(KernelSet kernels, WorkerTeam team, Workspace ws, ModelConfig config, int worker, WorkerSpace own, float[] gain, ReadOnlySpan<int> rows, int count)
    {
        bool alone = count == 1;
        Activations inputs = alone ? own.Input : ws.Batch;
        (int begin, int end) = alone ? (0, 1) : team.Share(worker, count);
        int padded = Workspace.Pad(config.HiddenSize);
        for (int t = begin; t < end; t++)
        {
            int row = rows.IsEmpty ? t : rows[t];
            kernels.RmsNorm(ws.Residual.Slice((long)row * ws.HiddenStride, padded), gain, config.HiddenSize, config.RmsNormEpsilon, inputs.Row(t));
            if (!kernels.Quantize(inputs, t, config.HiddenSize))
                ws.Broken[row] = true;
        }
        if (!alone)
            team.Barrier(worker);
        return inputs;
    }

    /// <summary>This worker's rows of y = W x + b for the batch; returns the rows. What it reads next is asked for early.</summary>
    private (int Begin, int End) Multiply(int worker, Linear linear, Activations x, Span<float> y, int stride, Linear next)
    {
        PackedMatrix w = linear.Weight;
        (int begin, int end) = team.Share(worker, w.Groups);
        int row = begin * PackedLayout.GroupRows, rows = (end - begin) * PackedLayout.GroupRows;
        if (rows == 0)
            return (row, row);
        kernels.Gemm(w, x, batch.Count, begin, end, y[row..], stride, Share(team, worker, next.Weight));
        for (int t = 0; linear.Bias is not null && t < batch.Count; t++)
            kernels.Add(linear.Bias.AsSpan(row, rows), y.Slice(t * stride + row, rows));
        return (row, row + rows);
    }

    /// <summary>The bytes of a matrix that belong to a worker.</summary>
    private static NativeView Share(WorkerTeam team, int worker, in PackedMatrix w)
    {
        (int begin, int end) = team.Share(worker, w.Groups);
        return w.Data.Slice(begin * w.GroupBytes, (end - begin) * w.GroupBytes);
    }

    /// <summary>This worker's rows of x += W y + b.</summary>
    private void MultiplyAndAdd(int worker, Linear linear, Activations y, Linear next)
    {
        (int begin, int end) = Multiply(worker, linear, y, ws.Key.Span, ws.HiddenStride, next); // the keys are stored by now
        for (int t = 0; t < batch.Count; t++)
        {
            long at = (long)t * ws.HiddenStride + begin;
            kernels.Add(ws.Key.Slice(at, end - begin), ws.Residual.Slice(at, end - begin));
        }
    }

    private void Attend(int worker, WorkerSpace own, int layer)
    {
        ReadOnlySpan<Segment> segments = batch.Segments;
        (int headBegin, int headEnd) = team.Share(worker, config.HeadCount);
        for (int head = headBegin; head < headEnd; head++)
        {
            foreach (ref readonly Segment segment in segments)
                Attention.Store(segment, kernels, rope, ws, own, layer, head);
        }
        ReadOnlySpan<QueryTile> tiles = batch.Tiles;
        if (batch.Count == 1)
        {
            // Whoever stored a head's key attends with it: no need to wait.
            for (int head = headBegin; head < headEnd; head++)
                Attention.Attend(segments[0], tiles[0], kernels, rope, ws, own, layer, head);
            return;
        }
        team.Barrier(worker);
        // Later tiles see more keys: items are taken, not dealt. Each layer's items have numbers of their own, so nobody need reset the count.
        int items = tiles.Length * config.HeadCount;
        int item;
        while ((item = Take(layer, items)) >= 0)
        {
            QueryTile tile = tiles[item / config.HeadCount];
            Attention.Attend(segments[tile.Segment], tile, kernels, rope, ws, own, layer, item % config.HeadCount);
        }
    }

    /// <summary>The next item of a layer, or −1 when all are taken.</summary>
    private int Take(int layer, int items)
    {
        int limit = (layer + 1) * items;
        while (true)
        {
            int next = Volatile.Read(ref _nextItem);
            if (next >= limit)
                return -1;
            if (Interlocked.CompareExchange(ref _nextItem, next + 1, next) == next)
                return next - layer * items;
        }
    }

    /// <summary>logits = RMSNorm(x) W + b for chosen tokens of the batch.</summary>
    private sealed class LogitsWork(ModelConfig config, ModelWeights weights, KernelSet kernels, WorkerTeam team, Workspace ws) : ITeamWork
    {
        private readonly int[] _rows = new int[ws.LogitRows];
        private AlignedBuffer<float> _destination = ws.Logits;
        private int _count;

        public void Take(ReadOnlySpan<int> rows, AlignedBuffer<float> destination)
        {
            _destination = destination;
            rows.CopyTo(_rows);
            _count = rows.Length;
        }

        public void Execute(int worker)
        {
            Activations h = Normalize(kernels, team, ws, config, worker, ws.Workers[worker], weights.OutputNorm, _rows, _count);
            PackedMatrix w = weights.Output.Weight;
            (int begin, int end) = team.Share(worker, w.Groups);
            int row = begin * PackedLayout.GroupRows, rows = (end - begin) * PackedLayout.GroupRows;
            if (rows == 0)
                return;
            NativeView next = Share(team, worker, weights.Layers[0].Query.Weight); // decoding goes on there
            kernels.Gemm(w, h, _count, begin, end, _destination.Span[row..], ws.LogitStride, next);
            for (int t = 0; weights.Output.Bias is not null && t < _count; t++)
                kernels.Add(weights.Output.Bias.AsSpan(row, rows), _destination.Slice((long)t * ws.LogitStride + row, rows));
        }
    }
}
