using QedEdge.Conversion;

namespace QedEdge.Tests.Conversion;

/// <summary>Loops on several threads: everything is done once, and errors are those of a plain loop.</summary>
public sealed class WorkTests
{
    private const int Count = 1000;

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(7)]
    [InlineData(2 * Count)]
    public void EveryIndex_IsDoneOnce(int threads)
    {
        int[] done = new int[Count];
        Work.For(Count, threads, index => Interlocked.Increment(ref done[index]));
        Assert.All(done, static times => Assert.Equal(1, times));
        Work.For(0, threads, _ => Assert.Fail("there is nothing to do"));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(8)]
    public void TheFirstFault_IsTheOneOfTheLowestIndex(int threads)
    {
        for (int i = 0; i < 100; i++)
        {
            var fault = Assert.Throws<QedException>(() => Work.For(Count, threads, index =>
            {
                if (index >= 10)
                    throw new QedException($"{index}");
            }));
            Assert.Equal("10", fault.Message);
        }
    }

    [Fact]
    public void ACancelledLoop_Ends()
    {
        using var source = new CancellationTokenSource();
        int done = 0;
        Assert.Throws<OperationCanceledException>(() => Work.For(Count, 4, _ =>
        {
            Interlocked.Increment(ref done);
            source.Cancel();
        }, source.Token));
        Assert.InRange(done, 1, 4);
    }
}
