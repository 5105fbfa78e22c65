using System.Runtime.InteropServices;

namespace QedEdge.Memory;

/// <summary>The limit on file sizes (<c>ulimit -f</c>): its signal would end the process at once and leave the temporary file.</summary>
internal static class FileSizeLimit
{
    private const PosixSignal Exceeded = (PosixSignal)25; // SIGXFSZ on Linux and macOS

    /// <summary>Whether an error is .NET's for EFBIG: the limit, or the file system's own.</summary>
    internal static bool IsReached(Exception exception) => exception is ArgumentOutOfRangeException { ParamName: "value" };

    /// <summary>From now on, writing beyond the limit fails as on a full disk.</summary>
    public static void BecomeAnError()
    {
        if (OperatingSystem.IsWindows())
            return;
        // Kept until the process has ended: without it, a signal that waits to be handled would end the process after all.
        _ = GCHandle.Alloc(PosixSignalRegistration.Create(Exceeded, static context => context.Cancel = true));
    }
}
