using CommunityToolkit.HighPerformance.Buffers;
using QedEdge.Quantization;

namespace QedEdge.Conversion;

/// <summary>
/// Makes a matrix's output row group by row group, in batches of a few megabytes: the groups of a batch on several threads, the
/// batches one after another. So memory does not grow with the matrix, and the output does not depend on the threads.
/// </summary>
/// <param name="threads">Threads to use, at least 1.</param>
internal sealed class RowGroupRunner(int threads)
{
    private const int BatchBytes = 4 << 20;

    /// <summary>Makes one row group's output; groups of a batch run at once.</summary>
    /// <param name="firstRow">The group's first row.</param>
    /// <param name="rows">Its rows, 1 to 8.</param>
    /// <param name="output">Exactly the group's bytes; to be filled.</param>
    public delegate void GroupWork(int firstRow, int rows, Span<byte> output);

    /// <summary>Makes a matrix.</summary>
    /// <param name="rows">Its rows.</param>
    /// <param name="bytesOf">Bytes of output of a group of that many rows.</param>
    /// <param name="work">Makes a group.</param>
    /// <param name="write">Takes the rows done so far and the next bytes, in order.</param>
    /// <param name="cancellation">Stops between two batches.</param>
    public void Run(int rows, Func<int, int> bytesOf, GroupWork work, Action<int, ReadOnlySpan<byte>> write, CancellationToken cancellation)
    {
        int groups = PackedLayout.RowGroups(rows), groupBytes = bytesOf(Math.Min(rows, PackedLayout.GroupRows));
        int perBatch = Math.Clamp(BatchBytes / Math.Max(groupBytes, 1), 1, Math.Max(groups, 1));
        using var batch = MemoryOwner<byte>.Allocate(perBatch * groupBytes);
        for (int first = 0; first < groups; first += perBatch)
        {
            cancellation.ThrowIfCancellationRequested();
            int begin = first, count = Math.Min(perBatch, groups - first);
            Work.For(count, Math.Max(1, threads), index =>
            {
                int row = (begin + index) * PackedLayout.GroupRows, rowsHere = Math.Min(PackedLayout.GroupRows, rows - row);
                work(row, rowsHere, batch.Span.Slice(index * groupBytes, bytesOf(rowsHere)));
            });
            int done = Math.Min(rows, (begin + count) * PackedLayout.GroupRows);
            int last = done - (begin + count - 1) * PackedLayout.GroupRows;
            write(done, batch.Span[..((count - 1) * groupBytes + bytesOf(last))]);
        }
    }
}
