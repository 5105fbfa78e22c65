namespace QedEdge;

/// <summary>The base of every error that the library raises about a file, an input or a run. Its message is one line.</summary>
public class QedException : Exception
{
    /// <summary>Creates the error.</summary>
    /// <param name="message">One line: what was wrong, where, and where it helps what to do.</param>
    /// <param name="inner">The cause, if another error caused it.</param>
    public QedException(string message, Exception? inner = null) : base(message, inner) { }

    /// <summary>The error for a text or another input that cannot be read.</summary>
    /// <param name="path">The file.</param>
    /// <param name="exception">What the system said.</param>
    public static QedException Unreadable(string path, Exception exception) => new($"{path}: " + exception switch
    {
        _ when Directory.Exists(path) => "is a folder; name a file in it",
        FileNotFoundException or DirectoryNotFoundException => "there is no such file",
        UnauthorizedAccessException => "no permission to read it",
        _ => $"cannot be read: {FirstLine(exception)}",
    }, exception);

    /// <summary>The first line of another error's message, short and printable.</summary>
    internal static string FirstLine(Exception exception) => ModelFormatException.OneLine(exception.Message.Split('\n', 2)[0].TrimEnd());
}

/// <summary>An option or argument of the caller's is out of range; nothing was computed or stored.</summary>
public sealed class InvalidOptionException : QedException
{
    /// <summary>Creates the error.</summary>
    /// <param name="message">One line: which option, what it may be, what it was.</param>
    public InvalidOptionException(string message) : base(message) { }
}
