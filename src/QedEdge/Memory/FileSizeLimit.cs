using System.Runtime.InteropServices;

namespace QedEdge.Memory;

/// <summary>The limit on file sizes (<c>ulimit -f</c>): its signal would end the process at once and leave the temporary file.</summary>
internal static partial class FileSizeLimit
{
    private const int Exceeded = 25; // SIGXFSZ on Linux and macOS
    private const nint Ignore = 1;   // SIG_IGN

    /// <summary>Whether an error is .NET's for EFBIG: the limit, or the file system's own.</summary>
    internal static bool IsReached(Exception exception) => exception is ArgumentOutOfRangeException { ParamName: "value" };

    /// <summary>From now on, writing beyond the limit fails as on a full disk.</summary>
    public static void BecomeAnError()
    {
        // Not by PosixSignalRegistration: that takes a thread and a pipe, which a locked-down system may refuse.
        if (!OperatingSystem.IsWindows())
            _ = Signal(Exceeded, Ignore);
    }

    [LibraryImport("libc", EntryPoint = "signal")]
    private static partial nint Signal(int number, nint action);
}
