using QedEdge.Architectures;
using QedEdge.Evaluation;
using QedEdge.Gguf;
using QedEdge.Model;

namespace QedEdge.Tests.Model;

/// <summary>
/// What a description (<see cref="Architecture"/>) computes, in float64, in the order of its text and with nothing made faster: what the runtime is held to. Sums run from
/// left to right, exponentials and angles are the class library's; none of the runtime's arithmetic takes part. Weights come from
/// any file of qed-convert's packed layout, and any that has a matrix of its own for queries, keys and values with rows in our order.
/// </summary>
internal sealed class ReferenceModel
{
    private readonly Architecture _model;
    private readonly double[][] _embedding;  // [VocabSize, Width]
    private readonly double[][]? _positions; // [PositionTable, Width]
    private readonly ReferenceWeights.Layer[] _layers;
    private readonly double[]?[] _frequencies; // of each layer [Dimensions / 2]; null where it has no positions
    private readonly ReferenceWeights.Scaling _norm;
    private readonly ReferenceWeights.Affine _head;

    /// <summary>Reads the weights of a file; it may be closed afterwards.</summary>
    /// <param name="file">The file.</param>
    /// <param name="architecture">What the weights are of; null: what the file says.</param>
    public ReferenceModel(GgufFile file, Architecture? architecture = null)
    {
        var weights = new ReferenceWeights(file);
        _model = architecture ?? ModelConfig.Read(file).Architecture;
        _embedding = weights.Matrix("token_embd.weight");
        _positions = _model.PositionTable > 0 ? weights.Matrix("position_embd.weight") : null;
        _layers = [.. _model.Layers.Select((shape, i) => weights.LayerAt(i, shape))];
        _frequencies = [.. _model.Layers.Select(shape => shape.Attention.Rotary is { } rotary ? Frequencies(rotary, weights.Vector("rope_freqs.weight")) : null)];
        _norm = weights.Norm("output_norm", _model.OutputNorm)!;
        _head = new ReferenceWeights.Affine(_model.TiedHead ? _embedding : weights.Matrix("output.weight"), _model.HeadBias ? weights.Vector("output.bias")! : null);
    }

    /// <summary>Reads the weights of a file.</summary>
    public static ReferenceModel Open(string path)
    {
        using var file = GgufFile.Open(path);
        return new ReferenceModel(file);
    }

