using QedEdge.Architectures;
using QedEdge.Model;
using QedEdge.Quantization;

namespace QedEdge.Conversion.Calibration;

/// <summary>
/// Quantizes a model's matrices by what flows into them: layer after layer, each on the residual stream that the layers quantized before it give, while the
/// float32 model runs beside it over the same text. Both are the runtime's own forward pass.
/// </summary>
internal sealed class ModelCalibrator : IDisposable
{
    private const int HeadTokens = 1 << 14; // enough for the head's inputs, which are as wide as the residual stream

    private readonly QedModel _model;
    private readonly int[][] _windows;
    private readonly CalibrationOptions _options;
    private readonly WorkFile _done;
    private readonly LayerRunner _exact, _quantized;
    private readonly ResidualStream _exactResidual, _quantizedResidual;
    private readonly Dictionary<string, EncodedMatrix> _encoded = [];
    private Action<double> _progress = static _ => { }; // of the present layer

    /// <summary>Prepares.</summary>
    /// <param name="model">The model with float32 weights.</param>
    /// <param name="windows">The calibration text.</param>
    /// <param name="options">What to make.</param>
    /// <param name="done">Matrices that are done already, and takes those that follow.</param>
    public ModelCalibrator(QedModel model, int[][] windows, CalibrationOptions options, WorkFile done)
    {
        _done = done;
        _model = model;
        _windows = windows;
        _options = options;
        int longest = windows.Max(static window => window.Length);
        _exact = new LayerRunner(model, longest, options.Threads, KvCacheType.F32);
        _quantized = new LayerRunner(model, longest, options.Threads, KvCacheType.Q8_0); // as quantized models run
        long tokens = windows.Sum(static window => (long)window.Length);
        _exactResidual = new ResidualStream(tokens, _exact.Stride);
        _quantizedResidual = new ResidualStream(tokens, _exact.Stride);
    }

    /// <summary>Quantizes all matrices; by their names in the file.</summary>
    /// <param name="progress">Takes the share done, 0 to 1, and what is being done.</param>
    /// <param name="cancellation">Stops the work.</param>
    public IReadOnlyDictionary<string, EncodedMatrix> Run(Action<double, string>? progress, CancellationToken cancellation)
    {
        LayerWeights[] layers = _model.Weights.Layers;
        _progress = share => progress?.Invoke(share / (layers.Length + 1), "embedding and head");
        QuantizeHead(cancellation);
        for (int i = 0; i < layers.Length; i++)
        {
            int before = i + 1;
            _progress = share => progress?.Invoke((before + share) / (layers.Length + 1), $"layer {before} of {layers.Length}");
            LayerWeights? quantized = Find(i);
            if (quantized is null)
                quantized = Quantize(i, Measure(layers[i], cancellation), cancellation);
            else
                AdvanceExact(layers[i], _windows.Length, 0, cancellation);
            AdvanceQuantized(quantized, cancellation);
        }
        return _encoded;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _exact.Dispose();
        _quantized.Dispose();
        _exactResidual.Dispose();
        _quantizedResidual.Dispose();
        foreach (EncodedMatrix matrix in _encoded.Values)
            matrix.Dispose();
    }

    /// <summary>
    /// Embedding and head, before anything else: all layers stand on the embedding. What flows into the head is the float32 model's, from a part of the text.
    /// An embedding that is not the head only looks rows up: its errors weigh alike.
    /// </summary>
    private void QuantizeHead(CancellationToken cancellation)
    {
        ModelWeights weights = _model.Weights;
        bool tied = _model.Config.TiedHead;
        InputStatistics? inputs = _done.Contains(tied ? TensorSlots.Embedding : TensorSlots.Head) ? null : MeasureHead(cancellation);
        EncodedMatrix embedding = Encode(TensorSlots.Embedding, weights.Embedding, tied ? inputs : null, cancellation);
        if (!tied)
            Encode(TensorSlots.Head, weights.Output.Weight, inputs, cancellation);
        _exactResidual.Embed(weights, _windows);
        _quantizedResidual.Embed(weights with { Embedding = embedding.Packed }, _windows);
    }

    private InputStatistics MeasureHead(CancellationToken cancellation)
    {
        ModelWeights weights = _model.Weights;
        int windows = 0, tokens = 0;
        while (windows < _windows.Length && tokens < HeadTokens)
            tokens += _windows[windows++].Length;
        _exactResidual.Embed(weights, _windows.Take(windows));
        for (int i = 0; i < weights.Layers.Length; i++)
            AdvanceExact(weights.Layers[i], windows, (double)i / weights.Layers.Length, cancellation);
        var inputs = new Covariance(_exact.Stride);
        var normed = new float[LayerRunner.BatchSize * _exact.Stride];
        Each(windows, cancellation, (batch, first) =>
        {
            Span<float> part = normed.AsSpan(0, batch.Length * _exact.Stride);
            for (int t = 0; t < batch.Length; t++)
            {
                weights.OutputNorm.Apply(_model.Kernels, _exactResidual.Part(first + t, 1), _model.Config.HiddenSize, part.Slice(t * _exact.Stride, _exact.Stride));
            }
            inputs.Add(part, part, batch.Length, _options.Threads);
        });
        return new InputStatistics(inputs, null, _options.Threads);
    }

