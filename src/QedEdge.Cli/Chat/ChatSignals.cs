using System.Runtime.InteropServices;
using QedEdge.Memory;

namespace QedEdge.Cli.Chat;

/// <summary>Ctrl-C stops the answer and not the program; SIGTERM and its like end both.</summary>
internal sealed class ChatSignals : IDisposable
{
    private readonly IDisposable?[] _signals;
    private CancellationTokenSource? _answer;

    /// <param name="onIdle">Called for a Ctrl-C while there is no answer; says whether the program goes on.</param>
    /// <param name="onEnd">Called before a signal ends the program while there is no answer.</param>
    public ChatSignals(Func<bool> onIdle, Action onEnd)
    {
        _signals = [Signals.Listen(PosixSignal.SIGINT, () => Cancel() || onIdle()), Ending(PosixSignal.SIGTERM, onEnd), Ending(PosixSignal.SIGHUP, onEnd)];
    }

    /// <summary>Whether the program is to end.</summary>
    public bool IsEnding
    {
        get => Volatile.Read(ref field);
        private set => Volatile.Write(ref field, value);
    }

    /// <summary>Runs an answer that a signal can cancel.</summary>
    public T Run<T>(Func<CancellationToken, T> answer)
    {
        var source = new CancellationTokenSource(); // not disposed: a handler may be running still when the answer ends
        Volatile.Write(ref _answer, source);
        try
        {
            return answer(source.Token);
        }
        finally
        {
            Volatile.Write(ref _answer, null);
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (IDisposable? signal in _signals)
            signal?.Dispose();
    }

    private IDisposable? Ending(PosixSignal signal, Action onEnd) => Signals.Listen(signal, () =>
    {
        IsEnding = true;
        if (Cancel())
            return true;
        onEnd();
        return false; // waiting for input: the signal does what it does
    });

    private bool Cancel()
    {
        CancellationTokenSource? answer = Volatile.Read(ref _answer);
        answer?.Cancel();
        return answer is not null;
    }
}
