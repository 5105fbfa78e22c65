using Microsoft.Win32.SafeHandles;

namespace QedEdge.Memory;

/// <summary>Standard streams that a program's caller closed (<c>2>&amp;-</c>).</summary>
public static class StandardStreams
{
    /// <summary>Open until the process has ended.</summary>
    private static readonly List<SafeFileHandle> Kept = [];

    /// <summary>
    /// Takes their numbers. The next file to be opened would get them otherwise: the output, or the pipe on which .NET hears of signals,
    /// and an error message written there would be taken for signals. Only for reading, so that writing fails as if they were closed.
    /// </summary>
    public static void KeepClosedOnesTaken()
    {
        const int standardError = 2;
        if (OperatingSystem.IsWindows() || !File.Exists("/dev/null"))
            return;
        SafeFileHandle handle;
        do
        {
            handle = File.OpenHandle("/dev/null", FileMode.Open, FileAccess.Read, FileShare.ReadWrite);
            Kept.Add(handle);
        }
        while (handle.DangerousGetHandle() <= standardError);
    }
}
