using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics.X86;
using QedEdge.Memory;
using QedEdge.Quantization;

namespace QedEdge.Kernels.X86;

/// <summary>Software-prefetch cursor. Runs ahead of the weights being read; at the end of a call's rows it jumps to the matrix that the caller reads next.</summary>
internal unsafe struct Streaming
{
    /// <summary>
    /// The fewest bytes from what is read to what is prefetched. Several row groups are read at a time, which breaks the stream that the processor's own
    /// prefetcher looks for (docs/performance.md).
    /// </summary>
    private const int Near = 8192;

    /// <summary>How far what is prefetched is at least ahead of the last of the row groups that are read in turn.</summary>
    private const int Margin = 4608;

    /// <summary>How far apart the first and the last of them may begin for the first-level cache to hold what was prefetched until it is read.</summary>
    private const int NearSpan = 6144;

    /// <summary>The fewest bytes of a call that prefetches far ahead: where it begins, nobody has prefetched so far.</summary>
    private const int FarCall = 448 * 1024;

    private readonly byte* _next;
    private readonly bool _far;
    private byte* _at;
    private byte* _turn; // where it goes on at _next

    /// <summary>Begins ahead of the row group at <paramref name="w0"/>, in a call that reads to row group <paramref name="groupEnd"/> and before <paramref name="next"/>.</summary>
    /// <param name="w">What is read.</param>
    /// <param name="w0">Where reading begins.</param>
    /// <param name="groupEnd">The first row group that is not read.</param>
    /// <param name="next">What is read next.</param>
    /// <param name="lead">Bytes from what is read to what is prefetched: <see cref="Lead"/> where <see cref="Ask"/> does it.</param>
    public Streaming(in PackedMatrix w, byte* w0, int groupEnd, NativeView next, long lead = Near)
    {
        _far = lead > NearSpan + Margin;
        _at = w0 + lead;
        _turn = next.Length == 0 ? Never : w.Data.Pointer + groupEnd * w.GroupBytes;
        _next = next.Pointer;
    }

    /// <summary>How far ahead a call prefetches that reads each of so many row groups once, several in turn; far is two turns, into the second-level cache.</summary>
    public static long Lead(in PackedMatrix w, int groups, int inTurn)
    {
        long span = (inTurn - 1) * w.GroupBytes;
        return span <= NearSpan ? Math.Max(Near, span + Margin) : groups * w.GroupBytes >= FarCall ? 2 * inTurn * w.GroupBytes : Near;
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

    /// <summary>Asks for so many bytes, a constant of at most 128, that are read once.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public readonly void Ask(byte* ahead, int bytes)
    {
        if (_far)
        {
            Sse.Prefetch1(ahead);
            if (bytes > 64)
                Sse.Prefetch1(ahead + 64);
        }
        else
        {
            Sse.PrefetchNonTemporal(ahead);
            if (bytes > 64)
                Sse.PrefetchNonTemporal(ahead + 64);
        }
    }

    /// <summary>
    /// For how many row groups' bytes a tile of tokens asks while it reads two: a lone tile for two, the first two of several for one each, since
    /// a processor that has asked for more than it can remember waits (docs/performance.md).
    /// </summary>
    public static int GroupsAhead(int tile, int tiles) => tiles == 1 ? 2 : tile < 2 ? 1 : 0;
}
