using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace QedEdge.CommandLine;

/// <summary>
/// Ctrl-C, SIGTERM and SIGHUP as a token: the work ends at the next step, what it printed stays, and what it was writing is removed.
/// A second signal ends the process at once: a hanging disk need not be waited for. So does the first one where the program waits
/// for input, or begins to after the signal: no step comes that could see the token.
/// </summary>
public sealed class Interrupt : IDisposable
{
    private static readonly TimeSpan BetweenLooks = TimeSpan.FromMilliseconds(20);

    private readonly CancellationTokenSource _source = new(); // left to the collector: a handler may be running still
    private readonly PosixSignalRegistration?[] _registrations;
    private int _signals;
    private volatile bool _disposed;

    /// <summary>Begins to listen.</summary>
    public Interrupt() => _registrations = [Listen(PosixSignal.SIGINT, Handle), Listen(PosixSignal.SIGTERM, Handle), Listen(PosixSignal.SIGHUP, Handle)];

    /// <summary>Whether a thread of the program waits for input; set once, by Main.</summary>
    public static Func<bool> IsWaiting { get; set; } = () => false;

    /// <summary>Cancelled by the first signal.</summary>
    public CancellationToken Token => _source.Token;

    /// <summary>
    /// Listens to a signal; null where the system has no thread or pipe for it. Then the signal keeps its effect and ends the program at once: a run that cannot be ended in order is better than none.
    /// </summary>
    public static PosixSignalRegistration? Listen(PosixSignal signal, Action<PosixSignalContext> handler)
    {
        try
        {
            // First, lest it fail within the next call: a registration made in vain would end the program when it is collected.
            RuntimeHelpers.RunClassConstructor(typeof(PosixSignalRegistration).TypeHandle);
            return PosixSignalRegistration.Create(signal, handler);
        }
        catch (Exception e) when (e is TypeInitializationException or IOException or UnauthorizedAccessException or OutOfMemoryException)
        {
            return null;
        }
    }

    /// <summary>Signals do again what they did before.</summary>
    public void Dispose()
    {
        _disposed = true;
        foreach (PosixSignalRegistration? registration in _registrations)
            registration?.Dispose();
    }

    /// <summary>Runs on a thread of its own; what it leaves in <see cref="PosixSignalContext.Cancel"/> counts when it returns.</summary>
    private void Handle(PosixSignalContext context)
    {
        if (Interlocked.Increment(ref _signals) > 1)
            return;
        _source.Cancel();
        // Twice in a row: a pipe that is being read waits for a moment now and then.
        for (bool waited = false, waits = IsWaiting(); !_disposed && !(waited && waits); waited = waits, waits = IsWaiting())
            Thread.Sleep(BetweenLooks);
        context.Cancel = _disposed;
    }
}
