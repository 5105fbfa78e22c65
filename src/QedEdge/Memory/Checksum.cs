using System.IO.Hashing;

namespace QedEdge.Memory;

/// <summary>XXH3-64 of memory of any size.</summary>
internal static class Checksum
{
    /// <summary>The checksum of all bytes of a view.</summary>
    /// <param name="view">The bytes.</param>
    /// <param name="progress">Called with the bytes of each piece done.</param>
    /// <param name="cancellation">Stops between two pieces.</param>
    public static ulong Of(NativeView view, Action<int>? progress = null, CancellationToken cancellation = default)
    {
        var hash = new XxHash3();
        view.InPieces(piece =>
        {
            cancellation.ThrowIfCancellationRequested();
            hash.Append(piece);
            progress?.Invoke(piece.Length);
        });
        return hash.GetCurrentHashAsUInt64();
    }
}
