using QedEdge.Evaluation;
using QedEdge.Architectures;
using QedEdge.Memory;
using QedEdge.Model;
using QedEdge.Quantization;
using QedEdge.Quantization.Formats;

namespace QedEdge.Conversion.Calibration;

/// <summary>
/// Spends bits where they count: each matrix of the layers is quantized alone, the float32 model run with it on a sample of the text, and its divergence measured;
/// those that cost most for their size get 8 bits until the mean over all layers reaches a target.
/// </summary>
internal sealed class BitBudget : IDisposable
{
    private const int MostWindows = 4; // of one batch each

    private readonly QedModel _model;
    private readonly LayerRunner _runner;
    private readonly int[][] _windows;
    private readonly int _threads;
    private readonly ResidualStream[] _residuals; // before each layer, and behind the last
    private readonly AlignedBuffer<float> _exactLogits; // [tokens, vocabulary]

    /// <summary>Runs the float32 model over the sample.</summary>
    public BitBudget(QedModel model, int[][] windows, int threads)
    {
        _model = model;
        _threads = threads;
        int step = Math.Max(1, windows.Length / MostWindows);
        _windows = [.. windows.Where((_, index) => index % step == 0).Take(MostWindows).Select(static window => window[..Math.Min(window.Length, LayerRunner.BatchSize)])];
        _runner = new LayerRunner(model, LayerRunner.BatchSize, threads, KvCacheType.F32);
        int tokens = _windows.Sum(static window => window.Length);
        _residuals = [.. Enumerable.Range(0, model.Weights.Layers.Length + 1).Select(_ => new ResidualStream(tokens, _runner.Stride))];
        _exactLogits = new AlignedBuffer<float>((long)tokens * model.Config.VocabSize);
    }

    /// <summary>Chooses the matrices that get 8 bits.</summary>
    /// <param name="formatOf">The format of each matrix as the options have it, by its name.</param>
    /// <param name="mayGrow">Whether a matrix may get another one.</param>
    /// <param name="target">Bits per weight of the layers' matrices.</param>
    /// <param name="progress">Takes the share done and what is being done.</param>
    /// <param name="cancellation">Stops the work.</param>
    /// <exception cref="QedException">The target is below what the formats take anyway.</exception>
    public IReadOnlyList<string> Choose(Func<string, BlockFormat> formatOf, Func<string, bool> mayGrow, double target, Action<double, string>? progress, CancellationToken cancellation)
    {
        LayerWeights[] layers = _model.Weights.Layers;
        var matrices = new List<(string Name, int Layer, Slot Matrix, long Bytes, long Growth)>();
        long weights = 0, bytes = 0;
        for (int i = 0; i < layers.Length; i++)
        {
            foreach (TensorSlot matrix in TensorSlots.MatricesOf(layers[i].Shape, _model.Config.HiddenSize))
            {
                PackedMatrix w = layers[i][matrix.Slot].Weight;
                string name = matrix.WeightIn(i);
                long own = formatOf(name).Info().MatrixBytes(w.Rows, w.Cols);
                matrices.Add((name, i, matrix.Slot, own, BlockFormat.Q8_0.Info().MatrixBytes(w.Rows, w.Cols) - own));
                weights += (long)w.Rows * w.Cols;
                bytes += own;
            }
        }
        double left = target * weights / 8 - bytes;
        if (left < 0)
            throw new QedException(FormattableString.Invariant($"the layers take {8.0 * bytes / weights:F2} bits per weight already; --target-bpw must be more, and --type a format of four bits"));

        RunExact(cancellation);
        var candidates = matrices.Where(matrix => matrix.Growth > 0 && mayGrow(matrix.Name)).ToList();
        var costs = new Dictionary<string, double>();
        foreach (var candidate in candidates)
        {
            progress?.Invoke((double)costs.Count / candidates.Count, $"sensitivity of {candidate.Name}");
            costs.Add(candidate.Name, Cost(candidate.Name, candidate.Layer, candidate.Matrix, formatOf(candidate.Name), cancellation));
        }
        var chosen = new List<string>();
        foreach (var candidate in candidates.OrderByDescending(candidate => costs[candidate.Name] / candidate.Growth))
        {
            if (candidate.Growth > left)
                continue;
            left -= candidate.Growth;
            chosen.Add(candidate.Name);
        }
        return chosen;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _runner.Dispose();
        _exactLogits.Dispose();
        foreach (ResidualStream residual in _residuals)
            residual.Dispose();
    }

    private void RunExact(CancellationToken cancellation)
    {
        int at = 0, vocab = _model.Config.VocabSize;
        _residuals[0].Embed(_model.Weights, _windows);
        foreach (int[] window in _windows)
        {
            for (int i = 0; i < _model.Weights.Layers.Length; i++)
                RunLayer(_model.Weights.Layers[i], window, _residuals[i].Part(at, window.Length), _residuals[i + 1].Part(at, window.Length), cancellation);
            int first = at;
            _runner.Logits((t, logits) => logits.CopyTo(_exactLogits.Slice((long)(first + t) * vocab, vocab)));
            at += window.Length;
        }
    }

    /// <summary>The mean divergence of the model with one matrix quantized.</summary>
    private double Cost(string name, int layer, Slot matrix, BlockFormat format, CancellationToken cancellation)
    {
        LayerWeights[] layers = _model.Weights.Layers;
        Linear exact = layers[layer][matrix];
        using EncodedMatrix encoded = EncodedMatrix.Encode(name, exact.Weight, format, null, new CalibrationOptions(_ => format, QuantizationMethod.Search, _threads), cancellation);
        LayerWeights changed = layers[layer].With(matrix, exact with { Weight = encoded.Packed });
        var statistics = new DivergenceStatistics();
        var residual = new float[LayerRunner.BatchSize * _runner.Stride];
        int at = 0, vocab = _model.Config.VocabSize;
        foreach (int[] window in _windows)
        {
            Span<float> stream = residual.AsSpan(0, window.Length * _runner.Stride);
            _residuals[layer].Part(at, window.Length).CopyTo(stream);
            for (int i = layer; i < layers.Length; i++)
                RunLayer(i == layer ? changed : layers[i], window, stream, stream, cancellation);
            int first = at;
            _runner.Logits((t, logits) => statistics.Add(_exactLogits.Slice((long)(first + t) * vocab, vocab), logits, window[Math.Min(t + 1, window.Length - 1)]));
            at += window.Length;
        }
        return statistics.Mean;
    }

    private void RunLayer(LayerWeights layer, int[] window, ReadOnlySpan<float> from, Span<float> to, CancellationToken cancellation)
    {
        _runner.Use(layer);
        _runner.Begin();
        _runner.Step(window, from, cancellation);
        _runner.Residual.CopyTo(to);
    }
}
