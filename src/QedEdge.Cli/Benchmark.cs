using System.Diagnostics;

namespace QedEdge.Cli;

/// <summary>One line of <c>qed bench</c>.</summary>
internal sealed record BenchmarkResult(string Test, int Depth, int Threads, double TokensPerSecond, double Deviation, double WeightGigabytes, double PlainReadGigabytes)
{
    public double ReadShare => PlainReadGigabytes > 0 ? WeightGigabytes / PlainReadGigabytes : 0;
}

/// <summary>Times feeding of random tokens: whole (prefill) or one by one (decode). Medians, since machines are shared.</summary>
internal sealed class Benchmark(QedModel model, int repetitions, KvCacheType kvType)
{
    private readonly Dictionary<int, double> _plainRead = [];

    /// <summary>How keys and values were stored in the last test.</summary>
    public string KvType { get; private set; } = "";

    public BenchmarkResult Prefill(int tokens, int depth, int threads) =>
        Measure($"pp{tokens}", tokens, depth, threads, static (session, ids) => session.Feed(ids));

    public BenchmarkResult Decode(int tokens, int depth, int threads) =>
        Measure($"tg{tokens}", tokens, depth, threads, static (session, ids) =>
        {
            for (int i = 0; i < ids.Length; i++)
                session.Feed(ids.AsSpan(i, 1));
        });

    /// <summary>Memory that is resident now, in megabytes.</summary>
    public static double ResidentMegabytes() => Math.Round(Environment.WorkingSet / 1e6, 1);

    private BenchmarkResult Measure(string test, int tokens, int depth, int threads, Action<Session, int[]> feed)
    {
        if ((long)tokens + depth > model.Config.ContextLength)
            throw new UsageException($"{test} at depth {depth} exceeds the model's context of {model.Config.ContextLength}");
        using Session session = model.CreateSession(new SessionOptions
        {
            Threads = threads,
            ContextLength = tokens + depth,
            KvType = kvType,
        });
        KvType = session.KvType.ToString().ToLowerInvariant();
        var random = new Random(1);
        int[] ids = [.. Enumerable.Range(0, tokens).Select(_ => random.Next(model.Config.VocabSize))];
        if (depth > 0)
            session.Feed([.. Enumerable.Range(0, depth).Select(_ => random.Next(model.Config.VocabSize))]);

        var speeds = new double[repetitions];
        for (int r = -1; r < repetitions; r++) // the first run warms up and is not counted
        {
            session.Rollback(depth);
            long start = Stopwatch.GetTimestamp();
            feed(session, ids);
            if (r >= 0)
                speeds[r] = tokens / Stopwatch.GetElapsedTime(start).TotalSeconds;
        }
        Array.Sort(speeds);
        double median = repetitions % 2 == 1 ? speeds[repetitions / 2] : (speeds[repetitions / 2 - 1] + speeds[repetitions / 2]) / 2;
        double deviation = Math.Sqrt(speeds.Sum(s => (s - speeds.Average()) * (s - speeds.Average())) / Math.Max(1, repetitions - 1));

        if (!_plainRead.TryGetValue(threads, out double plain))
            _plainRead[threads] = plain = PlainRead.GigabytesPerSecond(model, threads);
        return new BenchmarkResult(test, depth, threads, median, deviation, median * model.WeightBytesPerToken / 1e9, plain);
    }
}
