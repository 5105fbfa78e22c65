using QedEdge.Architectures;
using QedEdge.Kernels;
using QedEdge.Memory;

namespace QedEdge.Model;

/// <summary>
/// Rotary position embedding, half-split ("NeoX") form (Su et al. 2021; pairs j and j + size/2). Angles are computed per token in
/// double precision from its position, so they are as exact at position 1,000,000 as at 1.
/// </summary>
internal sealed class Rope : IDisposable
{
    /// <summary>The row of the angles that queries take towards sinks; rows before it are a batch's.</summary>
    public const int SinkRow = Workspace.BatchSize;

    private readonly int _half;
    private readonly double[] _frequencies; // [half]
    private readonly double _length; // of what turns, after it
    private readonly AlignedBuffer<float> _cos; // [BatchSize + 1, half]
    private readonly AlignedBuffer<float> _sin;

    /// <summary>Tables for a batch. Sinks are the first tokens of a window that ends with the query at position <paramref name="sinkDistance"/>.</summary>
    /// <param name="rotary">The frequencies.</param>
    /// <param name="factors">What each of them is divided by [half], or null.</param>
    /// <param name="sinkDistance">Positions from the first sink to a query.</param>
    public Rope(Rotary rotary, float[]? factors, int sinkDistance)
    {
        int size = rotary.Dimensions;
        _half = size / 2;
        _frequencies = new double[_half];
        double logTheta = PortableMath.Log(rotary.Theta);
        _length = rotary.Yarn is { } yarn ? yarn.Attention * (0.1 * PortableMath.Log(rotary.Factor) + 1) : 1;
        for (int j = 0; j < _half; j++)
        {
            double frequency = PortableMath.Exp(-2.0 * j / size * logTheta);
            double divided = frequency / rotary.Factor / (factors is null ? 1 : factors[j]), stays = rotary.Yarn is null ? 0 : Ramp(rotary.Yarn, j, size, logTheta);
            _frequencies[j] = divided + stays * (frequency - divided);
        }
        _cos = new AlignedBuffer<float>((SinkRow + 1L) * _half);
        _sin = new AlignedBuffer<float>((SinkRow + 1L) * _half);
        Prepare(SinkRow, sinkDistance);
    }

    /// <summary>How much of frequency <paramref name="j"/> stays as it is, 1 to 0: those that turn often over the original context do.</summary>
    private static double Ramp(Yarn yarn, int j, int size, double logTheta)
    {
        double At(double turns) => size * PortableMath.Log(yarn.Original / (turns * 2 * Math.PI)) / (2 * logTheta);
        double low = Math.Max(Math.Floor(At(yarn.BetaFast)), 0), high = Math.Min(Math.Ceiling(At(yarn.BetaSlow)), size - 1);
        return 1 - Math.Clamp((j - low) / (high == low ? 0.001 : high - low), 0, 1);
    }

    /// <summary>Computes the angles of a batch: token t stands at <paramref name="positions"/>[t].</summary>
    public void Prepare(ReadOnlySpan<int> positions)
    {
        for (int t = 0; t < positions.Length; t++)
            Prepare(t, positions[t]);
    }

    private void Prepare(int row, int position)
    {
        Span<float> cos = _cos.Slice((long)row * _half, _half), sin = _sin.Slice((long)row * _half, _half);
        for (int j = 0; j < _half; j++)
        {
            (double s, double c) = PortableMath.SinCos(position * _frequencies[j]);
            cos[j] = (float)(c * _length);
            sin[j] = (float)(s * _length);
        }
    }

    /// <summary>Rotates one head's query or key [head size], what does not turn stays, for a row of the tables: a batch row, or <see cref="SinkRow"/>.</summary>
    public void Apply(int row, ReadOnlySpan<float> x, Span<float> y)
    {
        ReadOnlySpan<float> cos = _cos.Slice((long)row * _half, _half), sin = _sin.Slice((long)row * _half, _half);
        ReadOnlySpan<float> first = x[..cos.Length], second = x.Slice(cos.Length, cos.Length);
        Span<float> yFirst = y[..cos.Length], ySecond = y.Slice(cos.Length, cos.Length);
        for (int j = 0; j < cos.Length; j++)
        {
            float a = first[j], b = second[j];
            yFirst[j] = MathF.FusedMultiplyAdd(a, cos[j], -(b * sin[j]));
            ySecond[j] = MathF.FusedMultiplyAdd(b, cos[j], a * sin[j]);
        }
        x[(2 * cos.Length)..].CopyTo(y[(2 * cos.Length)..]);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _cos.Dispose();
        _sin.Dispose();
    }
}
