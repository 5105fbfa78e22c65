using System.Runtime.ExceptionServices;

namespace QedEdge.Conversion;

/// <summary>Loops on several threads whose errors are those of a plain loop.</summary>
internal static class Work
{
    /// <summary>Runs a body for 0 … count − 1.</summary>
    /// <param name="count">How often.</param>
    /// <param name="threads">Threads to use, at least 1.</param>
    /// <param name="body">Takes the index.</param>
    /// <param name="cancellation">Stops between two.</param>
    public static void For(int count, int threads, Action<int> body, CancellationToken cancellation = default)
    {
        try
        {
            Parallel.For(0, count, new ParallelOptions { MaxDegreeOfParallelism = threads, CancellationToken = cancellation }, body);
        }
        catch (AggregateException exception)
        {
            ExceptionDispatchInfo.Throw(exception.Flatten().InnerExceptions[0]);
        }
    }
}
