using System.Runtime.InteropServices;
using QedEdge.Architectures;
using QedEdge.Kernels;
using QedEdge.Memory;
using QedEdge.Model;
using QedEdge.Quantization;
using QedEdge.Quantization.Formats;
using static QedEdge.Tests.Kernels.Inputs;

namespace QedEdge.Tests.Kernels;

/// <summary>
/// Every operation of a kernel set on fixed inputs, ordinary and extreme ones. The answers (answers.txt) are the canonical bits: a change of order in code that
/// all sets share changes them, though all sets still agree.
/// </summary>
internal static class KnownAnswers
{
    /// <summary>An operation with its inputs.</summary>
    public sealed record Operation(string Name, Func<KernelSet, Bits> Run);

    public static IReadOnlyList<Operation> Operations { get; } =
    [
        .. from format in BlockFormats.Written from tokens in new[] { 1, 2, 3, 9, 19 } select new Operation($"gemm {format} {tokens}", set => Gemm(set, format, 40, 96, tokens)),
        .. from format in BlockFormats.Written select new Operation($"gemm {format} extremes", set => GemmOfExtremes(set, format)),
        .. from format in Imported from tokens in new[] { 1, 9 } select new Operation($"gemm {format} {tokens}", set => Gemm(set, format, 40, Columns(format, 3), tokens)),
        .. from format in Imported select new Operation($"gemm {format} extremes", set => GemmOfExtremes(set, format)),
        .. from format in Imported where format.Info().HasScales from tokens in new[] { 1, 9 } select new Operation($"gemm {format} extreme quants {tokens}", set => GemmOfExtremeQuants(set, format, tokens)),
        new("gemm non-negative", GemmNonNegative),
        new("rmsnorm", set => RmsNorm(set, Values(1, 96, 4f), 93)),
        .. Each("rmsnorm", values => set => RmsNorm(set, values, values.Length)),
        .. new[] { 1, 7, 8, 33, 64, 93 }.Select(size => new Operation($"layernorm {size}", set => LayerNorm(set, Values(28, size, 4f), size))),
        new("layernorm of equal values", set => LayerNorm(set, [.. Enumerable.Repeat(0.1f, 40)], 40)),
        .. Each("layernorm", values => set => LayerNorm(set, values, values.Length)),
        new("quantize", set => Quantize(set, Values(2, 96, 4f))),
        .. Each("quantize", values => set => Quantize(set, values)),
        new("quantize weighted", set => QuantizeWeighted(set, [.. Values(3, 96, 1f).Select(MathF.Abs)])),
        .. NotFinite.Select(bad => new Operation($"quantize weighted {bad.Name}", set => QuantizeWeighted(set, With([.. Values(3, 96, 1f).Select(MathF.Abs)], 40, bad.Value)))),
        new("quantize row", set => QuantizeRow(set, Values(4, 96, 4f))),
        .. Each("quantize row", values => set => QuantizeRow(set, values)),
        .. Each("is finite", values => set => new Bits().Add(set.IsFinite(values))),
        new("swiglu", set => SwiGlu(set, Values(5, 96, 64f), Values(6, 96, 2f))),
        .. Each("swiglu gate", values => set => SwiGlu(set, values, Values(6, values.Length, 2f))),
        .. Each("swiglu up", values => set => SwiGlu(set, Values(5, values.Length, 64f), values)),
        .. Functions.SelectMany(activation => Each(activation.Name, values => set => Activate(set, activation.Run, values))
            .Prepend(new Operation(activation.Name, set => Activate(set, activation.Run, Values(5, 96, 8f))))),
        new("multiply", set => Multiply(set, Values(7, 96, 4f), Values(8, 96, 4f))),
        .. Each("multiply", values => set => Multiply(set, values, [.. values.Reverse()])),
        new("add", set => Add(set, Values(7, 96, 4f), Values(8, 96, 4f))),
        .. Each("add", values => set => Add(set, values, [.. values.Reverse()])),
        new("to half", set => ToHalf(set, Values(9, 96, 4f))),
        .. Each("to half", values => set => ToHalf(set, values)),
        new("softmax", set => Softmax(set, Values(10, 96, 64f), 93, [])),
        new("softmax masked", set => Softmax(set, Values(10, 96, 64f), 93, [.. Enumerable.Range(0, 93).Select(i => (byte)(i % 3))])),
        new("softmax nothing", set => Softmax(set, Values(10, 8, 64f), 3, [0, 0, 0])),
        new("softmax zeros", set => Softmax(set, [-0f, 0f, -0f, 0f, -0f, -0f, 0f, -0f], 8, [])),
        .. Each("softmax", values => set => Softmax(set, values, values.Length, [])),
        .. Each("softmax of one", values => set => Softmax(set, [values[^8], 0f, 0f, 0f, 0f, 0f, 0f, 0f], 1, [])),
        .. from format in new[] { BlockFormat.F32, BlockFormat.F16 } from queries in new[] { 1, 4, 7 } from cols in new[] { 32, 64, 96 }
           select new Operation($"weighted rows {format} {queries} {cols}", set => WeightedRows(set, format, queries, cols, Values(11, queries * 70, 1f))),
        .. NotFinite.Select(bad => new Operation($"weighted rows {bad.Name}", set => WeightedRows(set, BlockFormat.F32, 5, 96, With(Values(11, 5 * 70, 1f), 33, bad.Value)))),
        new("merge", set => Merge(set, Values(12, 96, 4f), Values(13, 96, 4f))),
        .. Each("merge", values => set => Merge(set, values, [.. values.Reverse()])),
        new("divide", set => Divide(set, Values(14, 96, 4f), 1.7f)),
        .. Each("divide", values => set => Divide(set, values, 1.7f)),
        .. new[] { 0f, float.Epsilon, float.MaxValue }.Select(by => new Operation(FormattableString.Invariant($"divide by {by}"), set => Divide(set, Finite, by))),
        .. NotFinite.Select(bad => new Operation($"divide by {bad.Name}", set => Divide(set, Finite, bad.Value))),
        new("rotate", _ => Rotate(5, 10000f)),
        new("rotate far", _ => Rotate(1_000_003, 500000f)),
        new("exp, log, sine, cosine", _ => PortableFunctions()),
    ];

