using System.Globalization;

namespace QedEdge.Memory;

/// <summary>Names of the files that a model is split into: <c>NAME-00001-of-00003.gguf</c> and so on.</summary>
internal static class SplitNames
{
    /// <summary>Files of a split model at most.</summary>
    public const int Most = 1024;

    private const int Digits = 5;
    private const string Between = "-of-", Extension = ".gguf";

    /// <summary>What a file's name ends with.</summary>
    /// <param name="number">Which of the files, from 1.</param>
    /// <param name="count">How many there are.</param>
    public static string Ending(long number, long count) => string.Create(CultureInfo.InvariantCulture, $"-{number:00000}{Between}{count:00000}{Extension}");

    /// <summary>A file, or all files that are there of the split model that its name says it is of.</summary>
    public static string[] Of(string path)
    {
        int length = Ending(1, 1).Length;
        if (path.Length <= length || !path.EndsWith(Extension, StringComparison.Ordinal) || !int.TryParse(path.AsSpan(path.Length - Extension.Length - Digits, Digits), NumberStyles.None, CultureInfo.InvariantCulture, out int count)
            || !int.TryParse(path.AsSpan(path.Length - length + 1, Digits), NumberStyles.None, CultureInfo.InvariantCulture, out int number) || count > Most || !path.EndsWith(Ending(number, count), StringComparison.Ordinal))
        {
            return [path];
        }
        var files = new List<string> { path };
        for (int i = 1; i <= count; i++)
        {
            if (i != number && path[..^length] + Ending(i, count) is var other && FileStatus.Find(other)?.Kind == FileKind.File)
                files.Add(other);
        }
        return [.. files];
    }
}
