using QedEdge.Evaluation;

namespace QedEdge.Tests.Evaluation;

/// <summary>Streamed figures against their definitions over all tokens at once.</summary>
public sealed class DivergenceStatisticsTests
{
    [Fact]
    public void Figures_AreThoseOfTheirDefinitions()
    {
        const int vocab = 50, tokens = 2000;
        var random = new Random(1);
        var statistics = new DivergenceStatistics();
        var divergences = new List<double>();
        double exactLoss = 0, loss = 0;
        var differences = new List<double>();
        int same = 0;
        for (int t = 0; t < tokens; t++)
        {
            float[] reference = [.. Enumerable.Range(0, vocab).Select(_ => (float)(6 * random.NextDouble()))];
            float[] logits = [.. reference.Select(v => v + (float)(Math.Pow(random.NextDouble(), 3) * (random.NextDouble() - 0.5)))];
            int next = random.Next(vocab);
            statistics.Add(reference, logits, next);
            double[] p = Probabilities(reference), q = Probabilities(logits);
            divergences.Add(Enumerable.Range(0, vocab).Sum(i => p[i] * Math.Log(p[i] / q[i])));
            exactLoss -= Math.Log(p[next]);
            loss -= Math.Log(q[next]);
            differences.Add(Math.Log(p[next] / q[next]));
            same += Array.IndexOf(reference, reference.Max()) == Array.IndexOf(logits, logits.Max()) ? 1 : 0;
        }
        Assert.Equal(tokens, statistics.Count);
        Assert.Equal(divergences.Average(), statistics.Mean, 1e-9);
        Assert.Equal(Error(divergences), statistics.MeanError, 1e-9);
        Assert.Equal(divergences.Max(), statistics.Largest, 1e-9);
        Assert.Equal((double)same / tokens, statistics.SameTop);
        Assert.Equal(Math.Exp(exactLoss / tokens), statistics.ReferencePerplexity, 1e-6);
        Assert.Equal(Math.Exp(loss / tokens), statistics.Perplexity, 1e-6);
        Assert.Equal(differences.Average(), statistics.LogRatioOfPerplexities, 1e-9);
        Assert.Equal(Error(differences), statistics.LogRatioError, 1e-9);
        divergences.Sort();
        foreach (double share in (double[])[0.1, 0.5, 0.95, 0.99, 0.999])
        {
            double exact = divergences[(int)Math.Ceiling(share * tokens) - 1];
            Assert.InRange(statistics.Quantile(share), exact / 1.0101, exact * 1.0101);
        }
        Assert.Equal(divergences[^1], statistics.Quantile(1), 0.01 * divergences[^1]);
    }

    [Fact]
    public void TheSameLogits_DivergeByNothing_AndExtremeOnesAreFinite()
    {
        var statistics = new DivergenceStatistics();
        statistics.Add([1, 2, 3], [1, 2, 3], 0);
        Assert.Equal((0, 0, 1.0), (statistics.Mean, statistics.Quantile(0.5), statistics.SameTop));
        statistics.Add([1e30f, 0, 0], [0, 1e30f, 0], 0);
        Assert.True(double.IsFinite(statistics.Mean) && statistics.Quantile(1) > 0);
    }

    private static double[] Probabilities(float[] logits)
    {
        double sum = logits.Sum(static v => Math.Exp(v));
        return [.. logits.Select(v => Math.Exp(v) / sum)];
    }

    private static double Error(List<double> values)
    {
        double mean = values.Average();
        return Math.Sqrt(values.Sum(v => (v - mean) * (v - mean)) / (values.Count - 1) / values.Count);
    }
}