    /// <summary>Formats of other tools' files.</summary>
    private static IEnumerable<BlockFormat> Imported => Enum.GetValues<BlockFormat>().Except(BlockFormats.Written);

    private static int Columns(BlockFormat format, int blocks) => blocks * Math.Max(PackedLayout.BlockSize, format.Info().ColumnStep);

    private static IEnumerable<(string Name, Action<KernelSet, float[], float[]> Run)> Functions =>
        [("silu", static (set, x, y) => set.Silu(x, y)), ("gelu tanh", static (set, x, y) => set.GeluTanh(x, y)), ("gelu erf", static (set, x, y) => set.GeluErf(x, y))];

    /// <summary>An operation on all kinds of finite values, and with each kind that is not among ordinary ones.</summary>
    private static IEnumerable<Operation> Each(string name, Func<float[], Func<KernelSet, Bits>> run)
    {
        yield return new Operation($"{name} finite extremes", run(Finite));
        yield return new Operation($"{name} subnormals", run([.. Finite[..8], .. Finite[..8], .. Finite[..8], .. Finite[..8]]));
        foreach ((string kind, float bad) in NotFinite)
            yield return new Operation($"{name} {kind}", run(With(Values(15, 32, 4f), 24, bad)));
    }

    private static Bits Gemm(KernelSet set, BlockFormat format, int rows, int cols, int tokens)
    {
        using var buffer = new AlignedBuffer<byte>(format.Info().MatrixBytes(rows, cols));
        PackedMatrix w = Matrix(buffer, format, rows, cols, 16);
        using Activations x = Activations(set, tokens, cols, 17);
        return Product(set, w, x, tokens);
    }

    private static Bits Product(KernelSet set, in PackedMatrix w, Activations x, int tokens)
    {
        var y = new float[tokens * w.Groups * PackedLayout.GroupRows];
        set.Gemm(new(w, x, tokens, 0, w.Groups, y, w.Groups * PackedLayout.GroupRows));
        return new Bits().Add(y);
    }

