namespace QedEdge.Memory;

/// <summary>Symbolic links to files.</summary>
internal static class FileLinks
{
    private const int Most = 40; // as Linux has it

    /// <summary>The path that a link leads to in the end, whether or not something is there; any other path as it is.</summary>
    /// <exception cref="QedException">It cannot be found out, or links go round in a circle.</exception>
    public static string Resolve(string path)
    {
        // Not File.ResolveLinkTarget: to it, a link that cannot be read is none.
        for (int i = 0; FileStatus.Find(path, follow: false) is { Kind: FileKind.Link }; i++)
        {
            if (i == Most || new FileInfo(path).LinkTarget is not { } target)
                throw new QedException($"{path}: {(i == Most ? "links go round in a circle" : "the link cannot be read")}");
            path = Path.GetFullPath(target, Path.GetDirectoryName(Path.GetFullPath(path))!);
        }
        return path;
    }
}
