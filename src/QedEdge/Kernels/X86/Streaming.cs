using QedEdge.Memory;
using QedEdge.Quantization;

namespace QedEdge.Kernels.X86;

/// <summary>Asking for weights before they are read.</summary>
internal static unsafe class Streaming
{
    /// <summary>
    /// Bytes ahead of its reading that a lone token asks for weights. Row groups are read two at a time, which breaks the
    /// stream that the processor's own prefetcher looks for; asking runs in a straight line instead (docs/performance.md).
    /// </summary>
    private const int PrefetchDistance = 8192;

    /// <summary>What to ask for while the row group at <paramref name="w0"/> is read: behind the last group it is what comes next.</summary>
    public static byte* Ahead(in PackedMatrix w, byte* w0, int groupEnd, NativeView next)
    {
        byte* ahead = w0 + PrefetchDistance, end = w.Data.Pointer + groupEnd * w.GroupBytes;
        return ahead < end || next.Length == 0 ? ahead : next.Pointer + (ahead - end);
    }

    /// <summary>
    /// For how many row groups' bytes a tile of tokens asks while it reads two: a lone tile for two, the first two of several for one each, since
    /// a processor that has asked for more than it can remember waits (docs/performance.md).
    /// </summary>
    public static int GroupsAhead(int tile, int tiles) => tiles == 1 ? 2 : tile < 2 ? 1 : 0;
}