    /// <summary>Inputs of every kind, so that products are subnormal, infinite and not a number; a token each.</summary>
    private static Bits GemmOfExtremes(KernelSet set, BlockFormat format)
    {
        int rows = 16, cols = Columns(format, 1);
        using var buffer = new AlignedBuffer<byte>(format.Info().MatrixBytes(rows, cols));
        PackedMatrix w = Matrix(buffer, format, rows, cols, 18);
        float[][] inputs = [Finite, .. NotFinite.Select(bad => With(Finite, 5, bad.Value)), new float[32], [.. Finite.Select(v => v * 1e-38f)], .. NotFinite.Select(bad => With(Values(19, 32, 1f), 31, bad.Value))];
        using var x = new Activations(inputs.Length, cols, hasHalfOffsets: true);
        for (int t = 0; t < inputs.Length; t++)
        {
            for (int c = 0; c < cols; c += inputs[t].Length)
                inputs[t].CopyTo(x.Row(t)[c..]);
            set.Quantize(x, t, cols);
        }
        return Product(set, w, x, inputs.Length);
    }

    /// <summary>Quants that are all the least or all the largest, in some rows either, times activations of the largest magnitude: no sum is further from zero.</summary>
    private static Bits GemmOfExtremeQuants(KernelSet set, BlockFormat format, int tokens)
    {
        int rows = 40, cols = Columns(format, 2);
        using var buffer = new AlignedBuffer<byte>(format.Info().MatrixBytes(rows, cols));
        PackedMatrix w = Matrix(buffer, format, rows, cols, 31);
        for (int g = 0; g < w.Groups; g++)
        {
            foreach (ref byte b in buffer.Slice(g * w.GroupBytes, (int)w.ScalesOffset))
                b = (g < 2 ? g : b & 1) == 0 ? (byte)0 : (byte)0xFF;
        }
        using var x = new Activations(tokens, cols, hasHalfOffsets: true);
        for (int t = 0; t < tokens; t++)
        {
            float[] signs = Values(32 + (uint)t, cols, 1f);
            for (int c = 0; c < cols; c++)
                x.Row(t)[c] = t % 3 == 2 && signs[c] < 0f || t % 3 == 1 ? -1f : 1f;
            set.Quantize(x, t, cols);
        }
        return Product(set, w, x, tokens);
    }

    private static Bits GemmNonNegative(KernelSet set)
    {
        const int rows = 40, cols = 96, tokens = 9;
        using var buffer = new AlignedBuffer<byte>(BlockFormat.Q8_0.Info().MatrixBytes(rows, cols));
        PackedMatrix w = Matrix(buffer, BlockFormat.Q8_0, rows, cols, 20);
        using var x = new Activations(tokens, cols);
        ushort[] ones = [.. Enumerable.Repeat((ushort)0x3C00, cols)];
        for (int t = 0; t < tokens; t++)
            set.QuantizeWeighted([.. Values(21 + (uint)t, cols, 1f).Select(MathF.Abs)], ones, x, t);
        var y = new float[tokens * rows];
        set.Gemm(new(w, x, tokens, 0, w.Groups, y, rows) { NonNegative = true });
        return new Bits().Add(y);
    }

    private static Bits RmsNorm(KernelSet set, float[] x, int size)
    {
        var y = new float[x.Length];
        set.RmsNorm(x, Values(22, x.Length, 2f), size, 1e-5f, y);
        return new Bits().Add(y);
    }

    /// <summary>Of the first <paramref name="size"/> values; the rest, up to a multiple of 32, is padding.</summary>
    private static Bits LayerNorm(KernelSet set, float[] values, int size)
    {
        float[] x = Padded(values), y = new float[x.Length];
        set.LayerNorm(x, Padded(Values(29, size, 2f)), Padded(Values(30, size, 1f)), size, 1e-5f, y);
        return new Bits().Add(y);
    }

    private static float[] Padded(float[] values) => [.. values, .. new float[PackedLayout.Blocks(values.Length) * PackedLayout.BlockSize - values.Length]];

    private static Bits Quantize(KernelSet set, float[] values)
    {
        using var x = new Activations(2, values.Length);
        values.CopyTo(x.Row(1));
        var bits = new Bits().Add(set.Quantize(x, 1, values.Length));
        return Quantized(bits, x, 1, values.Length, offsets: true);
    }

    private static Bits QuantizeWeighted(KernelSet set, float[] values)
    {
        using var x = new Activations(2, values.Length);
        set.QuantizeWeighted(values, [.. Values(23, values.Length, 0.125f).Select(v => HalfBits.FromSingle(MathF.Abs(v)))], x, 1);
        return Quantized(new Bits(), x, 1, values.Length, offsets: false);
    }

