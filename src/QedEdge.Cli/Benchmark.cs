using System.Diagnostics;
using QedEdge.CommandLine;

namespace QedEdge.Cli;

/// <summary>One line of <c>qed bench</c>.</summary>
internal sealed record BenchmarkResult(string Test, int Depth, int Sequences, int Threads, double TokensPerSecond, double Deviation, double WeightGigabytes, double PlainReadGigabytes)
{
    /// <summary>The weights' speed beside plain reading's; not a number for prefill, which reads them once for many tokens.</summary>
    public double ReadShare => WeightGigabytes / PlainReadGigabytes;
}

/// <summary>Times feeding of random tokens: whole (prefill) or one by one (decode). Medians, since machines are shared.</summary>
internal sealed class Benchmark(QedModel model, int repetitions, KvCacheType kvType)
{
    private readonly Dictionary<int, double> _plainRead = [];

    /// <summary>How keys and values were stored in the last test.</summary>
    public string KvType { get; private set; } = "";

    public BenchmarkResult Prefill(int tokens, int depth, int sequences, int threads) =>
        Measure($"pp{tokens}", tokens, tokens, depth, sequences, threads);

    public BenchmarkResult Decode(int tokens, int depth, int sequences, int threads) =>
        Measure($"tg{tokens}", tokens, 1, depth, sequences, threads);

    /// <summary>Memory that is resident now, in megabytes.</summary>
    public static double ResidentMegabytes() => Math.Round(Environment.WorkingSet / 1e6, 1);

    private BenchmarkResult Measure(string test, int tokens, int step, int depth, int sequences, int threads)
    {
        if ((long)tokens + depth > model.Config.ContextLength)
            throw new UsageException($"{test} at depth {depth} exceeds the model's context of {model.Config.ContextLength}");
        using SessionBatch batch = model.CreateBatch(sequences, new SessionOptions
        {
            Threads = threads,
            ContextLength = tokens + depth,
            KvType = kvType,
        });
        KvType = KvCacheTypes.NameOf(batch.Sessions[0].KvType);
        var random = new Random(1);
        int[] ids = [.. Enumerable.Range(0, tokens * sequences).Select(_ => random.Next(model.Config.VocabSize))];
        int[] lengths = [.. Enumerable.Repeat(step, sequences)];
        if (depth > 0)
            batch.Feed([.. Enumerable.Range(0, depth * sequences).Select(_ => random.Next(model.Config.VocabSize))], [.. Enumerable.Repeat(depth, sequences)]);

        var speeds = new double[repetitions];
        for (int r = -1; r < repetitions; r++) // the first run warms up and is not counted
        {
            foreach (Session session in batch.Sessions)
                session.Rollback(depth);
            long start = Stopwatch.GetTimestamp();
            for (int at = 0; at < ids.Length; at += step * sequences)
                batch.Feed(ids.AsSpan(at, step * sequences), lengths);
            if (r >= 0)
                speeds[r] = ids.Length / Stopwatch.GetElapsedTime(start).TotalSeconds;
        }
        Array.Sort(speeds);
        double median = repetitions % 2 == 1 ? speeds[repetitions / 2] : (speeds[repetitions / 2 - 1] + speeds[repetitions / 2]) / 2;
        double deviation = Math.Sqrt(speeds.Sum(s => (s - speeds.Average()) * (s - speeds.Average())) / Math.Max(1, repetitions - 1));

        if (!_plainRead.TryGetValue(threads, out double plain))
            _plainRead[threads] = plain = PlainRead.GigabytesPerSecond(model, threads);
        return new BenchmarkResult(test, depth, sequences, threads, median, deviation, step == 1 ? median / sequences * model.WeightBytesPerToken / 1e9 : double.NaN, plain);
    }
}
