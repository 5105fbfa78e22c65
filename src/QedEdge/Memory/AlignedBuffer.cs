using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace QedEdge.Memory;

/// <summary>
/// Zeroed memory outside the managed heap, aligned to a cache line. Pages are touched only when written or read, so a
/// large reservation costs address space until it is used.
/// </summary>
internal sealed unsafe class AlignedBuffer<T> : IDisposable where T : unmanaged
{
    private const int CacheLine = 64;
    private void* _allocation;
    private readonly T* _start;

    /// <summary>Reserves <paramref name="count"/> zeroed elements.</summary>
    public AlignedBuffer(long count)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(count);
        Count = count;
        // calloc hands out untouched zero pages for large sizes; aligning by hand keeps that property.
        nuint bytes = checked((nuint)count * (nuint)sizeof(T) + CacheLine);
        _allocation = NativeMemory.AllocZeroed(bytes);
        _start = (T*)(((nuint)_allocation + (CacheLine - 1)) & ~(nuint)(CacheLine - 1));
        GC.AddMemoryPressure(checked((long)bytes));
    }

    /// <summary>Elements in the buffer.</summary>
    public long Count { get; }

    /// <summary>The address of the first element.</summary>
    public T* Pointer => _start;

    /// <summary>All elements; throws where there are more than a span can hold.</summary>
    public Span<T> Span => new(_start, checked((int)Count));

    /// <summary>Elements <paramref name="start"/> .. <paramref name="start"/> + <paramref name="count"/>.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public Span<T> Slice(long start, int count)
    {
        if (_allocation is null || (ulong)start > (ulong)Count || (ulong)count > (ulong)(Count - start))
            Refuse(start, count);
        return new Span<T>(_start + start, count);
    }

    /// <summary>Apart, so that <see cref="Slice"/> is short enough to be part of its callers.</summary>
    [DoesNotReturn]
    private void Refuse(long start, int count)
    {
        ObjectDisposedException.ThrowIf(_allocation is null, this);
        throw new ArgumentOutOfRangeException(nameof(start), $"{count} elements from {start} do not lie within {Count}");
    }

    /// <summary>The buffer's bytes as a read-only view; valid until the buffer is disposed.</summary>
    public NativeView View => new((byte*)_start, Count * sizeof(T));

    /// <summary>Frees the memory.</summary>
    public void Dispose()
    {
        Free();
        GC.SuppressFinalize(this);
    }

    /// <summary>Frees the memory of a buffer that nobody disposed.</summary>
    ~AlignedBuffer() => Free();

    private void Free()
    {
        if (_allocation is null)
            return;
        NativeMemory.Free(_allocation);
        _allocation = null;
        GC.RemoveMemoryPressure(Count * sizeof(T) + CacheLine);
    }
}
