using QedEdge.Memory;

namespace QedEdge.Cli;

/// <summary>Pictures and pages as files.</summary>
internal static class PictureFile
{
    /// <summary>Writes a file, which appears whole or not at all.</summary>
    /// <exception cref="QedException">It cannot be written.</exception>
    public static void Write(string path, bool force, Action<TextWriter> write)
    {
        using var file = new AtomicFile(path, force);
        file.Fill(stream =>
        {
            using var output = new StreamWriter(stream, leaveOpen: true); // UTF-8
            write(output);
        });
    }
}
