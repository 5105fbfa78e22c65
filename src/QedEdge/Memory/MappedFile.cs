using System.IO.MemoryMappedFiles;

namespace QedEdge.Memory;

/// <summary>
/// A file mapped read-only: its pages are shared between processes and read when touched. The length is the file's when it
/// was opened; a file that another program shortens afterwards ends the process at the next touch, as with every mapping.
/// </summary>
internal sealed unsafe class MappedFile : IDisposable
{
    private readonly MemoryMappedFile? _file;
    private readonly MemoryMappedViewAccessor? _accessor;

    private MappedFile(string path, MemoryMappedFile? file, MemoryMappedViewAccessor? accessor, NativeView view)
    {
        Path = path;
        _file = file;
        _accessor = accessor;
        View = view;
    }

    /// <summary>The path that was opened.</summary>
    public string Path { get; }

    /// <summary>The file's bytes.</summary>
    public NativeView View { get; }

    /// <summary>Maps a whole file. An empty file gives an empty view, and so does a named pipe, which has no length: opening one would wait for a writer.</summary>
    /// <exception cref="IOException">The file does not exist, is a directory, or cannot be read.</exception>
    /// <exception cref="UnauthorizedAccessException">No permission to read it.</exception>
    public static MappedFile Open(string path)
    {
        var file = new FileInfo(FileLinks.Resolve(path));
        return file.Exists && file.Length == 0 ? new MappedFile(path, null, null, default) : Open(path, 0, null);
    }

    /// <summary>
    /// Maps a part of a file, at any offset: who reads a file larger than memory part by part keeps no more of it mapped than one part.
    /// </summary>
    /// <param name="path">The file.</param>
    /// <param name="offset">The part's first byte.</param>
    /// <param name="length">Its length in bytes.</param>
    /// <exception cref="IOException">The file cannot be read, or no longer reaches to the part's end.</exception>
    /// <exception cref="UnauthorizedAccessException">No permission to read it.</exception>
    public static MappedFile Open(string path, long offset, long length) => Open(path, offset, (long?)length);

    private static MappedFile Open(string path, long offset, long? part)
    {
        using var handle = System.IO.File.OpenHandle(path, FileMode.Open, FileAccess.Read, FileShare.Read | FileShare.Delete);
        long available = RandomAccess.GetLength(handle) - offset;
        long length = part ?? available;
        if (offset < 0 || length < 0 || length > available)
            throw new EndOfStreamException($"{path} has no {length} bytes from {offset}; it was changed while it was read");
        if (length == 0)
            return new MappedFile(path, null, null, default);

        MemoryMappedFile? file = null;
        MemoryMappedViewAccessor? accessor = null;
        try
        {
            file = MemoryMappedFile.CreateFromFile(handle, null, 0, MemoryMappedFileAccess.Read, HandleInheritability.None, leaveOpen: true);
            accessor = file.CreateViewAccessor(offset, length, MemoryMappedFileAccess.Read);
            byte* start = null;
            accessor.SafeMemoryMappedViewHandle.AcquirePointer(ref start);
            return new MappedFile(path, file, accessor, new NativeView(start + accessor.PointerOffset, length));
        }
        catch
        {
            accessor?.Dispose();
            file?.Dispose();
            throw;
        }
    }

    /// <summary>Unmaps the file; views into it become invalid.</summary>
    public void Dispose()
    {
        if (_accessor is null)
            return;
        _accessor.SafeMemoryMappedViewHandle.ReleasePointer();
        _accessor.Dispose();
        _file!.Dispose();
    }
}
