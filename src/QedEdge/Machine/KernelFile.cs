using System.Globalization;
using System.Text;
using QedEdge.Memory;

namespace QedEdge.Machine;

/// <summary>Small text files in which Linux tells of itself; what is not there, or no longer, is empty.</summary>
internal static class KernelFile
{
    /// <summary>All lines.</summary>
    public static string[] Lines(string path)
    {
        try
        {
            return Encoding.UTF8.GetString(InputFile.ReadAllBytes(path)).Split('\n', StringSplitOptions.RemoveEmptyEntries);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return []; // another system, or the file system is not mounted
        }
    }

    /// <summary>The number in the first line that begins with a word; null where there is none, as for "max".</summary>
    public static long? Number(string path, string word = "")
    {
        foreach (string line in Lines(path))
        {
            if (line.StartsWith(word, StringComparison.Ordinal))
                return Parse(line.AsSpan(word.Length).Trim().TrimEnd(" kB"));
        }
        return null;
    }

    /// <summary>A whole number, or null.</summary>
    public static long? Parse(ReadOnlySpan<char> text) => long.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out long number) ? number : null;
}
