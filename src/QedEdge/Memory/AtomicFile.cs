using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace QedEdge.Memory;

/// <summary>
/// A file that appears under its name only when whole. It is written under a temporary name in the same folder (<see cref="OutputNames.Temporary"/>), flushed to disk and renamed by
/// <see cref="Commit"/>; without that, disposing deletes it. What a killed process leaves, the next one that writes the same file takes over; of two at once the second is refused.
/// </summary>
internal sealed partial class AtomicFile : IDisposable
{
    private const UnixFileMode Everything = (UnixFileMode)0x1FF, OfGroup = (UnixFileMode)0x38, Run = UnixFileMode.UserExecute | UnixFileMode.GroupExecute | UnixFileMode.OtherExecute;

    private readonly string _temporary;
    private readonly bool _overwrite;
    private readonly SafeFileHandle _handle;
    private bool _done;

    /// <summary>Creates the temporary file.</summary>
    /// <param name="path">The name that the file gets in the end.</param>
    /// <param name="overwrite">Whether an existing file of that name is replaced; the new one has its mode, and its owner where that may be given.</param>
    /// <param name="isPrivate">Whether a new file is for its owner alone.</param>
    /// <exception cref="QedException">The name is taken or another run's, or the folder is missing or cannot be written to.</exception>
    public AtomicFile(string path, bool overwrite, bool isPrivate = false)
    {
        (Path, bool replaces) = Find(path, overwrite);
        _overwrite = overwrite;
        _temporary = OutputNames.Temporary(Path);
        // What is to be as private as the file that it replaces, is so before it has any content.
        Stream = LockedFile.Open(_temporary, path, keep: false, isPrivate || replaces, bufferSize: 1 << 16);
        _handle = Stream.SafeFileHandle;
    }

    /// <summary>Fails early where an output could not be created, before the long work that makes it.</summary>
    /// <exception cref="QedException">As the constructor.</exception>
    public static void Check(string path, bool overwrite)
    {
        using var file = new AtomicFile(path, overwrite);
        try
        {
            file.Remove();
        }
        catch (Exception exception) when (WriteError.Is(exception))
        {
            throw Failed(path, exception);
        }
    }

    /// <summary>The name that the file gets in the end.</summary>
    public string Path { get; }

    /// <summary>The file's content; seekable, and readable by others under its temporary name.</summary>
    public FileStream Stream { get; }

    /// <summary>The mode of a new file where it is not the usual one; a file that is replaced keeps its own, and becomes executable where this one is.</summary>
    public UnixFileMode? Mode { get; set; }

    /// <summary>Runs the writing of the content and commits it.</summary>
    /// <param name="write">Writes all of it.</param>
    /// <param name="flush">As <see cref="Commit"/> takes it.</param>
    /// <exception cref="QedException">The disk is full, writing fails otherwise, or <see cref="Commit"/> refuses.</exception>
    public void Fill(Action<FileStream> write, bool flush = true)
    {
        Write(write);
        Commit(flush);
    }

