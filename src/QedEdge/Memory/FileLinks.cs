namespace QedEdge.Memory;

/// <summary>Symbolic links to files.</summary>
public static class FileLinks
{
    /// <summary>The path that a link leads to in the end, whether or not something is there; any other path as it is.</summary>
    public static string Resolve(string path) =>
        new FileInfo(path).LinkTarget is null ? path : File.ResolveLinkTarget(path, returnFinalTarget: true)!.FullName;
}
