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
    private readonly IDisposable?[] _listeners;
    private int _signals;
    private volatile bool _disposed;
    private static Interrupt? _newest;

    /// <summary>Begins to listen.</summary>
    public Interrupt()
    {
        _listeners = [ListenTo(PosixSignal.SIGINT), ListenTo(PosixSignal.SIGTERM), ListenTo(PosixSignal.SIGHUP)];
        _newest = this;
    }

    /// <summary>The token of whoever listens now, for work that every command begins with; none where nobody listens.</summary>
    public static CancellationToken Current => _newest is { _disposed: false } newest ? newest.Token : CancellationToken.None;

    /// <summary>Calls a method when a signal comes, which says whether the signal is to have no effect; null where nobody can listen. Set once, by Main.</summary>
    public static Func<PosixSignal, Func<bool>, IDisposable?> Listen { get; set; } = static (_, _) => null;

    /// <summary>Gives a signal its usual effect; set once, by Main.</summary>
    public static Action<PosixSignal> Act { get; set; } = static _ => { };

    /// <summary>Whether a thread of the program waits for input; set once, by Main.</summary>
    public static Func<bool> IsWaiting { get; set; } = () => false;

    /// <summary>Cancelled by the first signal.</summary>
    public CancellationToken Token => _source.Token;

    /// <summary>Signals do again what they did before.</summary>
    public void Dispose()
    {
        _disposed = true;
        foreach (IDisposable? listener in _listeners)
            listener?.Dispose();
    }

    private IDisposable? ListenTo(PosixSignal signal) => Listen(signal, () => Handle(signal));

    private bool Handle(PosixSignal signal)
    {
        if (Interlocked.Increment(ref _signals) > 1)
            return false;
        _source.Cancel();
        try
        {
            new Thread(() => EndWhereItWaits(signal), 64 * 1024) { IsBackground = true, Name = "qed signal" }.Start();
        }
        catch (Exception e) when (e is OutOfMemoryException or ThreadStartException)
        {
            return !IsWaiting(); // nobody can look later: a program that waits then is ended by the second signal
        }
        return true;
    }

    private void EndWhereItWaits(PosixSignal signal)
    {
        // Twice in a row: a pipe that is being read waits for a moment now and then.
        for (bool waited = false, waits = IsWaiting(); !_disposed && !(waited && waits); waited = waits, waits = IsWaiting())
            Thread.Sleep(BetweenLooks);
        if (!_disposed)
            Act(signal);
    }
}
