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
    private readonly double[] _frequencies; // [half], theta^(-2j / headSize)
    private readonly AlignedBuffer<float> _cos; // [BatchSize + 1, half]
    private readonly AlignedBuffer<float> _sin;

    /// <summary>Tables for a batch. Sinks are the first tokens of a window that ends with the query at position <paramref name="sinkDistance"/>.</summary>
    public Rope(int headSize, double theta, int sinkDistance)
    {
        _half = headSize / 2;
        _frequencies = new double[_half];
        double logTheta = PortableMath.Log(theta);
        for (int j = 0; j < _half; j++)
            _frequencies[j] = PortableMath.Exp(-2.0 * j / headSize * logTheta);
        _cos = new AlignedBuffer<float>((SinkRow + 1L) * _half);
        _sin = new AlignedBuffer<float>((SinkRow + 1L) * _half);
        Prepare(SinkRow, sinkDistance);
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
            cos[j] = (float)c;
            sin[j] = (float)s;
        }
    }

    /// <summary>Rotates one head's query or key [head size] for a row of the tables: a batch row, or <see cref="SinkRow"/>.</summary>
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
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _cos.Dispose();
        _sin.Dispose();
    }
}