    /// <summary>Runs the writing of content; the file does not get its name.</summary>
    /// <param name="write">Writes it.</param>
    /// <exception cref="QedException">The disk is full, or writing fails otherwise.</exception>
    public void Write(Action<FileStream> write)
    {
        using FileSizeLimit.Quiet quiet = FileSizeLimit.Keep();
        try
        {
            write(Stream);
            Stream.Flush(); // who opens it by its temporary name finds all of it
        }
        catch (Exception exception) when (WriteError.Is(exception))
        {
            throw Failed(Path, exception);
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
    /// <exception cref="QedException">The disk is full, or meanwhile somebody else created a file of that name, and it is not to be replaced.</exception>
    public void Commit(bool flush = true)
    {
        ObjectDisposedException.ThrowIf(_done, this);
        Place(Stream, _temporary, Path, _overwrite, flush, Mode);
        _done = true;
    }

    /// <summary>Gives a file that is whole its name, and closes it.</summary>
    /// <param name="stream">The file, of which no other run writes.</param>
    /// <param name="from">The name that it has.</param>
    /// <param name="to">The name that it gets.</param>
    /// <param name="overwrite">Whether an existing file is replaced; the new one has its mode and owner.</param>
    /// <param name="flush">As <see cref="Commit"/> takes it.</param>
    /// <param name="mode">As <see cref="Mode"/>.</param>
    /// <exception cref="QedException">The disk is full, there is a file of that name that is not to be replaced, or another run has taken the name that this one has.</exception>
    public static void Place(FileStream stream, string from, string to, bool overwrite, bool flush = true, UnixFileMode? mode = null)
    {
        try
        {
            stream.Flush(flushToDisk: flush);
            if (!LockedFile.Has(from, stream.SafeFileHandle)) // where the file system has no locks
                throw new QedException($"{to}: another run has written it meanwhile");
            if (OperatingSystem.IsWindows())
                stream.Dispose(); // an open file keeps its name there
            else
                SetMode(stream.SafeFileHandle, FileStatus.Of(to), mode);
            File.Move(from, to, overwrite);
            stream.Dispose(); // not before: until then the file is locked
        }
        catch (IOException) when (!overwrite && FileStatus.KindOf(to) is not null)
        {
            throw Taken(to);
        }
        catch (Exception exception) when (WriteError.Is(exception))
        {
            throw Failed(to, exception);
        }
    }

    /// <summary>Deletes the temporary file unless it was committed.</summary>
    public void Dispose()
    {
        if (_done)
            return;
        try
        {
            Remove();
        }
        catch (Exception exception) when (WriteError.Is(exception))
        {
            // The buffer's rest does not fit either: it is thrown away with the file, and the caller has the first error.
        }
    }

    private void Remove()
    {
        using FileSizeLimit.Quiet quiet = FileSizeLimit.Keep(); // what is in the buffer is written
        LockedFile.Remove(_temporary, Stream, _handle);
        _done = true;
        Stream.Dispose();
    }

    /// <summary>The file to write: a link stays one, and the file it leads to is replaced.</summary>
    private static (string Path, bool Replaces) Find(string path, bool overwrite)
    {
        if (path.Length == 0)
            throw new QedException("the output file has no name");
        try
        {
            FileStatus? there = FileStatus.Of(path);
            if (there is { Kind: not FileKind.File } other)
                throw new QedException($"{path}: is {other.KindName}{(other.Kind == FileKind.Folder ? "; name a file in it" : ", and a file would take its place; name a file")}");
            return there is null || overwrite ? (FileLinks.Resolve(path), there is not null) : throw Taken(path);
        }
        catch (Exception exception) when (WriteError.Is(exception))
        {
            throw Failed(path, exception);
        }
    }

    /// <summary>Sets a file's mode and owner, as far as the system lets it.</summary>
    private static void SetMode(SafeFileHandle file, FileStatus? replaced, UnixFileMode? given)
    {
        if (OperatingSystem.IsWindows() || (replaced is null && given is null))
            return;
        UnixFileMode mode = given ?? default;
        if (replaced is { } old)
        {
            var readers = (UnixFileMode)((int)old.Mode >> 2) & Run;
            mode = (old.Mode & Everything) | (mode & readers);
            FileStatus now = FileStatus.Of(file);
            bool isOfGroup = old.Group == now.Group || old.Group == FileStatus.Unknown || ChangeOwner(file, FileStatus.Unknown, old.Group) == 0;
            if (old.Owner != now.Owner && old.Owner != FileStatus.Unknown)
                _ = ChangeOwner(file, old.Owner, FileStatus.Unknown);
            if (!isOfGroup) // what one group may do, another may not therefore
                mode &= ~OfGroup | (UnixFileMode)((int)mode << 3);
        }
        try
        {
            File.SetUnixFileMode(file, mode);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // The file system has no modes.
        }
    }

    [LibraryImport("libc", EntryPoint = "fchown")]
    private static partial int ChangeOwner(SafeHandle file, uint owner, uint group);

    [LibraryImport("libc", EntryPoint = "sync_file_range")]
    private static partial int SyncFileRange(SafeHandle file, long offset, long length, uint flags);

    private static QedException Failed(string path, Exception exception) => new($"{path}: cannot be written: {WriteError.Reason(exception)}", exception);

    private static QedException Taken(string path) => new($"{path}: the file exists already; choose another name or replace it with --force");
}
