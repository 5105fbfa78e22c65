using System.Runtime.InteropServices;

namespace QedEdge.Memory;

/// <summary>
/// Signals that a program hears of. Not by .NET's own registrations: these start a thread for each signal, and where the system has no thread more that ends the process with a trace.
/// Handlers run on the one thread that the runtime's native part has for signals from the first <see cref="Listen"/> on.
/// </summary>
internal static unsafe partial class Signals
{
    private static readonly Func<bool>?[] Handlers = new Func<bool>?[8]; // by -PosixSignal

    /// <summary>
    /// Calls a method for each signal; where it returns false, or throws, the signal does what it usually does: it ends the process. The method is short, for the next signal waits for it.
    /// </summary>
    /// <param name="signal">SIGHUP, SIGINT, SIGTERM; or SIGCONT and SIGWINCH, which end nothing.</param>
    /// <param name="handler">The only one of this signal.</param>
    /// <returns>Ends it; null where the system has no thread or pipe for it. Then the signal keeps its effect: a run that cannot be ended in order is better than none.</returns>
    public static IDisposable? Listen(PosixSignal signal, Func<bool> handler)
    {
        if (OperatingSystem.IsWindows())
            return PosixSignalRegistration.Create(signal, context => context.Cancel = handler());
        if (Initialize() == 0)
            return null;
        SetHandler(&OnSignal);
        Volatile.Write(ref Handlers[-(int)signal], handler);
        return Enable(Number((int)signal)) != 0 ? new Listener(signal) : null;
    }

    /// <summary>Lets a signal do what it usually does, after its handler has returned true.</summary>
    public static void Act(PosixSignal signal)
    {
        if (OperatingSystem.IsWindows())
            Environment.Exit(128 - (int)signal);
        Usual(Number((int)signal));
    }

    [UnmanagedCallersOnly]
    private static int OnSignal(int number, int signal)
    {
        try
        {
            return -signal > 0 && -signal < Handlers.Length && Volatile.Read(ref Handlers[-signal]) is { } handler && handler() ? 1 : 0;
        }
        catch (Exception)
        {
            return 0; // as if nobody had listened: the caller is native code
        }
    }

    private sealed class Listener(PosixSignal signal) : IDisposable
    {
        /// <summary>The signal does again what it did before.</summary>
        public void Dispose()
        {
            Disable(Number((int)signal));
            Volatile.Write(ref Handlers[-(int)signal], null);
        }
    }

    // What PosixSignalRegistration itself stands on.

    /// <summary>Prepares the runtime's native part for signals and for the terminal; 0 where it fails.</summary>
    [LibraryImport("libSystem.Native", EntryPoint = "SystemNative_InitializeTerminalAndSignalHandling")]
    internal static partial int Initialize();

    [LibraryImport("libSystem.Native", EntryPoint = "SystemNative_SetPosixSignalHandler")]
    private static partial void SetHandler(delegate* unmanaged<int, int, int> handler);

    /// <summary>The system's number of a <see cref="PosixSignal"/>.</summary>
    [LibraryImport("libSystem.Native", EntryPoint = "SystemNative_GetPlatformSignalNumber")]
    internal static partial int Number(int signal);

    [LibraryImport("libSystem.Native", EntryPoint = "SystemNative_EnablePosixSignalHandling")]
    private static partial int Enable(int number);

    [LibraryImport("libSystem.Native", EntryPoint = "SystemNative_DisablePosixSignalHandling")]
    private static partial void Disable(int number);

    [LibraryImport("libSystem.Native", EntryPoint = "SystemNative_HandleNonCanceledPosixSignal")]
    private static partial void Usual(int number);
}
