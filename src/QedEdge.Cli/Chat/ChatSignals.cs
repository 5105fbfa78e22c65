using System.Runtime.InteropServices;
using QedEdge.Memory;

namespace QedEdge.Cli.Chat;

/// <summary>Ctrl-C stops the answer and not the program; SIGTERM ends both.</summary>
internal sealed class ChatSignals : IDisposable
{
    private readonly IDisposable? _interrupt, _terminate;
    private readonly Action _onIdle;
    private CancellationTokenSource? _answer;

    /// <param name="onIdle">Called for a Ctrl-C while there is no answer.</param>
    public ChatSignals(Action onIdle)
    {
        _onIdle = onIdle;
        _interrupt = Signals.Listen(PosixSignal.SIGINT, () =>
        {
            if (Volatile.Read(ref _answer) is { } answer)
                answer.Cancel();
            else
                _onIdle();
            return true;
        });
        _terminate = Signals.Listen(PosixSignal.SIGTERM, () =>
        {
            IsEnding = true;
            if (Volatile.Read(ref _answer) is not { } answer)
                return false; // waiting for input: the signal does what it does
            answer.Cancel();
            return true;
        });
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
        _interrupt?.Dispose();
        _terminate?.Dispose();
    }
}