    /// <summary>The forward pass.</summary>
    /// <param name="inputIds">Token ids [batch, seq].</param>
    /// <param name="positionIds">[batch, seq], or null: past length + 0 … seq − 1, and where positions are learned how many tokens before are real.</param>
    /// <param name="attentionMask">1 real, 0 padding [batch, past + seq], or null: all real.</param>
    /// <param name="past">The keys and values of earlier calls, to which this call's are added; null where there are none.</param>
    /// <param name="window">What a token sees, if not all before it.</param>
    /// <returns>Logits [batch, seq, VocabSize]. Those of rows whose own mask is 0 have no meaning.</returns>
    /// <exception cref="ContextLengthException">Past and new tokens exceed the context; nothing was computed or stored.</exception>
    public double[][][] Forward(int[][] inputIds, int[][]? positionIds = null, byte[][]? attentionMask = null, ReferencePast? past = null, ReferenceWindow? window = null)
    {
        past ??= new ReferencePast();
        int pastLength = past.Length, count = inputIds[0].Length;
        if (pastLength + count > _model.ContextLength)
            throw new ContextLengthException(pastLength, count, _model.ContextLength);

        var logits = new double[inputIds.Length][][];
        for (int row = 0; row < inputIds.Length; row++)
        {
            byte[] mask = attentionMask?[row] ?? [.. Enumerable.Repeat((byte)1, pastLength + count)];
            int[] positions = positionIds?[row] ?? [.. Enumerable.Range(pastLength, count).Select(p => _positions is null ? p : Math.Max(0, mask[..(p + 1)].Sum(bit => bit) - 1))];
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
        double scale = ReferenceWeights.Number(_model.EmbeddingScale);
        double[][] x = [.. ids.Select((id, t) => _embedding[id].Select((v, j) => scale * v + (_positions?[positions[t]][j] ?? 0)).ToArray())];
        for (int i = 0; i < _layers.Length; i++)
        {
            ReferenceWeights.Layer layer = _layers[i];
            double[][] attended = Post(layer.AttentionPostNorm, Attention(i, Each(x, layer.AttentionNorm.Of), positions, mask, past.Of(row, i), window));
            double[][] read = _model.Layers[i].Parallel ? x : Add(x, attended);
            x = Add(Add(x, attended), Post(layer.FeedForwardPostNorm, Each(Each(read, layer.FeedForwardNorm.Of), h => FeedForward(i, h))));
        }
        return Each(x, v => _head.Of(_norm.Of(v)));
    }

    private double[] FeedForward(int i, double[] h)
    {
        ReferenceWeights.Layer layer = _layers[i];
        Func<double, double> activation = ReferenceMath.Of(_model.Layers[i].FeedForward.Activation);
        double[] up = layer.Up.Of(h);
        return layer.Down.Of(layer.Gate is null ? [.. up.Select(activation)] : [.. layer.Gate.Of(h).Zip(up, (g, u) => activation(g) * u)]);
    }

    /// <summary>One layer's attention, its matrix included.</summary>
    private double[][] Attention(int i, double[][] h, int[] positions, byte[] mask, ReferencePast.Kept kept, ReferenceWindow? window)
    {
        ReferenceWeights.Layer layer = _layers[i];
        AttentionShape shape = _model.Layers[i].Attention;
        double[][] queries = Rotate(i, Each(h, x => Heads(layer.QueryNorm, layer.Query.Of(x))), positions);
        double[][] keys = Each(h, x => Heads(layer.KeyNorm, layer.Key.Of(x)));
        int past = kept.Keys.Count;
        kept.Unrotated.AddRange(keys);
        kept.Keys.AddRange(Rotate(i, keys, positions));
        kept.Values.AddRange(Each(h, layer.Value.Of));
        var outputs = new double[h.Length][];
        for (int t = 0; t < h.Length; t++)
        {
            int index = past + t;
            (List<double[]> seenKeys, List<double[]> seenValues) = window is not null && index >= window.Capacity && !(shape.Window < window.Capacity)
                ? Sliding(i, index, kept, window)
                : Visible(index, shape.Window, mask, kept);
            outputs[t] = layer.AttentionOutput.Of(Attend(shape, queries[t], seenKeys, seenValues));
        }
        return outputs;
    }

    /// <summary>What a token sees: itself and those before it, within the layer's window, whose mask is 1; a narrower window of a layer takes no heed of one that slides.</summary>
    private static (List<double[]> Keys, List<double[]> Values) Visible(int index, int? seen, byte[] mask, ReferencePast.Kept kept)
    {
        int oldest = seen is int count ? Math.Max(0, index - count + 1) : 0;
        int[] visible = [.. Enumerable.Range(oldest, index + 1 - oldest).Where(p => mask[p] == 1)];
        return ([.. visible.Select(p => kept.Keys[p])], [.. visible.Select(p => kept.Values[p])]);
    }

    /// <summary>What a token beyond the window sees: the last of the window, and the sinks in front of them, rotated for the positions right before the oldest of the window.</summary>
    private (List<double[]> Keys, List<double[]> Values) Sliding(int i, int index, ReferencePast.Kept kept, ReferenceWindow window)
    {
        int oldest = index - (window.Capacity - window.Sinks) + 1;
        int[] places = [.. Enumerable.Range(oldest - window.Sinks, window.Sinks)];
        return ([.. Rotate(i, [.. kept.Unrotated[..window.Sinks]], places), .. kept.Keys[oldest..(index + 1)]],
            [.. kept.Values[..window.Sinks], .. kept.Values[oldest..(index + 1)]]);
    }

    /// <summary>Softmax over the keys, head by head; zeros where there are none, which happens only to a row whose own mask is 0.</summary>
    private static double[] Attend(AttentionShape shape, double[] query, List<double[]> keys, List<double[]> values)
    {
        double scale = ReferenceWeights.Number(shape.Scale);
        var output = new double[shape.Heads * shape.HeadSize];
        for (int head = 0; head < shape.Heads && keys.Count > 0; head++)
        {
            int q = head * shape.HeadSize, k = head / (shape.Heads / shape.KvHeads) * shape.HeadSize;
            var scores = new double[keys.Count];
            for (int p = 0; p < scores.Length; p++)
            {
                for (int j = 0; j < shape.HeadSize; j++)
                    scores[p] += query[q + j] * keys[p][k + j];
                scores[p] *= scale;
            }
            double max = scores.Max();
            double[] weights = [.. scores.Select(s => Math.Exp(s - max))];
            double sum = weights.Sum();
            for (int p = 0; p < scores.Length; p++)
            {
                for (int j = 0; j < shape.HeadSize; j++)
                    output[q + j] += weights[p] / sum * values[p][k + j];
            }
        }
        return output;
    }

    /// <summary>The norm of each head of queries or keys, where there is one.</summary>
    private double[] Heads(ReferenceWeights.Scaling? norm, double[] x) => norm is null ? x : [.. x.Chunk(_model.HeadSize).SelectMany(norm.Of)];

    /// <summary>Rotates every head of each token, the half-split form: the first values of a head turn, the others stay.</summary>
    private double[][] Rotate(int i, double[][] tokens, int[] positions)
    {
        if (_frequencies[i] is not { } frequencies)
            return tokens;
        int half = frequencies.Length;
        double length = _model.Layers[i].Attention.Rotary is { Yarn: { } yarn } rotary ? yarn.Attention * (0.1 * Math.Log(rotary.Factor) + 1) : 1;
        var rotated = new double[tokens.Length][];
        for (int t = 0; t < tokens.Length; t++)
        {
            double[] x = tokens[t], y = [.. x];
            for (int head = 0; head < x.Length; head += _model.HeadSize)
            {
                for (int j = head; j < head + half; j++)
                {
                    double a = positions[t] * frequencies[j - head], cos = Math.Cos(a) * length, sin = Math.Sin(a) * length;
                    y[j] = x[j] * cos - x[j + half] * sin;
                    y[j + half] = x[j + half] * cos + x[j] * sin;
                }
            }
            rotated[t] = y;
        }
        return rotated;
    }

    /// <summary>Angles a position: theta^(−2j/n), divided by the factor and by the table; of YaRN the fast ones are not, and those between are mixed.</summary>
    private static double[] Frequencies(Rotary rotary, double[]? table)
    {
        double theta = ReferenceWeights.Number(rotary.Theta), factor = ReferenceWeights.Number(rotary.Factor);
        int size = rotary.Dimensions;
        double[] kept = [.. Enumerable.Range(0, size / 2).Select(j => Math.Pow(theta, -2.0 * j / size))];
        double[] divided = [.. kept.Select((f, j) => f / factor / (rotary.HasFactors ? table![j] : 1))];
        if (rotary.Yarn is not { } yarn)
            return divided;
        double fast = Math.Max(Math.Floor(Turning(yarn.BetaFast)), 0), slow = Math.Min(Math.Ceiling(Turning(yarn.BetaSlow)), size - 1);
        if (fast == slow)
            slow += 0.001;
        return [.. kept.Select((f, j) =>
        {
            double ramp = Math.Clamp((j - fast) / (slow - fast), 0, 1);
            return (1 - ramp) * f + ramp * divided[j];
        })];

        // The frequency's number that turns so often over the original context.
        double Turning(double turns) => size * Math.Log(yarn.Original / (2 * Math.PI * turns)) / (2 * Math.Log(theta));
    }

    private static double[][] Post(ReferenceWeights.Scaling? norm, double[][] branch) => norm is null ? branch : Each(branch, norm.Of);

    private static double[][] Add(double[][] a, double[][] b) => [.. a.Zip(b, (x, y) => x.Zip(y, (v, w) => v + w).ToArray())];

    private static double[][] Each(double[][] tokens, Func<double[], double[]> map) => [.. tokens.Select(map)];
}

/// <summary>A sliding window: a token sees the first <paramref name="Sinks"/> tokens and as many of the last as fit beside them.</summary>
internal sealed record ReferenceWindow(int Capacity, int Sinks);

/// <summary>What was seen, per row of the batch and layer.</summary>
internal sealed class ReferencePast
{
    /// <summary>Keys and values of the tokens seen, rotated keys and such as they were before.</summary>
    public sealed record Kept(List<double[]> Keys, List<double[]> Unrotated, List<double[]> Values);

    private readonly Dictionary<(int Row, int Layer), Kept> _cache = [];

    /// <summary>Tokens seen, in each row.</summary>
    public int Length { get; set; }

    /// <summary>What a layer keeps of a row.</summary>
    public Kept Of(int row, int layer)
    {
        if (!_cache.TryGetValue((row, layer), out Kept? kept))
            _cache[(row, layer)] = kept = new Kept([], [], []);
        return kept;
    }
}
