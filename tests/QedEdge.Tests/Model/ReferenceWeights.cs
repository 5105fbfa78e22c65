using QedEdge.Architectures;
using QedEdge.Gguf;
using QedEdge.Quantization;
using QedEdge.Quantization.Formats;

namespace QedEdge.Tests.Model;

/// <summary>A file's tensors as float64, quantized ones as the values that their blocks stand for.</summary>
internal sealed class ReferenceWeights(GgufFile file)
{
    /// <summary>y = W x + b; W [outputs, inputs].</summary>
    public sealed record Affine(double[][] Weight, double[]? Bias)
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

    /// <summary>A norm over vectors of its size.</summary>
    public sealed record Scaling(NormKind Kind, double Epsilon, double[] Gain, double[]? Bias)
    {
        public double[] Of(double[] x)
        {
            double mean = Kind == NormKind.Layer ? x.Sum() / x.Length : 0;
            double root = Math.Sqrt(x.Sum(v => (v - mean) * (v - mean)) / x.Length + Epsilon);
            return [.. x.Select((v, j) => Gain[j] * (v - mean) / root + (Bias?[j] ?? 0))];
        }
    }

    /// <summary>A layer's tensors; a norm or gate that the file has not is null.</summary>
    public sealed record Layer(Scaling AttentionNorm, Affine Query, Affine Key, Affine Value, Scaling? QueryNorm, Scaling? KeyNorm, Affine AttentionOutput, Scaling? AttentionPostNorm,
        Scaling FeedForwardNorm, Affine? Gate, Affine Up, Affine Down, Scaling? FeedForwardPostNorm);

    /// <summary>Layer <paramref name="i"/>.</summary>
    public Layer LayerAt(int i, LayerShape shape)
    {
        AttentionShape attention = shape.Attention;
        FeedForwardShape feedForward = shape.FeedForward;
        string at = $"blk.{i}.";
        return new Layer(Norm(at + "attn_norm", attention.Norm)!, Linear(at + "attn_q"), Linear(at + "attn_k"), Linear(at + "attn_v"),
            Norm(at + "attn_q_norm", attention.QueryKeyNorm), Norm(at + "attn_k_norm", attention.QueryKeyNorm), Linear(at + "attn_output"), Norm(at + "post_attention_norm", attention.PostNorm),
            Norm(at + "ffn_norm", feedForward.Norm)!, feedForward.IsGated ? Linear(at + "ffn_gate") : null, Linear(at + "ffn_up"), Linear(at + "ffn_down"), Norm(at + "post_ffw_norm", feedForward.PostNorm));
    }

    public Scaling? Norm(string name, Norm? norm) => norm is null ? null : new(norm.Kind, Number(norm.Epsilon), Vector(name + ".weight")!, norm.Kind == NormKind.Layer ? Vector(name + ".bias")! : null);

    public Affine Linear(string name) => new(Matrix(name + ".weight"), Vector(name + ".bias"));

    public double[]? Vector(string name) => file.Find(name) is { } tensor ? Widen(file.Data(tensor).Span<float>(0, (int)tensor.ElementCount)) : null;

    public double[][] Matrix(string name)
    {
        GgufTensorInfo tensor = file.Find(name)!;
        int rows = (int)tensor.Dimensions[0], cols = (int)tensor.Dimensions[1];
        BlockFormat format = TensorTypes.PackedFormat(tensor.Type) ?? Enum.Parse<BlockFormat>(TensorTypes.Name(tensor.Type));
        int rowBytes = (int)format.Info().RowBytes(cols);
        byte[] plain = file.Data(tensor).Span(0, (int)tensor.Bytes).ToArray();
        if (TensorTypes.IsPacked(tensor.Type))
        {
            byte[] packed = plain;
            plain = new byte[rows * rowBytes];
            int groupBytes = (int)format.Info().GroupBytes(cols);
            for (int row = 0; row < rows; row += PackedLayout.GroupRows)
            {
                format.Info().UnpackGroup(packed.AsSpan(row / PackedLayout.GroupRows * groupBytes, groupBytes),
                    Math.Min(PackedLayout.GroupRows, rows - row), cols, plain.AsSpan(row * rowBytes));
            }
        }
        var values = new float[cols];
        var matrix = new double[rows][];
        for (int row = 0; row < rows; row++)
        {
            format.Info().DecodeRow(plain.AsSpan(row * rowBytes, rowBytes), values);
            matrix[row] = Widen(values);
        }
        return matrix;
    }

    /// <summary>What a float32 of a description was before it was rounded: the root of a whole number, one over it, or the decimal number of a config.json.</summary>
    public static double Number(float value)
    {
        double square = (double)value * value, whole = Math.Round(square), part = Math.Round(1 / square);
        if (whole is >= 1 and < 1e5 && Math.Abs(square - whole) < 2e-7 * whole)
            return Math.Sqrt(whole);
        if (part is >= 1 and < 1e5 && Math.Abs(square * part - 1) < 2e-7)
            return 1 / Math.Sqrt(part);
        return (double)(decimal)value;
    }

    private static double[] Widen(ReadOnlySpan<float> values) => Array.ConvertAll(values.ToArray(), v => (double)v);
}
