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

    /// <summary>Maps a whole file. An empty file gives an empty view.</summary>
    /// <exception cref="IOException">The file does not exist, is a directory, or cannot be read.</exception>
    /// <exception cref="UnauthorizedAccessException">No permission to read it.</exception>
    public static MappedFile Open(string path)
    {
        using var handle = System.IO.File.OpenHandle(path, FileMode.Open, FileAccess.Read, FileShare.Read | FileShare.Delete);
        long length = RandomAccess.GetLength(handle);
        if (length == 0)
            return new MappedFile(path, null, null, default);

        MemoryMappedFile? file = null;
        MemoryMappedViewAccessor? accessor = null;
        try
        {
            file = MemoryMappedFile.CreateFromFile(handle, null, 0, MemoryMappedFileAccess.Read, HandleInheritability.None, leaveOpen: true);
            accessor = file.CreateViewAccessor(0, length, MemoryMappedFileAccess.Read);
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
