using System.Diagnostics;

namespace QedEdge.Benchmarks;

/// <summary>The clock as a program sees it, which on a shared machine is not what the processor's name says.</summary>
internal static class ProcessorClock
{
    /// <summary>Cycles in a nanosecond, by a chain of multiplications that takes three for each: the best of several tries.</summary>
    public static double Gigahertz { get; } = Enumerable.Range(0, 20).Max(_ => Try());

    private static long _result; // the compiler must not find out that nobody needs it

    private static double Try()
    {
        const int Rounds = 1_000_000, Multiplications = 8;
        long a = Environment.TickCount64, b = a | 1;
        long start = Stopwatch.GetTimestamp();
        for (int i = 0; i < Rounds; i++)
        {
            // Each needs the one before, and multiplying by an unknown odd number cannot be folded: three cycles with every processor here.
            a *= b; a *= b; a *= b; a *= b;
            a *= b; a *= b; a *= b; a *= b;
        }
        double nanoseconds = Stopwatch.GetElapsedTime(start).TotalNanoseconds;
        Volatile.Write(ref _result, a);
        return 3.0 * Multiplications * Rounds / nanoseconds;
    }
}
