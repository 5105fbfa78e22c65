using System.Runtime.InteropServices;

namespace QedEdge.Memory;

/// <summary>
/// The terminal on standard input, key by key: it neither shows what is typed nor makes signals of Ctrl-C and Ctrl-Z. By the functions that .NET's console stands on: they know the
/// settings of each system, and give the terminal back when the process exits or is ended by a signal they hear of.
/// </summary>
internal static partial class TerminalKeys
{
    /// <summary>Whether a terminal can be read so.</summary>
    public static bool AreSupported => !OperatingSystem.IsWindows() && StandardStreams.InputIsTerminal && Signals.Initialize() != 0;

    /// <summary>Begins.</summary>
    /// <returns>Whether the terminal takes it.</returns>
    public static bool Begin() => SetSignals(0) != 0;

    /// <summary>Gives the terminal back as it was.</summary>
    public static void End()
    {
        _ = SetSignals(1);
        SetAsFound(1);
    }

    /// <summary>Calls methods when the terminal has another size, and when the program goes on that was stopped; on a thread of their own.</summary>
    public static IDisposable?[] Listen(Action onSize, Action onContinue)
    {
        return OperatingSystem.IsWindows() ? [] : [Signals.Listen(PosixSignal.SIGWINCH, Call(onSize)), Signals.Listen(PosixSignal.SIGCONT, Call(onContinue))];

        static Func<bool> Call(Action action) => () =>
        {
            action();
            return false; // .NET does its part
        };
    }

    /// <summary>Stops the program's job, as Ctrl-Z does elsewhere; returns when it goes on.</summary>
    public static void Stop()
    {
        const int Job = 0;
        if (!OperatingSystem.IsWindows())
            _ = Kill(Job, Signals.Number((int)PosixSignal.SIGTSTP));
    }

    // Key by key, with signals for keys or without.
    [LibraryImport("libSystem.Native", EntryPoint = "SystemNative_SetSignalForBreak")]
    private static partial int SetSignals(int signals);

    // As the terminal was found: what programs get that are started.
    [LibraryImport("libSystem.Native", EntryPoint = "SystemNative_ConfigureTerminalForChildProcess")]
    private static partial void SetAsFound(int found);

    [LibraryImport("libc", EntryPoint = "kill")]
    private static partial int Kill(int process, int signal);
}
