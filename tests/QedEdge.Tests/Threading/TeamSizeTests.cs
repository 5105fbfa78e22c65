using System.Diagnostics;
using QedEdge.Threading;

namespace QedEdge.Tests.Threading;

public class TeamSizeTests
{
    private static readonly long Millisecond = Stopwatch.Frequency / 1000;

    [Fact]
    public void AllMembersWork_WhileTheCallerSleepsLittle()
    {
        var size = new TeamSize(4);
        for (int i = 0; i < 1000; i++)
        {
            Assert.Equal(4, size.Next(i * Millisecond));
            size.Report(i * Millisecond, Millisecond, Millisecond / 5); // 1/5 is less than 1/4
        }
    }

    [Fact]
    public void OneMemberFewer_AfterTheCallerSleptMoreThanItsShare()
    {
        var size = new TeamSize(2);
        size.Report(0, 10 * Millisecond, 6 * Millisecond);
        Assert.Equal(1, size.Next(0));
    }

    [Fact]
    public void NobodyIsJudgedByOnePieceOfAMicrosecond()
    {
        var size = new TeamSize(2);
        size.Report(0, Millisecond, Millisecond);
        Assert.Equal(2, size.Next(0));
    }

    [Fact]
    public void LeftOut_IsTriedAgain_LaterEachTimeItFails()
    {
        var size = new TeamSize(2);
        long now = 0, last = 0;
        var pauses = new List<long>();
        for (int failures = 0; failures < 8; now += Millisecond)
        {
            if (size.Next(now) == 1)
            {
                size.Report(now, Millisecond, 0);
                continue;
            }
            if (failures++ > 0)
                pauses.Add(now - last);
            last = now;
            size.Report(now, 10 * Millisecond, 9 * Millisecond);
        }
        Assert.All(pauses.Zip(pauses.Skip(1)), p => Assert.True(p.Second >= p.First));
        Assert.InRange(pauses[0], 100 * Millisecond, 101 * Millisecond);
        Assert.InRange(pauses[^1], 2000 * Millisecond, 2001 * Millisecond);
    }

    [Fact]
    public void AfterTheirPause_MembersComeBackOneByOne_EachJudgedBeforeTheNext()
    {
        var size = new TeamSize(4);
        size.Report(0, 10 * Millisecond, 9 * Millisecond);
        size.Report(0, 10 * Millisecond, 9 * Millisecond);
        Assert.Equal(2, size.Next(0));
        long now = 1000 * Millisecond;
        for (int expected = 3; expected <= 4; expected++)
        {
            for (int i = 0; i < 5; i++) // 5 ms of work are a judgement
            {
                Assert.Equal(expected, size.Next(now));
                size.Report(now, Millisecond, 0);
            }
        }
    }
}
