using QedEdge.Memory;

namespace QedEdge.Conversion.Checkpoints;

/// <summary>Opens the files of a checkpoint's folder, and turns what goes wrong there into errors of one line.</summary>
internal static class CheckpointFiles
{
    /// <summary>Whether a name stands for anything: a folder or a link to nowhere too, which who reads it refuses.</summary>
    /// <exception cref="ModelFormatException">It cannot be found out.</exception>
    public static bool Exists(string path) => Find(path, follow: false) is not null;

    /// <summary>Finds the folder of a checkpoint or an adapter.</summary>
    /// <param name="path">The folder.</param>
    /// <param name="content">What it is to hold, for the message.</param>
    /// <exception cref="ModelFormatException">It is none, or that cannot be found out.</exception>
    public static void RequireFolder(string path, string content)
    {
        if (Find(path, follow: true)?.Kind is not FileKind.Folder and var kind)
            throw new ModelFormatException(ModelFault.Unreadable, path, $"{(kind is null ? "there is no such folder" : "is a file")}; name {content}");
    }

    /// <summary>
    /// The length of a file that has one and is not empty. Asked before it is opened: opening a named pipe waits for who writes to it, and a device may have no end.
    /// </summary>
    /// <exception cref="ModelFormatException">It is missing, is no file, has no bytes, or its folder cannot be read.</exception>
    public static long Length(string path)
    {
        try
        {
            return FileStatus.Of(path) switch
            {
                null => throw new FileNotFoundException(),
                { Kind: FileKind.Folder } => throw new UnauthorizedAccessException(),
                { Length: > 0 and var length } => length,
                _ => throw new ModelFormatException(ModelFault.ShortFile, path, "the file is empty, or a pipe or device; download or copy it again"),
            };
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException or NotSupportedException or ArgumentException)
        {
            throw Unreadable(path, exception);
        }
    }

    /// <summary>The files of a folder with an extension, by name; none where there is no such folder.</summary>
    /// <exception cref="ModelFormatException">The folder cannot be read, or is none.</exception>
    public static string[] List(string folder, string extension)
    {
        if (!Exists(folder))
            return [];
        try
        {
            return [.. Directory.EnumerateFiles(folder, "*" + extension).Order(StringComparer.Ordinal)];
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw Unreadable(folder, exception);
        }
    }

    /// <summary>Reads a small file whole, without the mark that some editors put before UTF-8.</summary>
    /// <param name="path">The file.</param>
    /// <param name="mostBytes">How long it may be.</param>
    /// <exception cref="ModelFormatException">It is missing, cannot be read, is empty, no file, or too large.</exception>
    public static ReadOnlyMemory<byte> ReadBytes(string path, int mostBytes)
    {
        RequireAtMost(Length(path), mostBytes, path);
        try
        {
            using Stream stream = InputFile.OpenRead(path);
            RequireAtMost(stream.Length, mostBytes, path); // another one by now, perhaps
            byte[] bytes = new byte[stream.Length];
            stream.ReadExactly(bytes);
            return bytes.AsSpan().StartsWith("\uFEFF"u8) ? bytes.AsMemory(3) : bytes;
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException or NotSupportedException or ArgumentException)
        {
            throw Unreadable(path, exception);
        }
    }

    /// <summary>Maps a part of a file. Who maps tensor by tensor keeps no pages of those before in memory.</summary>
    /// <exception cref="ModelFormatException">The file cannot be read, or no longer reaches to the part's end.</exception>
    public static MappedFile Map(string path, long offset, long bytes)
    {
        try
        {
            return MappedFile.Open(path, offset, bytes);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw Unreadable(path, exception);
        }
    }

    /// <summary>The error for a file that cannot be opened or read.</summary>
    public static ModelFormatException Unreadable(string path, Exception exception) => new(ModelFault.Unreadable, path, exception switch
    {
        _ when FileStatus.IsFolder(path) => "is a folder, not a file",
        FileNotFoundException or DirectoryNotFoundException when FileStatus.KindOf(path, follow: false) is FileKind.Link => "is a link to a file that is not there",
        FileNotFoundException or DirectoryNotFoundException => "there is no such file",
        UnauthorizedAccessException => "no permission to read the file; grant it (chmod +r) or run as its owner",
        NotSupportedException => "a pipe or device, not a regular file; save it to disk first",
        _ => $"the file cannot be read: {QedException.FirstLine(exception)}",
    }, inner: exception);

    private static FileStatus? Find(string path, bool follow)
    {
        try
        {
            return FileStatus.Of(path, follow);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw Unreadable(path, exception);
        }
    }

    private static void RequireAtMost(long length, int mostBytes, string path)
    {
        if (length > mostBytes)
            throw new ModelFormatException(ModelFault.Unsupported, path, $"{length} bytes are more than the {mostBytes} that such a file may have");
    }
}
