using QedEdge.Architectures;
using QedEdge.Kernels;
using QedEdge.Memory;
using QedEdge.Quantization;
using QedEdge.Quantization.Formats;
using QedEdge.Threading;

namespace QedEdge.Model;

/// <summary>
/// The forward pass: it interprets an <see cref="Architecture"/> (docs/numerics.md, N1). Every worker of the team runs the same code on its own
/// share of rows, heads or tokens and meets the others at barriers; a batch of one token is decoding.
/// </summary>
internal sealed class Transformer(Architecture architecture, ModelWeights weights, KernelSet kernels, WorkerTeam team, Workspace ws, Ropes ropes, Batch batch)
    : ITeamWork
{
    private readonly LogitsWork _logits = new(architecture, weights, kernels, team, ws);

    /// <summary>Each worker's rows of q, k and v are whole key-value heads with their queries: it need not wait for others before it attends with them.</summary>
    private bool HeadsOwned => architecture.KvHeads % team.Active == 0 && architecture.HeadSize % PackedLayout.GroupRows == 0;

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
        if (worker == 0)
        {
            _nextItem = 0;
            Array.Clear(ws.Broken);
        }
        Begin(worker, own);                                                                   // x = scale · embed[ids] + position[p]
        team.Barrier(worker);
        for (int i = 0; i < weights.Layers.Length; i++)
        {
            LayerWeights layer = weights.Layers[i];
            bool parallel = layer.Shape.Parallel;
            Linear next = i + 1 < weights.Layers.Length ? weights.Layers[i + 1].Query : weights.Output;

            Activations h = Normalize(worker, own, layer.AttentionNorm);                      // h = norm(x)
            Show(worker, MatrixInput.Attention, h);
            Multiply(worker, layer.Query, h, ws.Query.Span, ws.QueryStride, layer.Key);       // q, k, v = h W + b
            Multiply(worker, layer.Key, h, ws.Key.Span, ws.KvStride, layer.Value);
            Multiply(worker, layer.Value, h, ws.Value.Span, ws.KvStride, layer.AttentionOutput);
            if (!HeadsOwned)
                team.Barrier(worker);

            Attend(worker, own, layer, i);                                                    // a = softmax(scale · rope(norm q) rope(norm k)ᵀ, windowed, masked) v
            team.Barrier(worker);

            Activations a = Inputs(worker, own, ws.Attended.Span, ws.QueryStride, layer.Shape.Attention.QueryWidth, layer.AttentionOutput);
            Show(worker, MatrixInput.AttentionOutput, a);
            Multiply(worker, layer.AttentionOutput, a, ws.Branch.Span, ws.HiddenStride, layer.First); // y = a Wo + b
            if (Cancelled(worker))
                return;
            if (!parallel)
                AddBranch(worker, own, layer.AttentionPostNorm);                              // x = x + norm(y)

            h = Normalize(worker, own, layer.FeedForwardNorm);                                // h = norm(x)
            Show(worker, MatrixInput.FeedForward, h);
            Activate(worker, layer, h);                                                       // g = act(h Wg) · (h Wu) or act(h Wu)
            team.Barrier(worker);

            Activations g = Inputs(worker, own, ws.Gate.Span, ws.InnerStride, layer.Shape.FeedForward.Inner, layer.Down);
            Show(worker, MatrixInput.Down, g);
            if (parallel)
                MultiplyAndAdd(worker, layer.Down, g, next);                                  // y = y + g Wd + b
            else
                Multiply(worker, layer.Down, g, ws.Branch.Span, ws.HiddenStride, next);       // y = g Wd + b
            if (Cancelled(worker))
                return;
            AddBranch(worker, own, layer.FeedForwardPostNorm);                                // x = x + norm(y)
        }
    }

    /// <summary>A barrier that also publishes worker 0's cancellation flag. At least one more barrier separates two calls, so all workers read the same value.</summary>
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

    /// <summary>Which tokens of the batch a worker takes for itself: its share, or the lone one, as every worker does.</summary>
    private (int Begin, int End) Tokens(int worker) => batch.Count == 1 ? (0, 1) : team.Share(worker, batch.Count);

    /// <summary>A token's residual stream [padded width], as this worker keeps it.</summary>
    private Span<float> Residual(int worker, WorkerSpace own, int t) =>
        batch.Count == 1 && worker > 0 ? own.Residual.Span : ws.Residual.Slice((long)t * ws.HiddenStride, ws.HiddenStride);

    private void Begin(int worker, WorkerSpace own)
    {
        (int begin, int end) = Tokens(worker);
        for (int t = begin; t < end; t++)
        {
            Span<float> x = Residual(worker, own, t);
            if (_embeds)
            {
                weights.Embed(batch.Tokens[t], batch.Positions[t], x[..architecture.Width], own.Input.Row(0));
                x[architecture.Width..].Clear(); // a run that was not finite may have left NaN there
            }
            else if (worker > 0 && batch.Count == 1)
            {
                ws.Residual.Slice(0, ws.HiddenStride).CopyTo(x);
            }
        }
    }

    /// <summary>A norm of the residual stream as inputs of a matrix.</summary>
    private Activations Normalize(int worker, WorkerSpace own, NormWeights norm)
    {
        Activations inputs = batch.Count == 1 ? own.Input : ws.Batch;
        (int begin, int end) = Tokens(worker);
        for (int t = begin; t < end; t++)
        {
            if (!Normalize(kernels, architecture.Width, norm, Residual(worker, own, t), inputs, t))
                ws.Broken[t] = true; // written alone, never taken back: another worker may mark it now
        }
        if (batch.Count > 1)
            team.Barrier(worker);
        return inputs;
    }

    /// <summary>Adds the branch to the residual stream, behind its norm where it has one.</summary>
    private void AddBranch(int worker, WorkerSpace own, NormWeights? norm)
    {
        Activations inputs = batch.Count == 1 ? own.Input : ws.Batch; // nobody reads them any more
        (int begin, int end) = Tokens(worker);
        for (int t = begin; t < end; t++)
        {
            ReadOnlySpan<float> branch = ws.Branch.Slice((long)t * ws.HiddenStride, ws.HiddenStride);
            Span<float> x = Residual(worker, own, t);
            if (norm is not null)
            {
                Span<float> normed = inputs.Row(t)[..x.Length];
                norm.Apply(kernels, branch, architecture.Width, normed);
                branch = normed;
            }
            kernels.Add(branch, x);
        }
    }

    /// <summary>Vectors as inputs of a matrix: a lone token by every worker for itself, a batch by shares.</summary>
    private Activations Inputs(int worker, WorkerSpace own, ReadOnlySpan<float> x, int stride, int size, Linear consumer)
    {
        Activations inputs = batch.Count == 1 ? own.Input : ws.Batch;
        (int begin, int end) = Tokens(worker);
        for (int t = begin; t < end; t++)
        {
            x.Slice(t * stride, size).CopyTo(inputs.Row(t));
            Span<float> row = inputs.Row(t)[..Workspace.Pad(size)];
            row[size..].Clear();
            if (!(consumer.Weight.Format.Info().HasScales ? kernels.Quantize(inputs, t, size) : kernels.IsFinite(row)))
                ws.Broken[t] = true;
        }
        if (batch.Count > 1)
            team.Barrier(worker);
        return inputs;
    }

    /// <summary>A norm as input row <paramref name="t"/> of a matrix; whether it is finite.</summary>
    private static bool Normalize(KernelSet kernels, int width, NormWeights norm, ReadOnlySpan<float> x, Activations inputs, int t)
    {
        norm.Apply(kernels, x, width, inputs.Row(t));
        return kernels.Quantize(inputs, t, width);
    }

    /// <summary>This worker's rows of the activated inner vectors, in <see cref="Workspace.Gate"/>.</summary>
    private void Activate(int worker, LayerWeights layer, Activations h)
    {
        FeedForwardShape shape = layer.Shape.FeedForward;
        if (shape.IsGated)
            Multiply(worker, layer.Gate, h, ws.Gate.Span, ws.InnerStride, layer.Up);
        (int begin, int end) = Multiply(worker, layer.Up, h, shape.IsGated ? ws.Up.Span : ws.Gate.Span, ws.InnerStride, layer.Down);
        for (int t = 0; t < batch.Count; t++)
        {
            Span<float> gate = ws.Gate.Slice((long)t * ws.InnerStride + begin, end - begin);
            ReadOnlySpan<float> up = ws.Up.Slice((long)t * ws.InnerStride + begin, end - begin);
            switch (shape.Activation)
            {
                case Activation.Silu when shape.IsGated: kernels.SwiGlu(gate, up, gate); continue;
                case Activation.Silu: kernels.Silu(gate, gate); break;
                case Activation.GeluTanh: kernels.GeluTanh(gate, gate); break;
                default: kernels.GeluErf(gate, gate); break;
            }
            if (shape.IsGated)
                kernels.Multiply(up, gate);
        }
    }

    /// <summary>This worker's rows of y = W x + b for the batch; returns the rows. What it reads next is asked for early.</summary>
    private (int Begin, int End) Multiply(int worker, Linear linear, Activations x, Span<float> y, int stride, Linear next)
    {
        PackedMatrix w = linear.Weight;
        (int begin, int end) = team.Share(worker, w.Groups);
        int row = begin * PackedLayout.GroupRows, rows = (end - begin) * PackedLayout.GroupRows;
        if (rows == 0)
            return (row, row);
        kernels.Gemm(new(w, x, batch.Count, begin, end, y[row..], stride) { Next = Share(team, worker, next.Weight) });
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

    /// <summary>This worker's rows of the branch += W y + b.</summary>
    private void MultiplyAndAdd(int worker, Linear linear, Activations y, Linear next)
    {
        (int begin, int end) = Multiply(worker, linear, y, ws.Second.Span, ws.HiddenStride, next);
        for (int t = 0; t < batch.Count; t++)
        {
            long at = (long)t * ws.HiddenStride + begin;
            kernels.Add(ws.Second.Slice(at, end - begin), ws.Branch.Slice(at, end - begin));
        }
    }

    private void Attend(int worker, WorkerSpace own, LayerWeights weights, int layer)
    {
        ReadOnlySpan<Segment> segments = batch.Segments;
        Rope? rope = ropes[layer];
        if (batch.Count == 1 && SharedHeads.TryAttend(segments[0], team, worker, kernels, rope, ws, own, weights, layer))
            return;
        (int headBegin, int headEnd) = team.Share(worker, weights.Shape.Attention.KvHeads);
        for (int head = headBegin; head < headEnd; head++)
        {
            foreach (ref readonly Segment segment in segments)
                Attention.Store(segment, kernels, rope, ws, own, weights, layer, head);
        }
        ReadOnlySpan<QueryTile> tiles = batch.Tiles;
        if (batch.Count == 1)
        {
            // Whoever stored a head's key attends with it: no need to wait.
            for (int head = headBegin; head < headEnd; head++)
                Attention.Attend(segments[0], tiles[0], kernels, rope, ws, own, weights, layer, head);
            return;
        }
        team.Barrier(worker);
        // Later tiles see more keys: items are taken, not dealt. Each layer's items have numbers of their own, so nobody need reset the count.
        int heads = weights.Shape.Attention.KvHeads, items = tiles.Length * heads;
        int item;
        while ((item = Take(layer, items)) >= 0)
        {
            QueryTile tile = tiles[item / heads];
            Attention.Attend(segments[tile.Segment], tile, kernels, rope, ws, own, weights, layer, item % heads);
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
    private sealed class LogitsWork(Architecture architecture, ModelWeights weights, KernelSet kernels, WorkerTeam team, Workspace ws) : ITeamWork
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
            Activations h = _count == 1 ? ws.Workers[worker].Input : ws.Batch;
            (int first, int last) = _count == 1 ? (0, 1) : team.Share(worker, _count);
            for (int t = first; t < last; t++)
            {
                if (!Normalize(kernels, architecture.Width, weights.OutputNorm, ws.Residual.Slice((long)_rows[t] * ws.HiddenStride, ws.HiddenStride), h, t))
                    ws.Broken[_rows[t]] = true;
            }
            if (_count > 1)
                team.Barrier(worker);
            PackedMatrix w = weights.Output.Weight;
            (int begin, int end) = team.Share(worker, w.Groups);
            int row = begin * PackedLayout.GroupRows, rows = (end - begin) * PackedLayout.GroupRows;
            if (rows == 0)
                return;
            NativeView next = Share(team, worker, weights.Layers[0].Query.Weight); // decoding goes on there
            kernels.Gemm(new(w, h, _count, begin, end, _destination.Span[row..], ws.LogitStride) { Next = next });
            for (int t = 0; weights.Output.Bias is not null && t < _count; t++)
                kernels.Add(weights.Output.Bias.AsSpan(row, rows), _destination.Slice((long)t * ws.LogitStride + row, rows));
        }
    }
}
