using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace QedEdge.Memory;

/// <summary>
/// Files under the fixed names beside an output (<see cref="OutputNames"/>): one run at a time has such a file, what a killed run has left is taken over, and no link is followed.
/// The lock ends with the process. Linux: one of the open file (F_OFD_SETLK), which only those can hold who may write it; Windows: the way it is opened; elsewhere there is none.
/// </summary>
internal static partial class LockedFile
{
    private const int Attempts = 100;
    private const int SetLock = 37, TryAgain = 11, NoAccess = 13; // F_OFD_SETLK; EAGAIN, EACCES
    private const int Exists = 17, ExistsOnWindows = 80; // EEXIST, ERROR_FILE_EXISTS
    private const UnixFileMode Private = UnixFileMode.UserRead | UnixFileMode.UserWrite;

    /// <summary>Opens the file, or creates it.</summary>
    /// <param name="path">Its name.</param>
    /// <param name="output">The output that it is of, for messages.</param>
    /// <param name="keep">Whether what another run has left is gone on with; else it is removed.</param>
    /// <param name="isPrivate">Whether a new one is for its owner alone.</param>
    /// <param name="bufferSize">The stream's.</param>
    /// <exception cref="QedException">Another run has it, it is no plain file, or cannot be created.</exception>
    public static FileStream Open(string path, string output, bool keep, bool isPrivate, int bufferSize)
    {
        try
        {
            for (int i = 0; i < Attempts; i++)
            {
                if (Try(path, output, keep, isPrivate, bufferSize) is { } stream)
                    return stream;
            }
        }
        catch (DirectoryNotFoundException exception)
        {
            string folder = Path.GetDirectoryName(path)!;
            throw new QedException(FileStatus.KindOf(folder) is FileKind.File ? $"{output}: {folder} is a file and no folder" : $"{output}: the folder {folder} does not exist; create it first", exception);
        }
        catch (Exception exception) when (WriteError.Is(exception))
        {
            throw new QedException($"{output}: cannot create a file in {Path.GetDirectoryName(path)}: {WriteError.Reason(exception)}", exception);
        }
        throw Busy(path, output);
    }

    /// <summary>Whether the name still stands for the open file.</summary>
    public static bool Has(string path, SafeFileHandle file) => FileStatus.Of(file).IsSameFile(FileStatus.Of(path, follow: false));

    /// <summary>Removes the file, while it is locked: no other run is robbed of its own.</summary>
    /// <param name="path">Its name.</param>
    /// <param name="stream">The file.</param>
    /// <param name="handle">The stream's. Who asks it for one has it write its buffer first, for which there may be no room.</param>
    public static void Remove(string path, FileStream stream, SafeFileHandle handle)
    {
        if (!Has(path, handle))
            return;
        if (OperatingSystem.IsWindows())
            stream.Dispose(); // an open file keeps its name there
        File.Delete(path);
    }

    /// <summary>Null where another run was quicker.</summary>
    private static FileStream? Try(string path, string output, bool keep, bool isPrivate, int bufferSize)
    {
        FileStatus? found = FileStatus.Of(path, follow: false);
        if (found is { Kind: not FileKind.File } other)
            throw new QedException($"{path}: is {other.KindName}, and {output} would be put together there; remove it");
        FileStream? stream = null;
        bool isGood = false;
        try
        {
            stream = new FileStream(path, Options(found is null, isPrivate, bufferSize));
            if (!Lock(stream.SafeFileHandle))
                throw Busy(path, output);
            isGood = Has(path, stream.SafeFileHandle) && (found is null || keep);
            if (!isGood)
                Remove(path, stream, stream.SafeFileHandle);
            return isGood ? stream : null;
        }
        catch (FileNotFoundException) when (found is not null)
        {
            return null;
        }
        catch (IOException) when (OperatingSystem.IsWindows() && found is not null)
        {
            throw Busy(path, output);
        }
        catch (IOException exception) when (found is null && (exception.HResult & 0xFFFF) is Exists or ExistsOnWindows)
        {
            return null;
        }
        catch (Exception exception) when (found is null && (WriteError.Is(exception) || exception is QedException))
        {
            stream?.Dispose();
            RemoveNew(path, bufferSize);
            throw;
        }
        finally
        {
            if (!isGood)
                stream?.Dispose();
        }
    }

    /// <summary>Removes the empty file of an attempt that failed, unless another run has taken it over.</summary>
    private static void RemoveNew(string path, int bufferSize)
    {
        try
        {
            using var stream = new FileStream(path, Options(isNew: false, isPrivate: false, bufferSize));
            if (stream.Length == 0 && Lock(stream.SafeFileHandle))
                Remove(path, stream, stream.SafeFileHandle);
        }
        catch (Exception exception) when (WriteError.Is(exception))
        {
            // The next run of the same output takes it over.
        }
    }

    private static FileStreamOptions Options(bool isNew, bool isPrivate, int bufferSize)
    {
        var options = new FileStreamOptions
        {
            Mode = isNew ? FileMode.CreateNew : FileMode.Open, // the first follows no link
            Access = FileAccess.ReadWrite,
            Share = OperatingSystem.IsWindows() ? FileShare.Read : FileShare.ReadWrite | FileShare.Delete,
            BufferSize = bufferSize,
        };
        if (isNew && isPrivate && !OperatingSystem.IsWindows())
            options.UnixCreateMode = Private;
        return options;
    }

    private static QedException Busy(string path, string output) => new($"{output}: another run writes it ({Path.GetFileName(path)} is locked); wait for its end");

    /// <summary>False where another run has the lock. File systems without locks do without.</summary>
    private static bool Lock(SafeFileHandle file)
    {
        if (!OperatingSystem.IsLinux())
            return true;
        var whole = new Range { Type = 1 }; // F_WRLCK, from the beginning to any end
        return Control(file, SetLock, ref whole) == 0 || Marshal.GetLastPInvokeError() is not (TryAgain or NoAccess);
    }

    /// <summary>struct flock of 64-bit systems.</summary>
    [StructLayout(LayoutKind.Sequential)]
    private struct Range
    {
        public short Type, Whence;
        public long Start, Length;
        public int Process;
    }

    [LibraryImport("libc", EntryPoint = "fcntl", SetLastError = true)]
    private static partial int Control(SafeHandle file, int command, ref Range range);
}
