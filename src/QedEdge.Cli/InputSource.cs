using QedEdge.Memory;

namespace QedEdge.Cli;

/// <summary>What a file name on the command line leads to; - is standard input, whatever the folder holds.</summary>
internal static class InputSource
{
    private const int Piece = 1 << 16;

    /// <summary>Whether a name stands for standard input.</summary>
    public static bool IsStandardInput(string? path) => path == "-";

    /// <summary>How messages call it.</summary>
    public static string NameOf(string path) => IsStandardInput(path) ? "standard input" : path;

    /// <summary>The file's length; 0 for what has none and can be read but once: standard input, a pipe, a device.</summary>
    /// <exception cref="QedException">It cannot be found out.</exception>
    public static long Length(string path) => IsStandardInput(path) ? 0 : FileStatus.Find(path)?.Length ?? 0;

    /// <summary>Opens it to be read from its beginning.</summary>
    /// <exception cref="QedException">It cannot be.</exception>
    public static Stream Open(string path) => Reading(path, () =>
        IsStandardInput(path) ? StandardStreams.Input() : InputFile.OpenRead(path));

    /// <summary>Reads a piece of an opened file.</summary>
    /// <returns>How many bytes; 0 at its end.</returns>
    /// <exception cref="QedException">It cannot be read.</exception>
    public static int Read(Stream stream, string path, byte[] buffer) => Reading(path, () => stream.Read(buffer, 0, buffer.Length));

    /// <summary>All of a file.</summary>
    /// <param name="path">The file.</param>
    /// <param name="most">Bytes at most.</param>
    /// <exception cref="InvalidOptionException">It is longer.</exception>
    /// <exception cref="QedException">It cannot be read.</exception>
    public static byte[] ReadAll(string path, int most)
    {
        using Stream stream = Open(path);
        using var all = new MemoryStream();
        byte[] piece = new byte[Piece];
        for (int read; (read = Read(stream, path, piece)) > 0;)
        {
            if (all.Length + read > most)
                throw new InvalidOptionException($"{NameOf(path)}: has more than {most} bytes; give less (docs/limits.md)");
            all.Write(piece, 0, read);
        }
        return all.ToArray();
    }

    private static T Reading<T>(string path, Func<T> read)
    {
        try
        {
            return read();
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw QedException.Unreadable(NameOf(path), e);
        }
    }
}
