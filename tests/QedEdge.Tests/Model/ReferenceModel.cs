using QedEdge.Evaluation;
using QedEdge.Gguf;
using QedEdge.Model;
using QedEdge.Quantization;

namespace QedEdge.Tests.Model;

/// <summary>
/// The model's definition in float64, in the order of its text and with nothing made faster: what the runtime is held to. Sums run from
/// left to right, exponentials and angles are the class library's; none of the runtime's arithmetic takes part. Weights come from
/// any file that the runtime opens, quantized ones as the values that their blocks stand for.
/// </summary>
internal sealed class ReferenceModel
{
    private readonly ModelConfig _config;
    private readonly double _epsilon;
    private readonly double[][] _embedding; // [VocabSize, HiddenSize]
    private readonly Layer[] _layers;
    private readonly double[] _norm; // [HiddenSize]
    private readonly Affine _head;

    /// <summary>Reads the weights of a file; it may be closed afterwards.</summary>
    public ReferenceModel(GgufFile file)
    {
        _config = ModelConfig.Read(file);
        _epsilon = (double)(decimal)_config.RmsNormEpsilon; // the decimal number of config.json, which the file keeps as float32
        _embedding = Matrix(file, "token_embd.weight");
        _layers = [.. Enumerable.Range(0, _config.LayerCount).Select(i => new Layer(
            Vector(file, $"blk.{i}.attn_norm.weight")!,
            Linear(file, $"blk.{i}.attn_q"), Linear(file, $"blk.{i}.attn_k"), Linear(file, $"blk.{i}.attn_v"), Linear(file, $"blk.{i}.attn_output"),
            Vector(file, $"blk.{i}.ffn_norm.weight")!,
            Linear(file, $"blk.{i}.ffn_gate"), Linear(file, $"blk.{i}.ffn_up"), Linear(file, $"blk.{i}.ffn_down")))];
        _norm = Vector(file, "output_norm.weight")!;
        _head = new Affine(_config.TiedHead ? _embedding : Matrix(file, "output.weight"), Vector(file, "output.bias"));
    }

    /// <summary>Reads the weights of a file.</summary>
    public static ReferenceModel Open(string path)
    {
        using var file = GgufFile.Open(path);
        return new ReferenceModel(file);
    }

    /// <summary>The forward pass.</summary>
    /// <param name="inputIds">Token ids [batch, seq].</param>
    /// <param name="positionIds">[batch, seq], or null: past length + 0 … seq − 1.</param>
    /// <param name="attentionMask">1 real, 0 padding [batch, past + seq], or null: all real.</param>
    /// <param name="past">The keys and values of earlier calls, to which this call's are added; null where there are none.</param>
    /// <param name="window">What a token sees, if not all before it.</param>
    /// <returns>Logits [batch, seq, VocabSize]. Those of rows whose own mask is 0 have no meaning.</returns>
    /// <exception cref="ContextLengthException">Past and new tokens exceed the context; nothing was computed or stored.</exception>
    public double[][][] Forward(int[][] inputIds, int[][]? positionIds = null, byte[][]? attentionMask = null, ReferencePast? past = null, ReferenceWindow? window = null)
    {
        past ??= new ReferencePast();
        int pastLength = past.Length, count = inputIds[0].Length;
        if (pastLength + count > _config.ContextLength)
            throw new ContextLengthException(pastLength, count, _config.ContextLength);

        var logits = new double[inputIds.Length][][];
        for (int row = 0; row < inputIds.Length; row++)
        {
            int[] positions = positionIds?[row] ?? [.. Enumerable.Range(pastLength, count)];
            byte[] mask = attentionMask?[row] ?? [.. Enumerable.Repeat((byte)1, pastLength + count)];
            Assert.Equal((count, count, pastLength + count), (inputIds[row].Length, positions.Length, mask.Length));
            logits[row] = Sequence(inputIds[row], positions, mask, past, row, window);
        }
        past.Length += count;
        return logits;
    }

    /// <summary>Mean cross-entropy in nats over the positions whose label is not −100; not a number where there are none.</summary>
    /// <param name="logits">[batch, seq, VocabSize].</param>
    /// <param name="labels">[batch, seq].</param>
    /// <param name="convention">Where the labels stand.</param>
    public static double Loss(double[][][] logits, int[][] labels, LabelConvention convention = LabelConvention.NextPosition)
    {
        int shift = convention == LabelConvention.NextPosition ? 1 : 0;
        double sum = 0;
        int scored = 0;
        for (int row = 0; row < labels.Length; row++)
        {
            for (int t = 0; t + shift < labels[row].Length; t++)
            {
                int label = labels[row][t + shift];
                if (label == -100)
                    continue;
                double[] l = logits[row][t];
                double max = l.Max();
                sum += max + Math.Log(l.Sum(v => Math.Exp(v - max))) - l[label];
                scored++;
            }
        }
        return sum / scored;
    }

