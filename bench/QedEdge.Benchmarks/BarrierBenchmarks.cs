using BenchmarkDotNet.Attributes;
using QedEdge.Threading;

namespace QedEdge.Benchmarks;

/// <summary>
/// What it costs a team to meet, and to be called together for a piece of work. Run with
/// <c>dotnet run --project bench/QedEdge.Benchmarks -c Release -- --filter *Barrier*</c>.
/// </summary>
public class BarrierBenchmarks
{
    private const int Barriers = 1000;

    private readonly Meetings _meetings;
    private WorkerTeam _team = null!;

    public BarrierBenchmarks() => _meetings = new Meetings(this);

    [Params(2, 3, 4)]
    public int Threads { get; set; }

    [GlobalSetup]
    public void Setup() => _team = new WorkerTeam(Threads);

    [GlobalCleanup]
    public void Cleanup() => _team.Dispose();

    [Benchmark(OperationsPerInvoke = Barriers)]
    public void Barrier()
    {
        _meetings.Count = Barriers;
        _team.Run(_meetings);
    }

    [Benchmark]
    public void Round()
    {
        _meetings.Count = 0;
        _team.Run(_meetings);
    }

    private sealed class Meetings(BarrierBenchmarks owner) : ITeamWork
    {
        public int Count { get; set; }

        public void Execute(int worker)
        {
            for (int i = 0; i < Count; i++)
                owner._team.Barrier(worker);
        }
    }
}
