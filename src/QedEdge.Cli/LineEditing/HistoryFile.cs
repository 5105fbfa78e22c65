using System.Text;
using Microsoft.Win32.SafeHandles;
using QedEdge.Memory;

namespace QedEdge.Cli.LineEditing;

/// <summary>
/// Where lines outlive the program that they were typed in: a file for its owner alone, a line each (<c>\n</c> and <c>\\</c> within them), the last one last; the oldest go where it would be
/// too long. It is written as a whole or not at all. That it cannot be read or written is no error.
/// </summary>
/// <param name="path">The file.</param>
internal sealed class HistoryFile(string path)
{
    /// <summary>The usual place, <c>$XDG_STATE_HOME/qed/chat-history</c> or <c>~/.local/state/qed/chat-history</c>; null where there is none.</summary>
    public static HistoryFile? Find()
    {
        string? state = Environment.GetEnvironmentVariable("XDG_STATE_HOME");
        if (!Path.IsPathRooted(state))
            state = Environment.GetEnvironmentVariable("HOME") is { } home && Path.IsPathRooted(home) ? Path.Combine(home, ".local", "state") : null;
        return state is null ? null : new HistoryFile(Path.Combine(state, "qed", "chat-history"));
    }

    /// <summary>The lines.</summary>
    public List<string> Read()
    {
        try
        {
            return FileStatus.Of(path) is { Kind: FileKind.File } ? Lines() : [];
        }
        catch (Exception e) when (IsExpected(e))
        {
            return [];
        }
    }

    /// <summary>Adds a line to those that are there now: another session may have added some.</summary>
    public void Add(string line)
    {
        try
        {
            string folder = Path.GetDirectoryName(path)!;
            if (!OperatingSystem.IsWindows() && !FileStatus.Exists(folder))
                Directory.CreateDirectory(folder, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
            List<string> lines = Read();
            lines.Add(line);
            var texts = new List<byte[]>(lines.Count); // the last one first
            long bytes = 0;
            for (int i = lines.Count - 1; i >= 0; i--)
            {
                byte[] text = Encoding.UTF8.GetBytes(Escaped(lines[i]) + "\n");
                if ((bytes += text.Length) > RequestLimits.HistoryBytes)
                    break;
                texts.Add(text);
            }
            if (texts.Count == 0) // the line alone is too long
                return;
            using var file = new AtomicFile(path, overwrite: true, isPrivate: true);
            file.Fill(stream =>
            {
                for (int i = texts.Count - 1; i >= 0; i--)
                    stream.Write(texts[i]);
            }, flush: false);
        }
        catch (Exception e) when (IsExpected(e))
        {
            // What was typed goes on without it.
        }
    }

    private static bool IsExpected(Exception e) => e is QedException or IOException or UnauthorizedAccessException;

    private List<string> Lines()
    {
        using SafeFileHandle file = InputFile.OpenHandle(path);
        long length = RandomAccess.GetLength(file), begin = Math.Max(0, length - RequestLimits.HistoryBytes); // of a longer one, which another program wrote, the end
        byte[] bytes = new byte[length - begin];
        string text = Encoding.UTF8.GetString(bytes, 0, InputFile.Read(file, bytes, begin));
        var lines = new List<string>();
        for (int at = begin > 0 ? text.IndexOf('\n', StringComparison.Ordinal) + 1 : 0, end; (end = text.IndexOf('\n', at)) >= 0; at = end + 1)
            lines.Add(Unescaped(text.AsSpan(at, end - at)));
        return lines;
    }

    private static string Escaped(string line) => line.Replace("\\", "\\\\", StringComparison.Ordinal).Replace("\n", "\\n", StringComparison.Ordinal);

    private static string Unescaped(ReadOnlySpan<char> line)
    {
        var text = new StringBuilder(line.Length);
        for (int i = 0; i < line.Length; i++)
        {
            bool escapes = line[i] == '\\' && i + 1 < line.Length;
            text.Append(!escapes ? line[i] : line[++i] == 'n' ? '\n' : line[i]);
        }
        return text.ToString();
    }
}
