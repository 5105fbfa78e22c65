using System.Diagnostics;
using System.Runtime.CompilerServices;

namespace QedEdge.Memory;

/// <summary>
/// Bytes outside the managed heap (a mapped file, an embedded resource, an <see cref="AlignedBuffer{T}"/>).
/// The owner must outlive the view; lengths may exceed 2 GB, single slices may not.
/// </summary>
internal readonly unsafe struct NativeView
{
    private readonly byte* _start;

    /// <summary>Wraps memory that somebody else owns.</summary>
    public NativeView(byte* start, long length)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(length);
        _start = start;
        Length = length;
    }

    /// <summary>The memory behind a stream over unmanaged memory, such as an embedded resource: used in place, not copied.</summary>
    public static NativeView Of(UnmanagedMemoryStream stream) => new(stream.PositionPointer - stream.Position, stream.Length);

    /// <summary>Takes a piece of a view.</summary>
    public delegate void Piece(ReadOnlySpan<byte> bytes);

    /// <summary>Passes over the view, however large, in pieces of at most 256 KB.</summary>
    public void InPieces(Piece take)
    {
        const int Most = 1 << 18; // what is done to a piece a second time finds it in the second-level cache
        for (long position = 0; position < Length; position += Most)
            take(Span(position, (int)Math.Min(Most, Length - position)));
    }

    /// <summary>Bytes in the view.</summary>
    public long Length { get; }

    /// <summary>The address of the first byte, for kernels and for advice to the operating system.</summary>
    public byte* Pointer => _start;

    /// <summary>Bytes <paramref name="offset"/> .. <paramref name="offset"/> + <paramref name="length"/> as a view.</summary>
    public NativeView Slice(long offset, long length)
    {
        Check(offset, length);
        return new NativeView(_start + offset, length);
    }

    /// <summary>Whether the first bytes are these.</summary>
    public bool StartsWith(ReadOnlySpan<byte> bytes) => Length >= bytes.Length && Span(0, bytes.Length).SequenceEqual(bytes);

    /// <summary>Copies the bytes to memory of the same length that the caller owns and may write.</summary>
    public void CopyTo(NativeView destination)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(destination.Length, Length);
        Buffer.MemoryCopy(_start, destination._start, destination.Length, Length);
    }

    /// <summary>Bytes <paramref name="offset"/> .. <paramref name="offset"/> + <paramref name="length"/> as a span.</summary>
    public ReadOnlySpan<byte> Span(long offset, int length)
    {
        Check(offset, length);
        return new ReadOnlySpan<byte>(_start + offset, length);
    }

    /// <summary>Elements of an unmanaged type from a byte offset on; the memory need not be aligned on x64 and arm64.</summary>
    public ReadOnlySpan<T> Span<T>(long offset, int count) where T : unmanaged
    {
        Check(offset, (long)count * sizeof(T));
        return new ReadOnlySpan<T>(_start + offset, count);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private void Check(long offset, long length)
    {
        // One comparison each, and by subtraction: offset + length could wrap.
        if ((ulong)offset > (ulong)Length || (ulong)length > (ulong)(Length - offset))
            Throw(offset, length, Length);
    }

    [DebuggerHidden]
    private static void Throw(long offset, long length, long available) =>
        throw new ArgumentOutOfRangeException(nameof(offset), $"{length} bytes from {offset} do not lie within {available}");
}
