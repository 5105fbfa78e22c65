using System.Runtime.InteropServices;
using QedEdge.Memory;

namespace QedEdge.Cli;

/// <summary>Ctrl-C and SIGTERM as a token: the work ends at the next step, what was printed stays. A second signal ends the process.</summary>
internal sealed class Interrupt : IDisposable
{
    private readonly CancellationTokenSource _source = new();
    private readonly PosixSignalRegistration _interrupt;
    private readonly PosixSignalRegistration _terminate;

    public Interrupt()
    {
        _interrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, Cancel);
        _terminate = PosixSignalRegistration.Create(PosixSignal.SIGTERM, Cancel);
    }

    public CancellationToken Token => _source.Token;

    public void Dispose()
    {
        _interrupt.Dispose();
        _terminate.Dispose();
        // The source is left to the collector: a handler may be running still.
    }

    private void Cancel(PosixSignalContext context)
    {
        context.Cancel = !_source.IsCancellationRequested && !StandardStreams.IsWaiting; // who waits for input is ended at once
        _source.Cancel();
    }
}
