using System.Runtime.InteropServices;

namespace QedEdge.Memory;

/// <summary>
/// A file that appears under its name only when whole. It is written under a temporary name in the same folder, flushed to
/// disk and renamed by <see cref="Commit"/>; without that, disposing deletes it, and a killed process leaves only the temporary file.
/// </summary>
internal sealed partial class AtomicFile : IDisposable
{
    private readonly string _temporary;
    private readonly bool _overwrite;
    private bool _done;

    /// <summary>Creates the temporary file.</summary>
    /// <param name="path">The name that the file gets in the end.</param>
    /// <param name="overwrite">Whether an existing file of that name is replaced.</param>
    /// <exception cref="QedException">The name is taken, or the folder is missing or cannot be written to.</exception>
    public AtomicFile(string path, bool overwrite)
    {
        if (path.Length == 0)
            throw new QedException("the output file has no name");
        // A link stays one: the file it leads to is replaced.
        path = FileLinks.Resolve(path);
        Path = path;
        _overwrite = overwrite;
        if (IsDevice(path))
            throw new QedException($"{path}: is a device, and a file would take its place; name a file");
        if (Directory.Exists(path))
            throw new QedException($"{path}: is a folder; name a file in it");
        if (!overwrite && File.Exists(path))
            throw Taken();
        string folder = System.IO.Path.GetDirectoryName(System.IO.Path.GetFullPath(path))!;
        _temporary = System.IO.Path.Combine(folder, $".{System.IO.Path.GetFileName(path)}.{Guid.NewGuid():N}.tmp");
        try
        {
            Stream = new FileStream(_temporary, FileMode.CreateNew, FileAccess.ReadWrite, FileShare.ReadWrite, bufferSize: 1 << 16);
        }
        catch (DirectoryNotFoundException exception)
        {
            throw new QedException($"{path}: the folder {folder} does not exist; create it first", exception);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw new QedException($"{path}: cannot create a file in {folder}: {(exception is UnauthorizedAccessException ? "no permission" : exception.Message.ReplaceLineEndings(" "))}", exception);
        }
    }

    /// <summary>Says now what would stand in the way of an output that long work is to make.</summary>
    /// <exception cref="QedException">As the constructor.</exception>
    public static void Check(string path, bool overwrite) => new AtomicFile(path, overwrite).Dispose();

    /// <summary>The name that the file gets in the end.</summary>
    public string Path { get; }

    /// <summary>The file's content; seekable, and readable by others under its temporary name.</summary>
    public FileStream Stream { get; }

    /// <summary>Runs the writing of the content and commits it.</summary>
    /// <param name="write">Writes all of it.</param>
    /// <param name="flush">As <see cref="Commit"/> takes it.</param>
    /// <exception cref="QedException">The disk is full, writing fails otherwise, or <see cref="Commit"/> refuses.</exception>
    public void Fill(Action<FileStream> write, bool flush = true)
    {
        try
        {
            write(Stream);
            Commit(flush);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw new QedException($"{Path}: cannot be written: {QedException.FirstLine(exception)}", exception);
        }
        catch (Exception exception) when (FileSizeLimit.IsReached(exception))
        {
            throw new QedException($"{Path}: cannot be written: the file system or 'ulimit -f' allows no file of this size", exception);
        }
    }

    /// <summary>Has the disk begin with what was written so far, so that <see cref="Commit"/> waits less for it.</summary>
    public void BeginFlush()
    {
        const uint Write = 2; // SYNC_FILE_RANGE_WRITE: Linux
        if (!OperatingSystem.IsLinux())
            return;
        try
        {
            Stream.Flush();
            _ = SyncFileRange(Stream.SafeFileHandle, 0, 0, Write);
        }
        catch (Exception e) when (e is DllNotFoundException or EntryPointNotFoundException)
        {
            // Only time is saved by it.
        }
    }

    /// <summary>Gives the file its name.</summary>
    /// <param name="flush">Waits until the disk has the content; without, a power cut may leave less than all of it.</param>
    /// <exception cref="QedException">Meanwhile somebody else created a file of that name, and it is not to be replaced.</exception>
    public void Commit(bool flush = true)
    {
        ObjectDisposedException.ThrowIf(_done, this);
        Stream.Flush(flushToDisk: flush);
        Stream.Dispose();
        try
        {
            File.Move(_temporary, Path, _overwrite);
        }
        catch (IOException) when (!_overwrite && File.Exists(Path))
        {
            throw Taken();
        }
        _done = true;
    }

    /// <summary>Deletes the temporary file unless it was committed.</summary>
    public void Dispose()
    {
        if (_done)
            return;
        _done = true;
        try
        {
            Stream.Dispose();
        }
        catch (Exception exception) when (exception is IOException or ArgumentOutOfRangeException) // .NET reports EFBIG as the latter
        {
            // The buffer's rest does not fit either: it is thrown away with the file, and the caller has the first error.
        }
        finally
        {
            File.Delete(_temporary);
        }
    }

    /// <summary>A file system's type of entry is not to be had from .NET; these folders hold nothing else.</summary>
    private static bool IsDevice(string path) =>
        !OperatingSystem.IsWindows() && System.IO.Path.GetFullPath(path) is var full
        && (full.StartsWith("/dev/", StringComparison.Ordinal) || full.StartsWith("/proc/", StringComparison.Ordinal)) && !full.StartsWith("/dev/shm/", StringComparison.Ordinal);

    [LibraryImport("libc", EntryPoint = "sync_file_range")]
    private static partial int SyncFileRange(SafeHandle file, long offset, long length, uint flags);

    private QedException Taken() => new($"{Path}: the file exists already; choose another name or replace it with --force");
}
