using QedEdge.Conversion;
using QedEdge.Quantization;
using QedEdge.Sampling;

namespace QedEdge.Tests.Model;

/// <summary>What quantization costs on text that the sample model was never trained on, computed here from the logits alone (bench/quality.py makes the tables of the documentation).</summary>
public sealed class HeldOutTests(ITestOutputHelper output) : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("qed").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void Perplexity_AndDivergence_AreWhatTheReadmeSays()
    {
        using QedModel reference = Open(BlockFormat.F32);
        int[][] windows = Texts.Windows(reference, Path.Combine(TestData.TinyQed, "heldout.txt"), int.MaxValue);
        const QuantizationMethod Nearest = QuantizationMethod.Nearest, Search = QuantizationMethod.Search, Feedback = QuantizationMethod.ErrorFeedback;
        foreach ((BlockFormat format, QuantizationMethod method, KvCacheType kv, double maxDivergence, double maxNll) in new[]
        {
            (BlockFormat.F32, Nearest, KvCacheType.F16, 1e-7, 3.09603), (BlockFormat.F32, Nearest, KvCacheType.Q8_0, 2e-4, 3.0962),
            (BlockFormat.Q8_0, Nearest, KvCacheType.F16, 6e-4, 3.0970), (BlockFormat.Q8_0, Nearest, KvCacheType.Q8_0, 8e-4, 3.0972),
            (BlockFormat.Q4_0, Nearest, KvCacheType.F16, 0.035, 3.14), (BlockFormat.Q4_0, Nearest, KvCacheType.Q8_0, 0.035, 3.14),
            (BlockFormat.Q4_0, Search, KvCacheType.Q8_0, 0.029, 3.14),
            (BlockFormat.IQ4_NL, Nearest, KvCacheType.Q8_0, 0.027, 3.14), (BlockFormat.IQ4_NL, Search, KvCacheType.Q8_0, 0.024, 3.14),
            (BlockFormat.Q8_0, Feedback, KvCacheType.Q8_0, 5.8e-4, 3.0972), (BlockFormat.IQ4_NL, Feedback, KvCacheType.Q8_0, 0.0169, 3.13), // 58 % of Q4_0
        })
        {
            using QedModel model = Open(format, method);
            using Session a = reference.CreateSession(new SessionOptions { KvType = KvCacheType.F32 });
            using Session b = model.CreateSession(new SessionOptions { KvType = kv });
            double nll = 0, divergence = 0;
            long scored = 0, sameTop = 0;
            foreach (int[] window in windows)
            {
                float[] expected = Logits(a, window), actual = Logits(b, window);
                int vocab = a.VocabSize;
                for (int t = 0; t + 1 < window.Length; t++)
                {
                    ReadOnlySpan<float> p = expected.AsSpan(t * vocab, vocab), q = actual.AsSpan(t * vocab, vocab);
                    double sumP = LogSum(p), sumQ = LogSum(q);
                    nll += sumQ - q[window[t + 1]];
                    for (int i = 0; i < vocab; i++)
                        divergence += Math.Exp(p[i] - sumP) * (p[i] - sumP - (q[i] - sumQ));
                    sameTop += Sampler.ArgMax(p) == Sampler.ArgMax(q) ? 1 : 0;
                    scored++;
                }
            }
            nll /= scored;
            divergence /= scored;
            output.WriteLine($"{format} {method}, kv {b.KvType}: {scored} tokens, mean NLL {nll:F6}, perplexity {Math.Exp(nll):F3}, mean KL {divergence:E2}, same top-1 {(double)sameTop / scored:P1}, {model.File.Length} bytes");
            Assert.Equal(17423, scored);
            Assert.InRange(divergence, -1e-9, maxDivergence + 1e-9);
            Assert.InRange(nll, 3.0959, maxNll);
        }
    }

    private QedModel Open(BlockFormat format, QuantizationMethod method = QuantizationMethod.Nearest)
    {
        string path = Path.Combine(_folder, $"{format}-{method}.gguf");
        CheckpointConverter.Convert(TestData.TinyQed, path, new ConversionOptions
        {
            Type = format,
            Method = method,
            Overwrite = true,
            CalibrationTokens = 1 << 14, // the whole text gives a little more and takes minutes
            CalibrationText = method == QuantizationMethod.ErrorFeedback ? Path.Combine(TestData.TinyQed, "calibration.txt") : null,
        });
        return QedModel.Open(path);
    }

    private static float[] Logits(Session session, int[] window)
    {
        session.Rollback(0);
        var all = new float[window.Length * session.VocabSize];
        session.Feed(window, new FeedOptions { OnLogits = (t, logits) => logits.CopyTo(all.AsSpan(t * logits.Length)) });
        return all;
    }

    private static double LogSum(ReadOnlySpan<float> logits)
    {
        double max = double.NegativeInfinity, sum = 0;
        foreach (float v in logits)
            max = Math.Max(max, v);
        foreach (float v in logits)
            sum += Math.Exp(v - max);
        return max + Math.Log(sum);
    }
}
