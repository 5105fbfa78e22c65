using System.IO.Hashing;

namespace QedEdge.Memory;

/// <summary>XXH3-64 of memory of any size.</summary>
internal static class Checksum
{
    /// <summary>Bytes hashed between two reports of progress.</summary>
    private const int Part = 1 << 20;

    /// <summary>The checksum of all bytes of a view.</summary>
    /// <param name="view">The bytes.</param>
    /// <param name="progress">Called with the bytes of each part done.</param>
    /// <param name="cancellation">Stops between two parts.</param>
    public static ulong Of(NativeView view, Action<int>? progress = null, CancellationToken cancellation = default)
    {
        var hash = new XxHash3();
        for (long position = 0; position < view.Length; position += Part)
        {
            cancellation.ThrowIfCancellationRequested();
            ReadOnlySpan<byte> part = view.Span(position, (int)Math.Min(Part, view.Length - position));
            hash.Append(part);
            progress?.Invoke(part.Length);
        }
        return hash.GetCurrentHashAsUInt64();
    }
}
