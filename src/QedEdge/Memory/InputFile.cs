using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace QedEdge.Memory;

/// <summary>
/// Files that are only read. .NET's own opening locks them (flock): whoever may read a file could hold a lock that keeps us out, and would be kept out by ours. This one takes none,
/// and says that it waits where it does, at a named pipe's other end.
/// </summary>
internal static partial class InputFile
{
    private const int Piece = 1 << 12; // bytes
    private const int NoEntry = 2, Interrupted = 4, NoAccess = 13, NoDirectory = 20, NotPermitted = 1; // ENOENT, EINTR, EACCES, ENOTDIR, EPERM
    private static readonly int ReadOnlyAndClosedInChildren = OperatingSystem.IsLinux() ? 0x80000 : 0x1000000; // O_RDONLY | O_CLOEXEC

    /// <summary>Opens a file.</summary>
    /// <exception cref="IOException">There is none, or the system refuses for another reason.</exception>
    /// <exception cref="UnauthorizedAccessException">No permission to read it, or it is a folder.</exception>
    public static SafeFileHandle OpenHandle(string path)
    {
        if (OperatingSystem.IsWindows())
            return File.OpenHandle(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
        return FileStatus.Of(path) switch
        {
            null => throw new FileNotFoundException("there is no such file", path),
            { Kind: FileKind.Folder } => throw new UnauthorizedAccessException("is a folder"),
            { Length: var length } => new SafeFileHandle(Open(path, mayWait: length == 0), ownsHandle: true),
        };
    }

    /// <summary>A file from its beginning; a pipe or a device too, which have no length.</summary>
    /// <inheritdoc cref="OpenHandle"/>
    public static Stream OpenRead(string path)
    {
        SafeFileHandle handle = OpenHandle(path);
        try
        {
            return OperatingSystem.IsWindows() || PosixStream.CanSeekIn((int)handle.DangerousGetHandle()) ? new FileStream(handle, FileAccess.Read, bufferSize: 1) : new PosixStream(handle);
        }
        catch
        {
            handle.Dispose();
            throw;
        }
    }

    /// <summary>All bytes of a file.</summary>
    /// <inheritdoc cref="OpenHandle"/>
    public static byte[] ReadAllBytes(string path)
    {
        using Stream input = OpenRead(path);
        using var bytes = new MemoryStream();
        input.CopyTo(bytes, Piece); // for files of the kernel, which have no length, .NET would take 16 bytes at a time
        return bytes.ToArray();
    }

    /// <summary>Reads as many bytes as fit, fewer only where the file ends.</summary>
    public static int Read(SafeFileHandle file, Span<byte> destination, long offset)
    {
        int done = 0;
        for (int count; done < destination.Length && (count = RandomAccess.Read(file, destination[done..], offset + done)) > 0;)
            done += count;
        return done;
    }

    /// <summary>Opens a file until the process ends; false where that cannot be.</summary>
    public static bool TryKeepOpen(string path) => Open(path, ReadOnlyAndClosedInChildren) >= 0;

    private static int Open(string path, bool mayWait)
    {
        while (true)
        {
            if (mayWait)
                PosixStream.IsWaiting = true;
            int descriptor = Open(path, ReadOnlyAndClosedInChildren), error = Marshal.GetLastPInvokeError();
            if (mayWait)
                PosixStream.IsWaiting = false;
            if (descriptor >= 0)
                return descriptor;
            if (error != Interrupted)
                throw error switch
                {
                    NoEntry or NoDirectory => new FileNotFoundException("there is no such file", path),
                    NoAccess or NotPermitted => new UnauthorizedAccessException(Marshal.GetPInvokeErrorMessage(error)),
                    _ => new IOException(Marshal.GetPInvokeErrorMessage(error), error),
                };
        }
    }

    [LibraryImport("libc", EntryPoint = "open", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int Open(string path, int flags);
}
