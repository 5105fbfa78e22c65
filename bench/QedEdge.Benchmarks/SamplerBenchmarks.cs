using BenchmarkDotNet.Attributes;
using QedEdge.Sampling;

namespace QedEdge.Benchmarks;

/// <summary>
/// Choosing a token from the logits of Gemma's vocabulary, normal ones of deviation 2.5: <c>dotnet run --project bench/QedEdge.Benchmarks -c Release -- --filter *Sampler* --job short</c>.
/// </summary>
public class SamplerBenchmarks
{
    private const int Vocabulary = 262_144;

    private readonly float[] _logits = new float[Vocabulary];
    private Sampler _sampler = new(SamplingOptions.Greedy, Vocabulary);

    [Params("greedy", "top-k 40", "top-k 64, top-p 0.95", "top-p 0.9", "all")]
    public string Sampling { get; set; } = "greedy";

    [GlobalSetup]
    public void Setup()
    {
        var random = new Random(1);
        for (int i = 0; i < _logits.Length; i++)
            _logits[i] = (float)(2.5 * Math.Sqrt(-2 * Math.Log(1 - random.NextDouble())) * Math.Cos(2 * Math.PI * random.NextDouble()));
        var all = new SamplingOptions { Temperature = 1f, TopK = 0, TopP = 1f };
        _sampler = new Sampler(Sampling switch
        {
            "greedy" => SamplingOptions.Greedy,
            "top-k 40" => all with { TopK = 40 },
            "top-k 64, top-p 0.95" => all with { TopK = 64, TopP = 0.95f },
            "top-p 0.9" => all with { TopP = 0.9f },
            _ => all,
        }, Vocabulary);
    }

    [Benchmark]
    public int Next() => _sampler.Next(_logits);
}