    /// <summary>What flows into a layer's matrices, and what does in the float32 model, whose residual stream goes on behind the layer.</summary>
    private InputStatistics[] Measure(LayerWeights layer, CancellationToken cancellation)
    {
        MatrixInput[] kinds = Enum.GetValues<MatrixInput>();
        Covariance[] inputs = [.. kinds.Select(kind => new Covariance(_exact.Width(kind)))], exact = [.. kinds.Select(kind => new Covariance(_exact.Width(kind)))];
        _exact.Use(layer);
        _quantized.Use(layer);
        Each(_windows.Length, cancellation, (tokens, at) =>
        {
            _exact.Step(tokens, _exactResidual.Part(at, tokens.Length), cancellation);
            _exact.Residual.CopyTo(_exactResidual.Part(at, tokens.Length));
            _quantized.Step(tokens, _quantizedResidual.Part(at, tokens.Length), cancellation);
            foreach (MatrixInput kind in kinds)
            {
                inputs[(int)kind].Add(_quantized.Inputs(kind), _quantized.Inputs(kind), tokens.Length, _options.Threads);
                exact[(int)kind].Add(_exact.Inputs(kind), _quantized.Inputs(kind), tokens.Length, _options.Threads);
            }
            _progress(0.6 * at / _exactResidual.Tokens);
        }, _exact, _quantized);
        var statistics = new InputStatistics[kinds.Length];
        foreach (MatrixInput kind in kinds)
        {
            cancellation.ThrowIfCancellationRequested();
            statistics[(int)kind] = new InputStatistics(inputs[(int)kind], exact[(int)kind], _options.Threads);
        }
        return statistics;
    }

    private LayerWeights Quantize(int index, InputStatistics[] inputs, CancellationToken cancellation)
    {
        LayerWeights layer = _model.Weights.Layers[index];
        foreach (TensorSlot matrix in Matrices(layer))
        {
            Linear linear = layer[matrix.Slot];
            layer = layer.With(matrix.Slot, linear with { Weight = Encode(matrix.WeightIn(index), linear.Weight, inputs[(int)matrix.Input], cancellation).Packed });
        }
        return layer;
    }

    /// <summary>A layer all of whose matrices are done, or null.</summary>
    private LayerWeights? Find(int index)
    {
        LayerWeights layer = _model.Weights.Layers[index];
        if (!Matrices(layer).TrueForAll(matrix => _done.Contains(matrix.WeightIn(index))))
            return null;
        foreach (TensorSlot matrix in Matrices(layer))
        {
            Linear linear = layer[matrix.Slot];
            layer = layer.With(matrix.Slot, linear with { Weight = Encode(matrix.WeightIn(index), linear.Weight, null, default).Packed });
        }
        return layer;
    }

    private List<TensorSlot> Matrices(LayerWeights layer) => TensorSlots.MatricesOf(layer.Shape, _model.Config.HiddenSize);

    /// <summary>Takes the float32 model's residual stream through a layer.</summary>
    private void AdvanceExact(LayerWeights layer, int windows, double progress, CancellationToken cancellation)
    {
        _exact.Use(layer);
        Each(windows, cancellation, (tokens, at) =>
        {
            _exact.Step(tokens, _exactResidual.Part(at, tokens.Length), cancellation);
            _exact.Residual.CopyTo(_exactResidual.Part(at, tokens.Length));
        }, _exact);
        _progress(progress);
    }

    /// <summary>Takes the quantized model's residual stream through a quantized layer.</summary>
    private void AdvanceQuantized(LayerWeights layer, CancellationToken cancellation)
    {
        _quantized.Use(layer);
        Each(_windows.Length, cancellation, (tokens, at) =>
        {
            _quantized.Step(tokens, _quantizedResidual.Part(at, tokens.Length), cancellation);
            _quantized.Residual.CopyTo(_quantizedResidual.Part(at, tokens.Length));
            _progress(0.7 + 0.3 * at / _exactResidual.Tokens);
        }, _quantized);
    }

    /// <summary>Quantizes a matrix, unless it is done.</summary>
    private EncodedMatrix Encode(string name, PackedMatrix matrix, InputStatistics? inputs, CancellationToken cancellation)
    {
        BlockFormat format = _options.FormatOf(name);
        if (_done.Contains(name))
            return _encoded[name] = _done.Take(name, matrix, format);
        EncodedMatrix encoded = EncodedMatrix.Encode(name, matrix, format, inputs, _options, cancellation);
        _done.Add(name, encoded);
        return _encoded[name] = encoded;
    }

    /// <summary>Goes through the first windows in batches.</summary>
    /// <param name="windows">How many.</param>
    /// <param name="cancellation">Stops between two batches.</param>
    /// <param name="step">Takes a batch's ids and the index of its first token among all.</param>
    /// <param name="runners">What begins a window anew.</param>
    private void Each(int windows, CancellationToken cancellation, BatchStep step, params ReadOnlySpan<LayerRunner> runners)
    {
        long at = 0;
        for (int i = 0; i < windows; i++)
        {
            foreach (LayerRunner runner in runners)
                runner.Begin();
            int[] window = _windows[i];
            for (int first = 0; first < window.Length; first += LayerRunner.BatchSize)
            {
                cancellation.ThrowIfCancellationRequested();
                int count = Math.Min(LayerRunner.BatchSize, window.Length - first);
                step(window.AsSpan(first, count), at);
                at += count;
            }
        }
    }

    private delegate void BatchStep(ReadOnlySpan<int> tokens, long at);
}
