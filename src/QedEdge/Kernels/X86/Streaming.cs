using System.Runtime.CompilerServices;
using QedEdge.Memory;
using QedEdge.Quantization;

namespace QedEdge.Kernels.X86;

/// <summary>
/// What to ask for while weights are read: the bytes that are read later, in a straight line, and behind the end of what a call reads those that
/// its caller reads next.
/// </summary>
internal unsafe struct Streaming
{
    /// <summary>
    /// Bytes ahead of its reading that a lone token asks for weights. Row groups are read two at a time, which breaks the
    /// stream that the processor's own prefetcher looks for (docs/performance.md).
    /// </summary>
    private const int PrefetchDistance = 8192;

    private readonly byte* _next;
    private byte* _at, _end;

    /// <summary>Begins ahead of the row group at <paramref name="w0"/>, in a call that reads to row group <paramref name="groupEnd"/>.</summary>
    public Streaming(in PackedMatrix w, byte* w0, int groupEnd, NativeView next)
    {
        _at = w0 + PrefetchDistance;
        _end = next.Length == 0 ? (byte*)nuint.MaxValue : w.Data.Pointer + groupEnd * w.GroupBytes;
        _next = next.Pointer;
    }

    /// <summary>The bytes to ask for while <paramref name="bytes"/> are read.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public byte* Ahead(int bytes)
    {
        if (_at >= _end)
        {
            _at = _next + (_at - _end);
            _end = (byte*)nuint.MaxValue;
        }
        byte* ahead = _at;
        _at += bytes;
        return ahead;
    }

    /// <summary>
    /// For how many row groups' bytes a tile of tokens asks while it reads two: a lone tile for two, the first two of several for one each, since
    /// a processor that has asked for more than it can remember waits (docs/performance.md).
    /// </summary>
    public static int GroupsAhead(int tile, int tiles) => tiles == 1 ? 2 : tile < 2 ? 1 : 0;
}
