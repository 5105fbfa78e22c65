namespace QedEdge.Memory;

/// <summary>Symbolic links to files.</summary>
internal static class FileLinks
{
    /// <summary>The path that a link leads to in the end, whether or not something is there; any other path as it is.</summary>
    public static string Resolve(string path) =>
        // Of a bare name .NET takes the target to be in the root.
        new FileInfo(path).LinkTarget is null ? path : File.ResolveLinkTarget(Path.GetFullPath(path), returnFinalTarget: true)!.FullName;

    /// <summary>The length of the file that a path leads to; 0 for what has none and can be read but once: a pipe, a terminal, a device.</summary>
    public static long Length(string path)
    {
        try
        {
            return new FileInfo(Resolve(path)) is { Exists: true } file ? file.Length : 0;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or ArgumentException)
        {
            return 0;
        }
    }
}
