using QedEdge.Kernels;
using QedEdge.Memory;

namespace QedEdge.Model;

/// <summary>
/// Rotary position embedding, half-split ("NeoX") form (Su et al. 2021; pairs j and j + size/2). Angles are computed per token in
/// double precision from its position, so they are as exact at position 1,000,000 as at 1.
/// </summary>
internal sealed class Rope : IDisposable
{
    private readonly int _half;
    private readonly double[] _frequencies; // [half], theta^(-2j / headSize)
    private readonly AlignedBuffer<float> _cos; // [tokens, half]
    private readonly AlignedBuffer<float> _sin;

    /// <summary>Tables for batches of up to <paramref name="tokens"/> tokens.</summary>
    public Rope(int headSize, double theta, int tokens)
    {
        _half = headSize / 2;
        _frequencies = new double[_half];
        double logTheta = PortableMath.Log(theta);
        for (int j = 0; j < _half; j++)
            _frequencies[j] = PortableMath.Exp(-2.0 * j / headSize * logTheta);
        _cos = new AlignedBuffer<float>((long)tokens * _half);
        _sin = new AlignedBuffer<float>((long)tokens * _half);
    }

    /// <summary>Computes the angles of a batch: token t stands at <paramref name="positions"/>[t].</summary>
    public void Prepare(ReadOnlySpan<int> positions)
    {
        for (int t = 0; t < positions.Length; t++)
        {
            Span<float> cos = _cos.Slice((long)t * _half, _half), sin = _sin.Slice((long)t * _half, _half);
            for (int j = 0; j < _half; j++)
            {
                (double s, double c) = PortableMath.SinCos(positions[t] * _frequencies[j]);
                cos[j] = (float)c;
                sin[j] = (float)s;
            }
        }
    }

    /// <summary>Rotates one head's query or key [head size] of batch token <paramref name="token"/>.</summary>
    public void Apply(int token, ReadOnlySpan<float> x, Span<float> y)
    {
        ReadOnlySpan<float> cos = _cos.Slice((long)token * _half, _half), sin = _sin.Slice((long)token * _half, _half);
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
