using QedEdge.Architectures;
using QedEdge.Kernels;
using QedEdge.Model;
using QedEdge.Quantization;
using QedEdge.Threading;

namespace QedEdge.Conversion.Calibration;

/// <summary>Runs single layers of a model over windows of text, with the runtime's own forward pass: the residual stream goes in and comes out.</summary>
internal sealed class LayerRunner : IInputTap, IDisposable
{
    private readonly QedModel _model;
    private readonly WorkerTeam _team;
    private readonly Workspace _workspace;
    private readonly int _longest;
    private readonly Dictionary<LayerShape, Ropes> _ropes = []; // by the kind of layer
    private readonly Dictionary<LayerShape, Sequence> _sequences = []; // by the kind of layer
    private readonly KvFormat _format;
    private readonly Batch _batch;
    private readonly float[][] _inputs;
    private Transformer? _transformer;
    private Ropes? _angles; // of the present layer
    private Sequence? _sequence;

    /// <summary>Allocates for windows of up to <paramref name="longest"/> tokens.</summary>
    /// <param name="model">The model whose dimensions the layers have.</param>
    /// <param name="longest">Tokens of a window at most.</param>
    /// <param name="threads">Threads to use.</param>
    /// <param name="kv">How keys and values are stored.</param>
    public LayerRunner(QedModel model, int longest, int threads, KvCacheType kv)
    {
        _model = model;
        Architecture architecture = model.Config.Architecture;
        _batch = new Batch(architecture.Layers[0].Attention.Group, architecture.HasRelativePositions);
        _team = new WorkerTeam(threads);
        _workspace = new Workspace(architecture, threads, 1, longest);
        _longest = longest;
        _format = KvCacheTypes.FormatOf(kv, BlockFormat.F32);
        _inputs = new float[Enum.GetValues<MatrixInput>().Length][];
        for (int i = 0; i < _inputs.Length; i++)
            _inputs[i] = new float[Workspace.BatchSize * Width((MatrixInput)i)];
    }

    /// <summary>Tokens that go through a layer together.</summary>
    public static int BatchSize => Workspace.BatchSize;

    /// <summary>Floats of a token in a residual stream.</summary>
    public int Stride => _workspace.HiddenStride;

    /// <summary>Floats of a token in an input, padded.</summary>
    public int Width(MatrixInput input) => input switch
    {
        MatrixInput.AttentionOutput => _workspace.QueryStride,
        MatrixInput.Down => _workspace.InnerStride,
        _ => _workspace.HiddenStride,
    };

    /// <summary>The last batch's inputs of some of the layer's matrices [tokens, width].</summary>
    public ReadOnlySpan<float> Inputs(MatrixInput input) => _inputs[(int)input].AsSpan(0, _batch.Count * Width(input));

    /// <summary>Chooses the layer.</summary>
    public void Use(LayerWeights layer)
    {
        if (!_ropes.TryGetValue(layer.Shape, out _angles))
            _ropes.Add(layer.Shape, _angles = new Ropes([layer.Shape], _model.Weights.RotaryFactors, _longest - 1));
        if (!_sequences.TryGetValue(layer.Shape, out _sequence))
            _sequences.Add(layer.Shape, _sequence = new Sequence(new SlotMap(_longest, slides: false, sinks: 0), [layer.Shape], _format, _workspace.LogitStride));
        _transformer = new Transformer(_model.Config.Architecture, _model.Weights with { Layers = [layer] }, _model.Kernels, _team, _workspace, _angles, _batch) { Tap = this };
    }

    /// <summary>Begins a window: tokens that follow see none of those before.</summary>
    public void Begin() => _sequence!.Truncate(0);

    /// <summary>Takes the window's next tokens, at most <see cref="BatchSize"/>, through the layer.</summary>
    /// <param name="tokens">Their ids.</param>
    /// <param name="residual">The residual stream [tokens, <see cref="Stride"/>]; what it becomes is in <see cref="Residual"/>.</param>
    /// <param name="cancellation">Stops within the layer.</param>
    public void Step(ReadOnlySpan<int> tokens, ReadOnlySpan<float> residual, CancellationToken cancellation)
    {
        residual.CopyTo(_workspace.Residual.Span);
        _batch.Clear();
        _sequence!.Expect(tokens.Length);
        _batch.Add(_sequence, tokens, default);
        _angles!.Prepare(_batch.Positions);
        _transformer!.Continue(cancellation);
        _sequence.Append(tokens);
    }

    /// <summary>The residual stream behind the layer [tokens, <see cref="Stride"/>].</summary>
    public ReadOnlySpan<float> Residual => _workspace.Residual.Slice(0, _batch.Count * Stride);

    /// <summary>The logits that follow from the residual stream behind the layer, were it the last.</summary>
    /// <param name="take">Takes a token's index in the batch and its logits.</param>
    /// <exception cref="QedException">They are not finite.</exception>
    public void Logits(LogitsHandler take)
    {
        Span<int> rows = stackalloc int[_workspace.LogitRows];
        for (int first = 0; first < _batch.Count; first += rows.Length)
        {
            Span<int> now = rows[..Math.Min(rows.Length, _batch.Count - first)];
            for (int i = 0; i < now.Length; i++)
                now[i] = first + i;
            _transformer!.Logits(now, _workspace.Logits);
            for (int i = 0; i < now.Length; i++)
            {
                ReadOnlySpan<float> logits = _workspace.Logits.Slice((long)i * _workspace.LogitStride, _model.Config.VocabSize);
                if (!FiniteCheck.Floats(logits))
                    throw InputStatistics.NotFinite();
                take(first + i, logits);
            }
        }
    }

    /// <inheritdoc/>
    public void Take(MatrixInput input, Activations x, int count)
    {
        int width = Width(input);
        for (int t = 0; t < count; t++)
            x.Row(t)[..width].CopyTo(_inputs[(int)input].AsSpan(t * width, width));
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _team.Dispose();
        _workspace.Dispose();
        foreach (Ropes ropes in _ropes.Values)
            ropes.Dispose();
        foreach (Sequence sequence in _sequences.Values)
            sequence.Dispose();
    }
}
