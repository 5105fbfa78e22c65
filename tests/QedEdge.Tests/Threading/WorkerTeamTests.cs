using QedEdge.Threading;

namespace QedEdge.Tests.Threading;

public class WorkerTeamTests
{
    [Fact]
    public void WorkerTeam_ManyThreadsAndBarriers_CountRight()
    {
        using var team = new WorkerTeam(8);
        var work = new CountingWork(team);
        int expected = 0;
        for (int round = 0; round < 200; round++)
        {
            team.Run(work);
            expected += 50 * team.Active;
        }
        Assert.Equal(expected, work.Count);
    }

    [Fact]
    public void WorkerTeam_AFailingMember_IsReportedAndTheTeamGoesOn()
    {
        using var team = new WorkerTeam(3);
        Assert.Throws<QedException>(() => team.Run(new FailingWork(team)));
        var work = new CountingWork(team);
        team.Run(work);
        Assert.Equal(50 * team.Active, work.Count);
    }

    private sealed class CountingWork(WorkerTeam team) : ITeamWork
    {
        private int _count;

        public int Count => _count;

        public void Execute(int worker)
        {
            for (int i = 0; i < 50; i++)
            {
                int before = Volatile.Read(ref _count);
                team.Barrier(worker);
                Interlocked.Increment(ref _count);
                team.Barrier(worker);
                Assert.Equal(before + team.Active, Volatile.Read(ref _count));
                team.Barrier(worker);
            }
        }
    }

    private sealed class FailingWork(WorkerTeam team) : ITeamWork
    {
        public void Execute(int worker)
        {
            if (worker == 1)
                throw new ArithmeticException("on purpose");
            team.Barrier(worker);
        }
    }
}
