namespace QedEdge.Memory;

/// <summary>The standard streams of a program.</summary>
internal static class StandardStreams
{
    private const int StandardInput = 0, StandardOutput = 1, StandardError = 2;

    /// <summary>A name of what standard input reads, or null where the system has none.</summary>
    public static string? InputName => OperatingSystem.IsWindows() ? null : "/dev/stdin";

    /// <summary>Standard input.</summary>
    public static Stream Input() => OperatingSystem.IsWindows() ? Console.OpenStandardInput() : new PosixStream(StandardInput);

    /// <summary>Standard output; each write is one of the system's, and one to a pipe whose reader has gone fails.</summary>
    public static Stream Output() => OperatingSystem.IsWindows() ? Console.OpenStandardOutput() : new PosixStream(StandardOutput);

    /// <summary>Standard error, as <see cref="Output"/>.</summary>
    public static Stream Error() => OperatingSystem.IsWindows() ? Console.OpenStandardError() : new PosixStream(StandardError);

    /// <summary>Whether a thread waits for input.</summary>
    public static bool IsWaiting => PosixStream.IsWaiting;

    /// <summary>Whether somebody types on standard input.</summary>
    public static bool InputIsTerminal => OperatingSystem.IsWindows() ? !Console.IsInputRedirected : PosixStream.IsTerminal(StandardInput);

    /// <summary>Whether somebody reads standard output on a terminal.</summary>
    public static bool OutputIsTerminal => OperatingSystem.IsWindows() ? !Console.IsOutputRedirected : PosixStream.IsTerminal(StandardOutput);

    /// <summary>The columns of the terminal on standard output, or null.</summary>
    public static int? OutputWidth => OperatingSystem.IsWindows() ? null : PosixStream.Width(StandardOutput);

    /// <summary>The columns of the terminal on standard error, or null.</summary>
    public static int? ErrorWidth => OperatingSystem.IsWindows() ? null : PosixStream.Width(StandardError);

    /// <summary>The rows of the terminal on standard error, or null.</summary>
    public static int? ErrorHeight => OperatingSystem.IsWindows() ? null : PosixStream.Height(StandardError);

    /// <summary>Whether somebody reads standard error on a terminal.</summary>
    public static bool ErrorIsTerminal => OperatingSystem.IsWindows() ? !Console.IsErrorRedirected : PosixStream.IsTerminal(StandardError);

    /// <summary>
    /// Takes the numbers of those that the caller closed (<c>2>&amp;-</c>). The next file to be opened would get them otherwise: the output, or the pipe on which .NET hears of signals,
    /// and an error message written there would be taken for signals. Only for reading, so that writing fails as if they were closed. This is a guard: where the system has no file for it, it is left.
    /// </summary>
    public static void KeepClosedOnesTaken()
    {
        if (OperatingSystem.IsWindows())
            return;
        for (int descriptor = StandardInput; descriptor <= StandardError; descriptor++)
        {
            if (!PosixStream.IsOpen(descriptor))
                Keep(); // the lowest number that is free: this one
        }
    }

    private static void Keep()
    {
        foreach (string path in (string[])["/dev/null", "/"]) // a folder can be neither written nor read, but is always there
        {
            if (InputFile.TryKeepOpen(path))
                return;
        }
    }
}
