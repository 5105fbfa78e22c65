using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace QedEdge.Memory;

/// <summary>The limit on file sizes (<c>ulimit -f</c>): its signal would end the process at once and leave the temporary file.</summary>
internal static unsafe partial class FileSizeLimit
{
    private const int Exceeded = 25; // SIGXFSZ on Linux and macOS
    private const nint Ignore = 1;   // SIG_IGN

    /// <summary>Whether an error is .NET's for EFBIG: the limit, or the file system's own.</summary>
    internal static bool IsReached(Exception exception) => exception is ArgumentOutOfRangeException { ParamName: "value" };

    /// <summary>From now on, writing beyond the limit fails as on a full disk. For programs: what a signal does belongs to the whole process.</summary>
    public static void BecomeAnError()
    {
        // Not by PosixSignalRegistration: that takes a thread and a pipe, which a locked-down system may refuse.
        if (!OperatingSystem.IsWindows())
            _ = Signal(Exceeded, Ignore);
    }

    /// <summary>The same for this thread until <see cref="Quiet.Dispose"/>: a library leaves its host's signals as they are.</summary>
    public static Quiet Keep()
    {
        Quiet quiet = default;
        if (!OperatingSystem.IsLinux())
            return quiet;
        SignalSet set = Only();
        SignalSet waiting;
        quiet.Holds = GetPending(&waiting) == 0 && HasMember(&waiting, Exceeded) == 0 // one that waits already is the host's
            && SetMask(SignalSet.Block, &set, &quiet.Before) == 0;
        return quiet;
    }

    private static SignalSet Only()
    {
        SignalSet set;
        _ = Empty(&set);
        _ = Add(&set, Exceeded);
        return set;
    }

    /// <summary>A thread that does not get the signal.</summary>
    internal ref struct Quiet
    {
        internal bool Holds;
        internal SignalSet Before;

        /// <summary>Takes away the signal that writing has brought, and lets others come again.</summary>
        public readonly void Dispose()
        {
            if (!Holds)
                return;
            SignalSet set = Only(), before = Before;
            TimeSpec none = default;
            while (Take(&set, null, &none) == Exceeded)
            {
                // Each write beyond the limit sends one, and only one waits at a time.
            }
            _ = SetMask(SignalSet.Set, &before, null);
        }
    }

    /// <summary><c>sigset_t</c> of glibc and musl.</summary>
    [InlineArray(16)]
    internal struct SignalSet
    {
        public const int Block = 0, Set = 2; // SIG_BLOCK, SIG_SETMASK

        private ulong _bits;
    }

    private struct TimeSpec
    {
        public nint Seconds, Nanoseconds;
    }

    [LibraryImport("libc", EntryPoint = "sigemptyset")]
    private static partial int Empty(SignalSet* set);

    [LibraryImport("libc", EntryPoint = "sigaddset")]
    private static partial int Add(SignalSet* set, int signal);

    [LibraryImport("libc", EntryPoint = "sigismember")]
    private static partial int HasMember(SignalSet* set, int signal);

    [LibraryImport("libc", EntryPoint = "sigpending")]
    private static partial int GetPending(SignalSet* set);

    [LibraryImport("libc", EntryPoint = "pthread_sigmask")]
    private static partial int SetMask(int how, SignalSet* set, SignalSet* before);

    [LibraryImport("libc", EntryPoint = "sigtimedwait")]
    private static partial int Take(SignalSet* set, void* info, TimeSpec* timeout);

    [LibraryImport("libc", EntryPoint = "signal")]
    private static partial nint Signal(int number, nint action);
}
