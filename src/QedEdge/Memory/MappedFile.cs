using System.IO.MemoryMappedFiles;
using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace QedEdge.Memory;

/// <summary>
/// A file mapped read-only: its pages are shared between processes and read when touched; or a copy of it, where its file system maps nothing. The length is the file's when it
/// was opened; a file that another program shortens afterwards ends the process at the next touch, as with every mapping (<see cref="MappingFaults"/>).
/// </summary>
internal sealed unsafe partial class MappedFile : IDisposable
{
    /// <summary>What helps where memory is short, but only because a limit on addresses is: glibc reserves 64 MB of them for each thread.</summary>
    internal const string AddressSpaceAdvice = "under 'ulimit -v', MALLOC_ARENA_MAX=1 in the environment takes less";

    private readonly IDisposable? _mapping;

    private MappedFile(string path, IDisposable? mapping, NativeView view, string? refusal = null)
    {
        Path = path;
        _mapping = mapping;
        View = view;
        Refusal = refusal;
    }

    /// <summary>The path that was opened.</summary>
    public string Path { get; }

    /// <summary>Why this is a copy in memory; null where the file is mapped.</summary>
    public string? Refusal { get; }

    /// <summary>The file's bytes.</summary>
    public NativeView View { get; }

    /// <summary>Maps a whole file. An empty file gives an empty view, and so does a named pipe, which has no length: opening one would wait for a writer.</summary>
    /// <exception cref="IOException">The file does not exist, is a directory, or cannot be read.</exception>
    /// <exception cref="UnauthorizedAccessException">No permission to read it.</exception>
    public static MappedFile Open(string path) =>
        FileStatus.Of(path) is { Kind: not FileKind.Folder, Length: 0 } ? new MappedFile(path, null, default) : Open(path, 0, null);

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
        using var handle = InputFile.OpenHandle(path);
        long available = RandomAccess.GetLength(handle) - offset;
        long length = part ?? available;
        if (offset < 0 || length < 0 || length > available)
            throw new EndOfStreamException($"{path} has no {length} bytes from {offset}; it was changed while it was read");
        if (length == 0)
            return new MappedFile(path, null, default);

        if (OperatingSystem.IsWindows())
        {
            var view = new WindowsMapping(handle, offset, length);
            return new MappedFile(path, view, new NativeView(view.Start, length));
        }
        long before = offset % Environment.SystemPageSize;
        if (PosixMapping.Of(path, handle, offset - before, before + length) is { } mapping)
            return new MappedFile(path, mapping, new NativeView(mapping.Start + before, length));
        int error = Marshal.GetLastPInvokeError();
        const int NoMemory = 12; // ENOMEM
        if (error == NoMemory)
            throw new IOException($"there is no room to map its {length} bytes: memory or address space is short; {AddressSpaceAdvice}");
        AlignedBuffer<byte> copy = Allocate(length);
        try
        {
            Read(path, handle, offset, copy);
            return new MappedFile(path, copy, copy.View, Marshal.GetPInvokeErrorMessage(error));
        }
        catch
        {
            copy.Dispose();
            throw;
        }
    }

    private static AlignedBuffer<byte> Allocate(long length)
    {
        try
        {
            return new AlignedBuffer<byte>(length);
        }
        catch (OutOfMemoryException exception)
        {
            throw new IOException($"its {length} bytes do not fit into memory", exception);
        }
    }

    /// <summary>Reads a part of a file from beginning to end.</summary>
    /// <param name="path">The file.</param>
    /// <param name="offset">The part's first byte.</param>
    /// <param name="destination">Receives as many bytes as it holds.</param>
    /// <exception cref="IOException">The file cannot be read, or is shorter.</exception>
    /// <exception cref="UnauthorizedAccessException">No permission to read it.</exception>
    public static void Read(string path, long offset, AlignedBuffer<byte> destination)
    {
        using var handle = InputFile.OpenHandle(path);
        Read(path, handle, offset, destination);
    }

    private static void Read(string path, SafeFileHandle handle, long offset, AlignedBuffer<byte> destination)
    {
        const int Piece = 1 << 22;
        for (long position = 0; position < destination.Count;)
        {
            int read = RandomAccess.Read(handle, destination.Slice(position, (int)Math.Min(Piece, destination.Count - position)), offset + position);
            position += read > 0 ? read : throw new EndOfStreamException($"{path} ends at byte {offset + position}; it was changed while it was read");
        }
    }

    /// <summary>Unmaps the file; views into it become invalid.</summary>
    public void Dispose() => _mapping?.Dispose();

    /// <summary>mmap(2), called directly: the class library's mapping brings 90 KB into an executable, for maps that are no files.</summary>
    private sealed partial class PosixMapping : IDisposable
    {
        private const int ProtRead = 1, MapPrivate = 2;
        private readonly nuint _length;
        private readonly MappingFaults.Entry* _entry;
        private bool _unmapped;

        private PosixMapping(string path, byte* start, nuint length)
        {
            _length = length;
            _entry = MappingFaults.Add(start, (long)length, path);
            Start = start;
        }

        public byte* Start { get; }

        /// <summary>Null where the file system refuses; the error is the system's last. Pages that nobody writes are shared in a private mapping, too, and more file systems have these.</summary>
        public static PosixMapping? Of(string path, SafeFileHandle handle, long offset, long length)
        {
            nuint size = checked((nuint)length);
            var start = (byte*)Map(null, size, ProtRead, MapPrivate, handle, checked((nint)offset));
            return (nint)start == -1 ? null : new PosixMapping(path, start, size);
        }

        public void Dispose()
        {
            if (_unmapped)
                return;
            _unmapped = true;
            MappingFaults.Remove(_entry);
            _ = Unmap(Start, _length);
        }

        [LibraryImport("libc", EntryPoint = "mmap", SetLastError = true)]
        private static partial void* Map(void* address, nuint length, int protection, int flags, SafeFileHandle file, nint offset);

        [LibraryImport("libc", EntryPoint = "munmap")]
        private static partial int Unmap(void* address, nuint length);
    }

    private sealed class WindowsMapping : IDisposable
    {
        private readonly MemoryMappedFile _file;
        private readonly MemoryMappedViewAccessor _accessor;

        public WindowsMapping(SafeFileHandle handle, long offset, long length)
        {
            _file = MemoryMappedFile.CreateFromFile(handle, null, 0, MemoryMappedFileAccess.Read, HandleInheritability.None, leaveOpen: true);
            try
            {
                _accessor = _file.CreateViewAccessor(offset, length, MemoryMappedFileAccess.Read);
            }
            catch
            {
                _file.Dispose();
                throw;
            }
            byte* start = null;
            _accessor.SafeMemoryMappedViewHandle.AcquirePointer(ref start);
            Start = start + _accessor.PointerOffset;
        }

        public byte* Start { get; }

        public void Dispose()
        {
            if (!_accessor.SafeMemoryMappedViewHandle.IsClosed)
                _accessor.SafeMemoryMappedViewHandle.ReleasePointer();
            _accessor.Dispose();
            _file.Dispose();
        }
    }
}
