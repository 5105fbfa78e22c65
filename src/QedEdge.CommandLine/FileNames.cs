using System.Text.Unicode;

namespace QedEdge.CommandLine;

/// <summary>
/// Words and folders that are no UTF-8, which a system allows. .NET puts U+FFFD in place of such bytes: a file that is there would not be found, and an output would get another name.
/// </summary>
internal static class FileNames
{
    private const char Replacement = '\uFFFD';

    /// <summary>Refuses a command line with a word that is no UTF-8.</summary>
    /// <exception cref="UsageException">There is one.</exception>
    public static void CheckWords(ReadOnlySpan<string> words)
    {
        if (!OperatingSystem.IsLinux())
            return;
        foreach (string word in words)
        {
            if (word.Contains(Replacement) && Bytes(word) is { } shown)
                throw new UsageException($"'{shown}' is no UTF-8; rename the file, or write the text in UTF-8");
        }
    }

    /// <summary>Refuses names of files that are looked up in a folder whose own name is no UTF-8.</summary>
    /// <exception cref="UsageException">There is one.</exception>
    public static void CheckFolder(IEnumerable<string> files)
    {
        if (files.FirstOrDefault(file => !Path.IsPathRooted(file)) is { } relative && Environment.CurrentDirectory is var folder && folder.Contains(Replacement) && !Directory.Exists(folder))
            throw new UsageException($"{relative}: the name of the folder it is looked up in is no UTF-8; rename {folder}, or start the program elsewhere");
    }

    /// <summary>The first word that is no UTF-8, its bytes made visible; null where all are, and somebody has typed the character itself.</summary>
    private static string? Bytes(string word)
    {
        byte[] line;
        try
        {
            line = File.ReadAllBytes("/proc/self/cmdline"); // words, each with a zero behind it
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return word; // who knows; an output must not get another name
        }
        foreach (Range range in line.AsSpan().Split((byte)0))
        {
            if (!Utf8.IsValid(line.AsSpan(range)))
                return string.Concat(line[range].Select(value => value is > 0x1F and < 0x7F ? ((char)value).ToString() : $"\\x{value:x2}"));
        }
        return null;
    }
}
