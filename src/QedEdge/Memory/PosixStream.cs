using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace QedEdge.Memory;

/// <summary>
/// A standard stream, or a file that is no plain one, by read(2) and write(2). .NET's console streams write control sequences to a terminal before the first byte, hide that a pipe's reader has gone, and bring
/// a line editor; its file streams keep an offset of their own, and would write over what others write to the same file.
/// </summary>
/// <param name="descriptor">0, 1 or 2, or that of <paramref name="owned"/>.</param>
/// <param name="owned">A handle that is closed with the stream, or null.</param>
internal sealed unsafe partial class PosixStream(int descriptor, SafeFileHandle? owned = null) : Stream
{
    private const int Interrupted = 4, TryAgain = 11; // EINTR, EAGAIN
    private const int GetFlags = 1, FromHere = 1;     // F_GETFD, SEEK_CUR

    private readonly bool _mayWait = !CanSeekIn(descriptor);

    /// <summary>A stream that owns what it reads.</summary>
    public PosixStream(SafeFileHandle handle) : this((int)handle.DangerousGetHandle(), handle) { }

    /// <inheritdoc/>
    public override bool CanRead => true;

    /// <inheritdoc/>
    public override bool CanWrite => true;

    /// <inheritdoc/>
    public override bool CanSeek => false;

    /// <inheritdoc/>
    public override long Length => throw new NotSupportedException();

    /// <inheritdoc/>
    public override long Position { get => throw new NotSupportedException(); set => throw new NotSupportedException(); }

    /// <summary>Whether a thread waits for what others write: for a pipe, a terminal, a device.</summary>
    public static bool IsWaiting
    {
        get => Volatile.Read(ref field);
        internal set => Volatile.Write(ref field, value);
    }

    /// <summary>Whether a descriptor is open.</summary>
    public static bool IsOpen(int descriptor) => Control(descriptor, GetFlags) >= 0;

    /// <summary>Whether a descriptor is a file with a position: reading it never waits for others.</summary>
    public static bool CanSeekIn(int descriptor) => SeekBytes(descriptor, 0, FromHere) >= 0;

    /// <summary>Whether a descriptor is a terminal.</summary>
    public static bool IsTerminal(int descriptor) => IsATty(descriptor) == 1;

    /// <summary>The columns of a terminal; null for what is none, or does not say.</summary>
    public static int? Width(int descriptor) => Size(descriptor, 1);

    /// <summary>The rows of a terminal, likewise.</summary>
    public static int? Height(int descriptor) => Size(descriptor, 0);

    /// <inheritdoc/>
    public override int Read(Span<byte> buffer)
    {
        fixed (byte* start = buffer)
        {
            while (true)
            {
                if (_mayWait)
                    IsWaiting = true;
                nint count = ReadBytes(descriptor, start, (nuint)buffer.Length);
                if (_mayWait)
                    IsWaiting = false;
                if (count >= 0)
                    return (int)count;
                WaitOrThrow();
            }
        }
    }

    /// <inheritdoc/>
    public override void Write(ReadOnlySpan<byte> buffer)
    {
        fixed (byte* start = buffer)
        {
            for (nint done = 0; done < buffer.Length;)
            {
                nint count = WriteBytes(descriptor, start + done, (nuint)(buffer.Length - done));
                if (count >= 0)
                    done += count;
                else
                    WaitOrThrow();
            }
        }
    }

    /// <inheritdoc/>
    public override int Read(byte[] buffer, int offset, int count) => Read(buffer.AsSpan(offset, count));

    /// <inheritdoc/>
    public override void Write(byte[] buffer, int offset, int count) => Write(buffer.AsSpan(offset, count));

    /// <inheritdoc/>
    public override void Flush() { }

    /// <inheritdoc/>
    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    /// <inheritdoc/>
    public override void SetLength(long value) => throw new NotSupportedException();

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        owned?.Dispose();
        base.Dispose(disposing);
    }

    private static int? Size(int descriptor, int index)
    {
        const nuint WindowSize = 0x5413; // TIOCGWINSZ of Linux; of others the number and the call differ
        ushort* size = stackalloc ushort[4]; // rows, columns
        return OperatingSystem.IsLinux() && ControlDevice(descriptor, WindowSize, size) == 0 && size[index] > 0 ? size[index] : null;
    }

    /// <summary>Returns where the call is to be made again: a signal came, or the other side set the stream to not wait.</summary>
    private static void WaitOrThrow()
    {
        int error = Marshal.GetLastPInvokeError();
        if (error == TryAgain)
            Thread.Sleep(1);
        else if (error != Interrupted)
            throw new IOException(Marshal.GetPInvokeErrorMessage(error), error);
    }

    [LibraryImport("libc", EntryPoint = "read", SetLastError = true)]
    private static partial nint ReadBytes(int descriptor, byte* buffer, nuint count);

    [LibraryImport("libc", EntryPoint = "write", SetLastError = true)]
    private static partial nint WriteBytes(int descriptor, byte* buffer, nuint count);

    [LibraryImport("libc", EntryPoint = "fcntl")]
    private static partial int Control(int descriptor, int command);

    [LibraryImport("libc", EntryPoint = "lseek")]
    private static partial long SeekBytes(int descriptor, long offset, int origin);

    [LibraryImport("libc", EntryPoint = "ioctl")]
    private static partial int ControlDevice(int descriptor, nuint request, void* argument);

    [LibraryImport("libc", EntryPoint = "isatty")]
    private static partial int IsATty(int descriptor);
}