    private double[][] Sequence(int[] ids, int[] positions, byte[] mask, ReferencePast past, int row, ReferenceWindow? window)
    {
        double[][] x = [.. ids.Select(id => _embedding[id])];
        for (int i = 0; i < _layers.Length; i++)
        {
            Layer layer = _layers[i];
            double[][] h = Each(x, v => RmsNorm(v, layer.AttentionNorm));
            double[][] q = Each(h, layer.Query.Of), k = Each(h, layer.Key.Of), v = Each(h, layer.Value.Of);
            q = Rope(q, positions);
            (List<double[]> keys, List<double[]> unrotated, List<double[]> values) = past.Of(row, i);
            unrotated.AddRange(k);
            keys.AddRange(Rope(k, positions));
            values.AddRange(v);
            double[][] a = window is null ? Attention(q, keys, values, mask) : WindowAttention(q, keys, unrotated, values, window);
            x = Add(x, Each(a, layer.AttentionOutput.Of));
            h = Each(x, v => RmsNorm(v, layer.FeedForwardNorm));
            x = Add(x, Each(h, v => layer.Down.Of(Multiply(Silu(layer.Gate.Of(v)), layer.Up.Of(v)))));
        }
        return Each(x, v => _head.Of(RmsNorm(v, _norm)));
    }

    private double[] RmsNorm(double[] x, double[] gain)
    {
        double root = Math.Sqrt(x.Sum(v => v * v) / x.Length + _epsilon);
        return [.. x.Select((v, j) => gain[j] * v / root)];
    }

    /// <summary>Rotates every head of each token, the half-split form.</summary>
    private double[][] Rope(double[][] tokens, int[] positions)
    {
        int size = _config.HeadSize, half = size / 2;
        var rotated = new double[tokens.Length][];
        for (int t = 0; t < tokens.Length; t++)
        {
            double[] x = tokens[t], y = new double[x.Length];
            for (int head = 0; head < x.Length; head += size)
            {
                for (int j = 0; j < half; j++)
                {
                    double a = positions[t] * Math.Pow(_config.RopeTheta, -2.0 * j / size);
                    y[head + j] = x[head + j] * Math.Cos(a) - x[head + j + half] * Math.Sin(a);
                    y[head + j + half] = x[head + j + half] * Math.Cos(a) + x[head + j] * Math.Sin(a);
                }
            }
            rotated[t] = y;
        }
        return rotated;
    }

    /// <summary>
    /// Softmax over the keys that are not in the query's future and whose mask is 1; zeros where there are none, which happens
    /// only to a row whose own mask is 0.
    /// </summary>
    private double[][] Attention(double[][] queries, List<double[]> keys, List<double[]> values, byte[] mask)
    {
        int size = _config.HeadSize, past = keys.Count - queries.Length;
        var outputs = new double[queries.Length][];
        for (int t = 0; t < queries.Length; t++)
        {
            outputs[t] = new double[_config.HiddenSize];
            int[] visible = [.. Enumerable.Range(0, past + t + 1).Where(p => mask[p] == 1)];
            if (visible.Length == 0)
                continue;
            for (int head = 0; head < _config.HiddenSize; head += size)
            {
                var scores = new double[visible.Length];
                for (int i = 0; i < visible.Length; i++)
                {
                    for (int j = head; j < head + size; j++)
                        scores[i] += queries[t][j] * keys[visible[i]][j];
                    scores[i] /= Math.Sqrt(size);
                }
                double max = scores.Max();
                double[] weights = [.. scores.Select(s => Math.Exp(s - max))];
                double sum = weights.Sum();
                for (int i = 0; i < visible.Length; i++)
                {
                    for (int j = head; j < head + size; j++)
                        outputs[t][j] += weights[i] / sum * values[visible[i]][j];
                }
            }
        }
        return outputs;
    }

