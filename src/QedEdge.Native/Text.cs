using System.Runtime.InteropServices;
using System.Text;

namespace QedEdge.Native;

/// <summary>Texts and arrays that cross the border.</summary>
internal static unsafe class Text
{
    /// <summary>A name, which ends with a zero.</summary>
    /// <exception cref="StatusException">It is null or empty.</exception>
    public static string Name(byte* name, string what)
    {
        Require(name, what);
        return *name != 0 ? Marshal.PtrToStringUTF8((nint)name)! : throw new StatusException(Status.Argument, $"{what} is empty");
    }

    /// <summary>Elements of the caller's; null where there are none.</summary>
    /// <exception cref="StatusException">The address is null, or the length is none.</exception>
    public static ReadOnlySpan<T> Read<T>(T* start, nuint length, string what) where T : unmanaged
    {
        if (length > 0)
            Require(start, what);
        return length <= int.MaxValue ? new(start, (int)length) : throw new StatusException(Status.Argument, $"{what}: the length {length} is too large");
    }

    /// <summary>A buffer of the caller's.</summary>
    /// <exception cref="StatusException">The address is null.</exception>
    public static Span<T> Buffer<T>(T* start, nuint capacity, string what = "the buffer") where T : unmanaged
    {
        if (capacity > 0)
            Require(start, what);
        return new(start, (int)Math.Min(capacity, int.MaxValue));
    }

    /// <summary>Writes as many elements as fit.</summary>
    /// <returns>How many there are.</returns>
    public static long Write<T>(ReadOnlySpan<T> source, T* start, nuint capacity) where T : unmanaged
    {
        Span<T> buffer = Buffer(start, capacity);
        source[..Math.Min(source.Length, buffer.Length)].CopyTo(buffer);
        return source.Length;
    }

    /// <summary>Writes a text and a zero, cut at a character's border where it does not fit.</summary>
    /// <returns>Its bytes without the zero.</returns>
    public static long Write(string text, byte* start, nuint capacity)
    {
        Span<byte> buffer = Buffer(start, capacity);
        if (!buffer.IsEmpty)
        {
            System.Text.Unicode.Utf8.FromUtf16(text, buffer[..^1], out _, out int written);
            buffer[written] = 0;
        }
        return Encoding.UTF8.GetByteCount(text);
    }

    /// <summary>Refuses a null pointer.</summary>
    public static void Require(void* pointer, string what)
    {
        if (pointer is null)
            throw new StatusException(Status.Argument, $"{what} is null");
    }
}
