using System.Globalization;
using System.Text;

namespace QedEdge;

/// <summary>The base of every error that the library raises about a file, an input or a run. Its message is one line of at most 1,000 characters.</summary>
public class QedException : Exception
{
    private const int Longest = 1000, End = 300;

    /// <summary>Creates the error.</summary>
    /// <param name="message">What was wrong, where, and where it helps what to do. Whatever it quotes, it becomes one line.</param>
    /// <param name="inner">The cause, if another error caused it.</param>
    public QedException(string message, Exception? inner = null) : base(Line(message), inner) { }

    /// <summary>The error for a text or another input that cannot be read.</summary>
    /// <param name="path">The file.</param>
    /// <param name="exception">What the system said.</param>
    public static QedException Unreadable(string path, Exception exception) => new($"{path}: " + exception switch
    {
        _ when Memory.FileStatus.IsFolder(path) => "is a folder; name a file in it",
        FileNotFoundException or DirectoryNotFoundException => "there is no such file",
        UnauthorizedAccessException => "no permission to read it",
        _ => $"cannot be read: {FirstLine(exception)}",
    }, exception);

    /// <summary>Names, values and what the class library says can hold anything. Where it is too long the middle goes: the place stands at the beginning, the remedy at the end.</summary>
    private static string Line(string message)
    {
        message = Printable(message.ReplaceLineEndings(" "));
        if (message.Length > Longest)
            message = $"{message.AsSpan(0, Longest - End - 1)}…{message.AsSpan(message.Length - End)}";
        return message;
    }

    /// <summary>Text with its control characters and those that turn its direction as JSON writes them, <c>\u001b</c>: no terminal obeys that.</summary>
    internal static string Printable(string text)
    {
        var line = new StringBuilder(text.Length);
        foreach (char c in text)
        {
            if (char.IsControl(c) || c is '\u061C' or '\u200E' or '\u200F' or (>= '\u2028' and <= '\u202E') or (>= '\u2066' and <= '\u2069'))
                line.Append("\\u").Append(((int)c).ToString("x4", CultureInfo.InvariantCulture));
            else
                line.Append(c);
        }
        return line.ToString();
    }

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