    /// <summary>
    /// Each token by itself over what it sees: the last of the window, and the sinks in front of them, rotated for the positions right
    /// before the oldest of the window.
    /// </summary>
    private double[][] WindowAttention(double[][] queries, List<double[]> keys, List<double[]> unrotated, List<double[]> values, ReferenceWindow window)
    {
        int past = keys.Count - queries.Length;
        var outputs = new double[queries.Length][];
        for (int t = 0; t < queries.Length; t++)
        {
            int index = past + t;
            List<double[]> seenKeys = keys[..(index + 1)], seenValues = values[..(index + 1)];
            if (index >= window.Capacity)
            {
                int oldest = index - (window.Capacity - window.Sinks) + 1;
                int[] places = [.. Enumerable.Range(oldest - window.Sinks, window.Sinks)];
                seenKeys = [.. Rope([.. unrotated[..window.Sinks]], places), .. keys[oldest..(index + 1)]];
                seenValues = [.. values[..window.Sinks], .. values[oldest..(index + 1)]];
            }
            byte[] all = [.. Enumerable.Repeat((byte)1, seenKeys.Count)];
            outputs[t] = Attention([queries[t]], seenKeys, seenValues, all)[0];
        }
        return outputs;
    }

    private static double[] Silu(double[] x) => [.. x.Select(v => v / (1 + Math.Exp(-v)))];

    private static double[] Multiply(double[] a, double[] b) => [.. a.Zip(b, (x, y) => x * y)];

    private static double[][] Add(double[][] a, double[][] b) => [.. a.Zip(b, (x, y) => x.Zip(y, (v, w) => v + w).ToArray())];

    private static double[][] Each(double[][] tokens, Func<double[], double[]> map) => [.. tokens.Select(map)];

    private static Affine Linear(GgufFile file, string name) => new(Matrix(file, name + ".weight"), Vector(file, name + ".bias"));

    private static double[]? Vector(GgufFile file, string name) =>
        file.Find(name) is { } tensor ? Widen(file.Data(tensor).Span<float>(0, (int)tensor.ElementCount)) : null;

    private static double[][] Matrix(GgufFile file, string name)
    {
        GgufTensorInfo tensor = file.Find(name)!;
        int rows = (int)tensor.Dimensions[0], cols = (int)tensor.Dimensions[1];
        BlockFormat format = TensorTypes.PackedFormat(tensor.Type) ?? Enum.Parse<BlockFormat>(TensorTypes.Name(tensor.Type));
        int rowBytes = (int)BlockCodec.RowBytes(format, cols);
        byte[] plain = file.Data(tensor).Span(0, (int)tensor.Bytes).ToArray();
        if (TensorTypes.IsPacked(tensor.Type))
        {
            byte[] packed = plain;
            plain = new byte[rows * rowBytes];
            int groupBytes = (int)PackedLayout.GroupBytes(format, cols);
            for (int row = 0; row < rows; row += PackedLayout.GroupRows)
            {
                Packing.UnpackGroup(format, packed.AsSpan(row / PackedLayout.GroupRows * groupBytes, groupBytes),
                    Math.Min(PackedLayout.GroupRows, rows - row), cols, plain.AsSpan(row * rowBytes));
            }
        }
        var values = new float[cols];
        var matrix = new double[rows][];
        for (int row = 0; row < rows; row++)
        {
            BlockCodec.DecodeRow(format, plain.AsSpan(row * rowBytes, rowBytes), values);
            matrix[row] = Widen(values);
        }
        return matrix;
    }

    private static double[] Widen(ReadOnlySpan<float> values) => Array.ConvertAll(values.ToArray(), v => (double)v);

    private sealed record Layer(double[] AttentionNorm, Affine Query, Affine Key, Affine Value, Affine AttentionOutput,
        double[] FeedForwardNorm, Affine Gate, Affine Up, Affine Down);

    /// <summary>y = W x + b; W [outputs, inputs].</summary>
    private sealed record Affine(double[][] Weight, double[]? Bias)
    {
        public double[] Of(double[] x)
        {
            var y = new double[Weight.Length];
            for (int i = 0; i < y.Length; i++)
            {
                double[] w = Weight[i];
                for (int j = 0; j < w.Length; j++)
                    y[i] += w[j] * x[j];
                y[i] += Bias?[i] ?? 0;
            }
            return y;
        }
    }
}

/// <summary>A sliding window: a token sees the first <paramref name="Sinks"/> tokens and as many of the last as fit beside them.</summary>
internal sealed record ReferenceWindow(int Capacity, int Sinks);

/// <summary>Rotated keys and values of the tokens seen, per row of the batch and layer.</summary>
internal sealed class ReferencePast
{
    private readonly Dictionary<(int Row, int Layer), (List<double[]> Keys, List<double[]> Unrotated, List<double[]> Values)> _cache = [];

    /// <summary>Tokens seen, in each row.</summary>
    public int Length { get; set; }

    /// <summary>What a layer keeps of a row.</summary>
    public (List<double[]> Keys, List<double[]> Unrotated, List<double[]> Values) Of(int row, int layer)
    {
        if (!_cache.TryGetValue((row, layer), out var kept))
            _cache[(row, layer)] = kept = ([], [], []);
        return kept;
    }
}
