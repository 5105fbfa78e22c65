using System.Text;
using System.Text.Json;
using QedEdge.Memory;

namespace QedEdge.Cli.Json;

/// <summary>Files with one JSON object per line.</summary>
internal static class JsonLines
{
    /// <summary>The lines that are not empty, with their numbers from 1.</summary>
    /// <param name="path">The file; - is standard input.</param>
    /// <exception cref="QedException">It cannot be read.</exception>
    public static IEnumerable<(long Number, string Line)> Read(string path)
    {
        using StreamReader reader = Open(path);
        for (long number = 1; Next(reader, path) is { } line; number++)
        {
            if (!string.IsNullOrWhiteSpace(line))
                yield return (number, line);
        }
    }

    /// <summary>Whether a file can be read more than once: a pipe cannot, and has no length.</summary>
    public static bool CanBeReadAgain(string path) => FileLinks.Length(path) > 0;

    /// <summary>Reads every line of a file and prints one object for each.</summary>
    /// <exception cref="QedException">A line is not such an object; the message names the line.</exception>
    public static void Convert(string path, Action<JsonValue, Utf8JsonWriter> convert)
    {
        foreach ((long number, string line) in Read(path))
        {
            try
            {
                JsonValue value = JsonValue.ParseObject(Encoding.UTF8.GetBytes(line));
                Terminal.WriteJson(json => convert(value, json));
            }
            catch (QedException e)
            {
                throw new QedException($"{path}: line {number}: {e.Message}", e);
            }
        }
    }

    private static StreamReader Open(string path)
    {
        try
        {
            return path == "-" ? new StreamReader(StandardStreams.Input(), Encoding.UTF8) : new StreamReader(InputFile.OpenRead(path), Encoding.UTF8);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw QedException.Unreadable(path, e);
        }
    }

    private static string? Next(StreamReader reader, string path)
    {
        try
        {
            return reader.ReadLine();
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw QedException.Unreadable(path, e);
        }
    }
}
