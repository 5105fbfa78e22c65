using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics.X86;
using QedEdge.Memory;
using QedEdge.Quantization;

namespace QedEdge.Kernels.X86;

/// <summary>Software-prefetch cursor. Runs <see cref="PrefetchDistance"/> bytes ahead of the weights being read; at the end of a call's rows it jumps to the matrix that the caller reads next.</summary>
internal unsafe struct Streaming
{
    /// <summary>
    /// Bytes from what is read to what is prefetched. Several row groups are read at a time, which breaks the stream that the processor's own
    /// prefetcher looks for (docs/performance.md).
    /// </summary>
    private const int PrefetchDistance = 8192;

    private readonly byte* _next;
    private byte* _at;
    private byte* _turn; // where it goes on at _next

    /// <summary>Begins ahead of the row group at <paramref name="w0"/>, in a call that reads to row group <paramref name="groupEnd"/> and before <paramref name="next"/>.</summary>
    public Streaming(in PackedMatrix w, byte* w0, int groupEnd, NativeView next)
    {
        _at = w0 + PrefetchDistance;
        _turn = next.Length == 0 ? Never : w.Data.Pointer + groupEnd * w.GroupBytes;
        _next = next.Pointer;
    }

    private static byte* Never => (byte*)nuint.MaxValue;

    /// <summary>The bytes to ask for while <paramref name="bytes"/> are read.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public byte* Ahead(int bytes)
    {
        if (_at >= _turn)
        {
            _at = _next + (_at - _turn);
            _turn = Never;
        }
        byte* ahead = _at;
        _at += bytes;
        return ahead;
    }

    /// <summary>Asks for so many bytes, a constant, that are read once: a loop would be more instructions than what it asks with.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Ask(byte* ahead, int bytes)
    {
        Sse.PrefetchNonTemporal(ahead);
        if (bytes > 64)
            Sse.PrefetchNonTemporal(ahead + 64);
        if (bytes > 128)
            Sse.PrefetchNonTemporal(ahead + 128);
        if (bytes > 192)
            Sse.PrefetchNonTemporal(ahead + 192);
        if (bytes > 256)
            Sse.PrefetchNonTemporal(ahead + 256);
        if (bytes > 320)
            Sse.PrefetchNonTemporal(ahead + 320);
        if (bytes > 384)
            Sse.PrefetchNonTemporal(ahead + 384);
        if (bytes > 448)
            Sse.PrefetchNonTemporal(ahead + 448);
        if (bytes > 512)
            Sse.PrefetchNonTemporal(ahead + 512);
    }

    /// <summary>
    /// For how many row groups' bytes a tile of tokens asks while it reads two: a lone tile for two, the first two of several for one each, since
    /// a processor that has asked for more than it can remember waits (docs/performance.md).
    /// </summary>
    public static int GroupsAhead(int tile, int tiles) => tiles == 1 ? 2 : tile < 2 ? 1 : 0;
}
