using QedEdge.Memory;
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
    private readonly LayerRunner _exact, _quantized;
    private readonly AlignedBuffer<float> _exactResidual, _quantizedResidual; // [tokens, stride]
    private readonly Dictionary<string, EncodedMatrix> _encoded = [];

    /// <summary>Prepares.</summary>
    /// <param name="model">The model with float32 weights.</param>
    /// <param name="windows">The calibration text.</param>
    /// <param name="options">What to make.</param>
    public ModelCalibrator(QedModel model, int[][] windows, CalibrationOptions options)
    {
        _model = model;
        _windows = windows;
        _options = options;
        int longest = windows.Max(static window => window.Length);
        _exact = new LayerRunner(model, longest, options.Threads);
        _quantized = new LayerRunner(model, longest, options.Threads);
        long floats = windows.Sum(static window => (long)window.Length) * _exact.Stride;
        _exactResidual = new AlignedBuffer<float>(floats);
        _quantizedResidual = new AlignedBuffer<float>(floats);
    }

    /// <summary>Quantizes all matrices; by their names in the file.</summary>
    /// <param name="progress">Takes the share done, 0 to 1, and what is being done.</param>
    /// <param name="cancellation">Stops the work.</param>
    public IReadOnlyDictionary<string, EncodedMatrix> Run(Action<double, string>? progress, CancellationToken cancellation)
    {
        ModelWeights weights = _model.Weights;
        double steps = weights.Layers.Length + 1;
        progress?.Invoke(0, "head");
        QuantizeHead(cancellation);
        for (int i = 0; i < weights.Layers.Length; i++)
        {
            progress?.Invoke((i + 1) / steps, $"layer {i + 1} of {weights.Layers.Length}");
            LayerWeights layer = Quantize(weights.Layers[i], $"blk.{i}.", cancellation);
            Advance(layer, cancellation);
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
        Embed(weights.Embedding, _exactResidual);
        var inputs = new Covariance(_exact.Stride);
        int windows = 0;
        for (int tokens = 0; windows < _windows.Length && tokens < HeadTokens; windows++)
            tokens += _windows[windows].Length;
        foreach (LayerWeights layer in weights.Layers)
        {
            _exact.Use(layer);
            Each(windows, cancellation, (tokens, at) =>
            {
                _exact.Step(tokens, Part(_exactResidual, at, tokens.Length), cancellation);
                _exact.Residual.CopyTo(Part(_exactResidual, at, tokens.Length));
            }, _exact.Begin);
        }
        var normed = new float[LayerRunner.BatchSize * _exact.Stride];
        Each(windows, cancellation, (tokens, at) =>
        {
            Span<float> part = normed.AsSpan(0, tokens.Length * _exact.Stride);
            for (int t = 0; t < tokens.Length; t++)
            {
                _model.Kernels.RmsNorm(Part(_exactResidual, at + t, 1), weights.OutputNorm, _model.Config.HiddenSize, _model.Config.RmsNormEpsilon,
                    part.Slice(t * _exact.Stride, _exact.Stride));
            }
            inputs.Add(part, part, tokens.Length, _options.Threads);
        }, static () => { });
        var statistics = new InputStatistics(inputs, null);
        bool tied = _model.Config.TiedHead;
        EncodedMatrix embedding = Encode("token_embd.weight", weights.Embedding, tied ? statistics : null, cancellation);
        if (!tied)
            Encode("output.weight", weights.Output.Weight, statistics, cancellation);
        Embed(weights.Embedding, _exactResidual);
        Embed(embedding.Packed, _quantizedResidual);
    }

    /// <summary>Measures a layer's inputs and quantizes its matrices.</summary>
    private LayerWeights Quantize(LayerWeights layer, string prefix, CancellationToken cancellation)
    {
        MatrixInput[] kinds = Enum.GetValues<MatrixInput>();
        Covariance[] inputs = [.. kinds.Select(kind => new Covariance(_exact.Width(kind)))];
        Covariance[] exact = [.. kinds.Select(kind => new Covariance(_exact.Width(kind)))];
        _exact.Use(layer);
        _quantized.Use(layer);
        Each(_windows.Length, cancellation, (tokens, at) =>
        {
            _exact.Step(tokens, Part(_exactResidual, at, tokens.Length), cancellation);
            _exact.Residual.CopyTo(Part(_exactResidual, at, tokens.Length));
            _quantized.Step(tokens, Part(_quantizedResidual, at, tokens.Length), cancellation);
            foreach (MatrixInput kind in kinds)
            {
                inputs[(int)kind].Add(_quantized.Inputs(kind), _quantized.Inputs(kind), tokens.Length, _options.Threads);
                exact[(int)kind].Add(_exact.Inputs(kind), _quantized.Inputs(kind), tokens.Length, _options.Threads);
            }
        }, () =>
        {
            _exact.Begin();
            _quantized.Begin();
        });
        InputStatistics[] statistics = new InputStatistics[kinds.Length];
        Parallel.ForEach(kinds, new ParallelOptions { MaxDegreeOfParallelism = _options.Threads },
            kind => statistics[(int)kind] = new InputStatistics(inputs[(int)kind], exact[(int)kind]));
        return new LayerWeights
        {
            AttentionNorm = layer.AttentionNorm,
            Query = Quantized(layer.Query, "attn_q", MatrixInput.Attention),
            Key = Quantized(layer.Key, "attn_k", MatrixInput.Attention),
            Value = Quantized(layer.Value, "attn_v", MatrixInput.Attention),
            AttentionOutput = Quantized(layer.AttentionOutput, "attn_output", MatrixInput.AttentionOutput),
            FeedForwardNorm = layer.FeedForwardNorm,
            Gate = Quantized(layer.Gate, "ffn_gate", MatrixInput.FeedForward),
            Up = Quantized(layer.Up, "ffn_up", MatrixInput.FeedForward),
            Down = Quantized(layer.Down, "ffn_down", MatrixInput.Down),
        };

        Linear Quantized(Linear linear, string name, MatrixInput kind) =>
            linear with { Weight = Encode($"{prefix}{name}.weight", linear.Weight, statistics[(int)kind], cancellation).Packed };
    }

    /// <summary>Takes the quantized model's residual stream through a quantized layer.</summary>
    private void Advance(LayerWeights layer, CancellationToken cancellation)
    {
        _quantized.Use(layer);
        Each(_windows.Length, cancellation, (tokens, at) =>
        {
            _quantized.Step(tokens, Part(_quantizedResidual, at, tokens.Length), cancellation);
            _quantized.Residual.CopyTo(Part(_quantizedResidual, at, tokens.Length));
        }, _quantized.Begin);
    }

    private EncodedMatrix Encode(string name, PackedMatrix matrix, InputStatistics? inputs, CancellationToken cancellation) =>
        _encoded[name] = EncodedMatrix.Encode(name, matrix, _options.FormatOf(name), inputs, _options, cancellation);

    /// <summary>The embeddings of all tokens as the beginning of a residual stream.</summary>
    private void Embed(PackedMatrix embedding, AlignedBuffer<float> residual)
    {
        long at = 0;
        foreach (int[] window in _windows)
        {
            foreach (int id in window)
            {
                Packing.DequantizeRow(embedding.Format, embedding.Group(id / PackedLayout.GroupRows), id % PackedLayout.GroupRows,
                    Part(residual, at++, 1)[..embedding.Cols]);
            }
        }
    }

    /// <summary>Goes through the first windows in batches.</summary>
    /// <param name="windows">How many.</param>
    /// <param name="cancellation">Stops between two batches.</param>
    /// <param name="step">Takes a batch's ids and the index of its first token among all.</param>
    /// <param name="begin">Begins a window.</param>
    private void Each(int windows, CancellationToken cancellation, BatchStep step, Action begin)
    {
        long at = 0;
        for (int i = 0; i < windows; i++)
        {
            begin();
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

    private Span<float> Part(AlignedBuffer<float> residual, long token, int count) => residual.Slice(token * _exact.Stride, count * _exact.Stride);

    private delegate void BatchStep(ReadOnlySpan<int> tokens, long at);
}
