namespace QedEdge.Memory;

/// <summary>
/// Which file a name stands for: equal for all its names, whether links, hard links or ways through other folders. A file that is not there yet is told by its folder and its name in it.
/// </summary>
/// <param name="Device">Of the file or its folder.</param>
/// <param name="Inode">Likewise; 0 where the system does not tell, and the name is the whole path.</param>
/// <param name="Name">In the folder; "" for a file that is there.</param>
internal sealed record FileIdentity(ulong Device, ulong Inode, string Name)
{
    /// <summary>The identity of what a path leads to.</summary>
    /// <exception cref="QedException">It cannot be found out.</exception>
    public static FileIdentity Of(string path)
    {
        string target = Path.GetFullPath(FileLinks.Resolve(path));
        if (FileStatus.Find(target) is { Inode: > 0 } there)
            return new(there.Device, there.Inode, "");
        if (Path.GetDirectoryName(target) is { } parent && FileStatus.Find(parent) is { Inode: > 0 } folder)
            return new(folder.Device, folder.Inode, Path.GetFileName(target));
        return new(0, 0, OperatingSystem.IsLinux() ? target : target.ToUpperInvariant());
    }
}
