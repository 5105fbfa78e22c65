using System.Runtime.ExceptionServices;

namespace QedEdge.Conversion;

/// <summary>
/// Loops on several threads whose errors are those of a plain loop. The threads are the loop's own: .NET's pool ends the process where it cannot start one, this goes on with those that started.
/// </summary>
internal static class Work
{
    /// <summary>Runs a body for 0 … count − 1.</summary>
    /// <param name="count">How often.</param>
    /// <param name="threads">Threads to use, at least 1.</param>
    /// <param name="body">Takes the index.</param>
    /// <param name="cancellation">Stops between two.</param>
    public static void For(int count, int threads, Action<int> body, CancellationToken cancellation = default)
    {
        var loop = new Loop(count, body, cancellation);
        var helpers = new List<Thread>();
        try
        {
            while (helpers.Count < Math.Min(threads, count) - 1)
            {
                var helper = new Thread(loop.Run) { IsBackground = true };
                helper.Start();
                helpers.Add(helper);
            }
        }
        catch (Exception e) when (e is OutOfMemoryException or ThreadStartException)
        {
            // The system allows no more.
        }
        loop.Run();
        foreach (Thread helper in helpers)
            helper.Join();
        loop.ThrowFault();
    }

    /// <summary>Indices are taken in order and each that was taken is done, so the fault of the lowest index is the one that a plain loop would have met.</summary>
    private sealed class Loop(int count, Action<int> body, CancellationToken cancellation)
    {
        private readonly Lock _entry = new();
        private int _next = -1;
        private int _faultIndex = int.MaxValue;
        private volatile ExceptionDispatchInfo? _fault;

        public void Run()
        {
            while (_fault is null && Interlocked.Increment(ref _next) is var index && index < count)
            {
                try
                {
                    cancellation.ThrowIfCancellationRequested();
                    body(index);
                }
                catch (Exception e)
                {
                    Keep(index, e);
                }
            }
        }

        public void ThrowFault() => _fault?.Throw();

        private void Keep(int index, Exception e)
        {
            lock (_entry)
            {
                if (index > _faultIndex)
                    return;
                _faultIndex = index;
                _fault = ExceptionDispatchInfo.Capture(e);
            }
        }
    }
}
