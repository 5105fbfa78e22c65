using QedEdge.Kernels;

namespace QedEdge.Evaluation;

/// <summary>
/// How far a model's predictions are from a reference's, token by token, in constant memory: the Kullback-Leibler divergence KL(reference ‖ model) in nats with its mean
/// and quantiles, how often both think the same token most likely, and the perplexity of both. Sums are in order: the same on every machine.
/// </summary>
public sealed class DivergenceStatistics
{
    // Quantiles come from a histogram of the divergence's logarithm: 1e-9 to 1e3 in steps of 1 %.
    private const double Lowest = 1e-9, Ratio = 1.01;
    private const int Buckets = 2778;
    private static readonly double LogRatio = PortableMath.Log(Ratio);

    private readonly long[] _histogram = new long[Buckets + 1];
    private double _sum, _sumOfSquares, _exactLoss, _loss, _ratio, _ratioOfSquares;
    private long _sameTop;

    /// <summary>Tokens compared.</summary>
    public long Count { get; private set; }

    /// <summary>The mean divergence.</summary>
    public double Mean => _sum / Count;

    /// <summary>The standard error of <see cref="Mean"/>.</summary>
    public double MeanError => StandardError(_sum, _sumOfSquares);

    /// <summary>The largest divergence.</summary>
    public double Largest { get; private set; }

    /// <summary>The share of tokens where both have the same most likely next token.</summary>
    public double SameTop => (double)_sameTop / Count;

    /// <summary>Tokens where they do not.</summary>
    public long Flips => Count - _sameTop;

    /// <summary>The reference's perplexity.</summary>
    public double ReferencePerplexity => PortableMath.Exp(_exactLoss / Count);

    /// <summary>The model's perplexity.</summary>
    public double Perplexity => PortableMath.Exp(_loss / Count);

    /// <summary>The mean of the model's loss minus the reference's: the logarithm of the perplexities' ratio.</summary>
    public double LogRatioOfPerplexities => _ratio / Count;

    /// <summary>The standard error of <see cref="LogRatioOfPerplexities"/>.</summary>
    public double LogRatioError => StandardError(_ratio, _ratioOfSquares);

    /// <summary>The divergence that a share of the tokens does not exceed, to 1 %.</summary>
    /// <param name="share">0.5 for the median.</param>
    public double Quantile(double share)
    {
        long below = 0;
        for (int i = 0; i < _histogram.Length; i++)
        {
            below += _histogram[i];
            if (below >= share * Count && below > 0)
                return i == 0 ? 0 : Math.Min(Largest, Lowest * PortableMath.Exp((i - 0.5) * LogRatio));
        }
        return 0;
    }

    /// <summary>Adds a token.</summary>
    /// <param name="reference">The reference's logits before it [vocabulary].</param>
    /// <param name="logits">The model's [vocabulary].</param>
    /// <param name="next">The token that came.</param>
    public void Add(ReadOnlySpan<float> reference, ReadOnlySpan<float> logits, int next)
    {
        (double sumOfReference, int topOfReference) = LogSoftmax.Of(reference);
        (double sum, int top) = LogSoftmax.Of(logits);
        double divergence = 0;
        for (int i = 0; i < reference.Length; i++)
        {
            double logOfReference = reference[i] - sumOfReference;
            divergence += PortableMath.Exp(logOfReference) * (logOfReference - (logits[i] - sum));
        }
        divergence = Math.Max(divergence, 0); // a rounding error may be below
        double exactLoss = sumOfReference - reference[next], loss = sum - logits[next];
        Count++;
        _sum += divergence;
        _sumOfSquares += divergence * divergence;
        Largest = Math.Max(Largest, divergence);
        _exactLoss += exactLoss;
        _loss += loss;
        _ratio += loss - exactLoss;
        _ratioOfSquares += (loss - exactLoss) * (loss - exactLoss);
        _sameTop += top == topOfReference ? 1 : 0;
        _histogram[divergence <= Lowest ? 0 : Math.Min(Buckets, 1 + (int)(PortableMath.Log(divergence / Lowest) / LogRatio))]++;
    }

    private double StandardError(double sum, double sumOfSquares) =>
        Count < 2 ? double.NaN : Math.Sqrt(Math.Max(0, (sumOfSquares - sum * sum / Count) / (Count - 1)) / Count);
}