    /// <summary>Scales, and of the blocks whose scale is a number quants and offsets.</summary>
    private static Bits Quantized(Bits bits, Activations x, int token, int cols, bool offsets)
    {
        for (int b = 0; b < PackedLayout.Blocks(cols); b++)
        {
            float scale = x.Scales.Span[token * x.BlockStride + b];
            bits.Add(scale);
            if (float.IsNaN(scale))
                continue;
            bits.Add(x.Quants.Slice(token * x.Stride + b * PackedLayout.BlockSize, PackedLayout.BlockSize));
            if (offsets)
                bits.Add(BitConverter.Int32BitsToSingle(x.Offsets.Span[token * x.BlockStride + b] & 0x3FFF_3FFF)); // as a pattern that is a number
        }
        return bits;
    }

    private static Bits QuantizeRow(KernelSet set, float[] values)
    {
        var quants = new sbyte[values.Length];
        ushort scale = set.QuantizeRow(values, quants);
        var bits = new Bits().Add([scale]);
        return HalfBits.IsFinite(scale) ? bits.Add(quants) : bits;
    }

    private static Bits SwiGlu(KernelSet set, float[] gate, float[] up)
    {
        var y = new float[gate.Length];
        set.SwiGlu(gate, up, y);
        return new Bits().Add(y);
    }

    private static Bits Activate(KernelSet set, Action<KernelSet, float[], float[]> run, float[] x)
    {
        var y = new float[x.Length];
        run(set, x, y);
        return new Bits().Add(y);
    }

    private static Bits Multiply(KernelSet set, float[] x, float[] y)
    {
        set.Multiply(x, y);
        return new Bits().Add(y);
    }

    private static Bits Add(KernelSet set, float[] x, float[] y)
    {
        set.Add(x, y);
        return new Bits().Add(y);
    }

    private static Bits ToHalf(KernelSet set, float[] x)
    {
        var y = new ushort[x.Length];
        set.ToHalf(x, y);
        return new Bits().Add(y);
    }

    private static Bits Softmax(KernelSet set, float[] scores, int count, byte[] mask)
    {
        float[] weights = [.. scores];
        float sum = set.Softmax(weights, count, mask, 0.125f, out float max);
        return new Bits().Add(sum, max).Add(weights[..count]);
    }

    private static Bits WeightedRows(KernelSet set, BlockFormat format, int queries, int cols, float[] p)
    {
        const int rows = 70;
        float[] v = Values(24, rows * cols, 2f), sum = Values(25, queries * cols, 1f);
        byte[] stored = format == BlockFormat.F32 ? MemoryMarshal.AsBytes(v.AsSpan()).ToArray() : MemoryMarshal.AsBytes(v.Select(HalfBits.FromSingle).ToArray().AsSpan()).ToArray();
        set.AddWeightedRows(p, rows, queries, rows, format == BlockFormat.F16, stored, cols, sum);
        return new Bits().Add(sum);
    }

    private static Bits Merge(KernelSet set, float[] x, float[] sum)
    {
        set.Merge(x, 0.3f, sum, 0.7f);
        return new Bits().Add(sum);
    }

    private static Bits Divide(KernelSet set, float[] x, float by)
    {
        float[] y = [.. x];
        set.Divide(y, by);
        return new Bits().Add(y);
    }

    private static Bits Rotate(int position, float theta)
    {
        using var rope = new Rope(new Rotary(64, theta, 1f, HasFactors: false, Yarn: null), null, 0);
        rope.Prepare([position]);
        var y = new float[64];
        rope.Apply(0, Values(26, 64, 4f), y);
        return new Bits().Add(y);
    }

    private static Bits PortableFunctions()
    {
        var bits = new Bits();
        foreach (float x in Values(27, 64, 128f))
        {
            (double sin, double cos) = PortableMath.SinCos(x * 1e5);
            foreach (double y in new[] { PortableMath.Exp(x), PortableMath.Log(Math.Abs(x) + 1e-3), sin, cos })
                bits.Add(MemoryMarshal.Cast<double, float>([y])); // both halves; none is a pattern of not-a-number
        }
        return bits;
    }
}
