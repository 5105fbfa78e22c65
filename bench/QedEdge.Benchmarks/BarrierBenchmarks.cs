using BenchmarkDotNet.Attributes;
using QedEdge.Threading;

namespace QedEdge.Benchmarks;

/// <summary>
/// What it costs a team to meet. A team that finds itself waiting goes on with fewer members after 5 ms, so each run has a new one and is shorter. Run with
/// <c>dotnet run --project bench/QedEdge.Benchmarks -c Release -- --filter *Barrier*</c>.
/// </summary>
[SimpleJob(invocationCount: 1, iterationCount: 30)]
public class BarrierBenchmarks
{
    private const int Barriers = 4000;

    private readonly Meetings _meetings;
    private WorkerTeam _team = null!;

    public BarrierBenchmarks() => _meetings = new Meetings(this);

    [Params(1, 2)]
    public int Threads { get; set; }

    [IterationSetup]
    public void Setup() => _team = new WorkerTeam(Threads);

    [IterationCleanup]
    public void Cleanup() => _team.Dispose();

    [Benchmark(OperationsPerInvoke = Barriers)]
    public void Barrier() => _team.Run(_meetings);

    private sealed class Meetings(BarrierBenchmarks owner) : ITeamWork
    {
        public void Execute(int worker)
        {
            for (int i = 0; i < Barriers; i++)
                owner._team.Barrier(worker);
        }
    }
}
