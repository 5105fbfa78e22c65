using QedEdge.Gguf;
using QedEdge.Memory;
using QedEdge.Quantization;
using QedEdge.Quantization.Formats;
using QedEdge.Threading;

namespace QedEdge.Model;

/// <summary>
/// Matrices of a plain file, packed into memory by all cores. What was packed leaves memory at once, so that a file and its copy never stand there together. The
/// copies lie one after another in memory that is asked for in huge pages.
/// </summary>
internal sealed class RepackedWeights : IDisposable
{
    /// <summary>Bytes of the file that stay mapped behind a worker.</summary>
    private const int ForgetBytes = 4 << 20;

    /// <summary>A matrix smaller than this is packed before a second thread has begun.</summary>
    private const int SmallBytes = 1 << 16;

    private readonly GgufFile _file;
    private readonly Action<double>? _progress;
    private readonly List<AlignedBuffer<byte>> _memory = [];
    private readonly long _all;
    private WorkerTeam? _team;
    private long _used, _done;

    /// <summary>Sets out the memory for a file's matrices; nothing for a packed file.</summary>
    /// <param name="file">The file.</param>
    /// <param name="progress">Is told the share of the bytes that are packed, or null.</param>
    public RepackedWeights(GgufFile file, Action<double>? progress)
    {
        (_file, _progress) = (file, progress);
        _all = file.Tensors.Sum(static tensor => BytesOf(tensor) ?? 0);
        if (_all > 0)
            Reserve(_all);
    }

    /// <summary>What a matrix of a plain file takes when it is packed, some formats more than in the file; null where a tensor is used as it lies there.</summary>
    public static long? BytesOf(GgufTensorInfo tensor) =>
        tensor.Dimensions is [<= int.MaxValue and var rows, <= int.MaxValue and var cols] && TensorTypes.PlainFormat(tensor.Type) is { } format ? format.Info().MatrixBytes((int)rows, (int)cols) : null;

    /// <summary>Packs rows.</summary>
    /// <param name="format">Their format.</param>
    /// <param name="plain">The rows in plain order.</param>
    /// <param name="rows">How many.</param>
    /// <param name="cols">Values of each.</param>
    /// <param name="headSize">Rows of a head where they stand as llama.cpp turns them (<see cref="InterleavedRows"/>), or 0.</param>
    public PackedMatrix Pack(BlockFormat format, NativeView plain, int rows, int cols, int headSize)
    {
        long bytes = format.Info().MatrixBytes(rows, cols);
        if (_used + bytes > _memory[^1].Count)
            Reserve(bytes); // rows of one tensor that are packed apart take a little more
        var work = new Work(this, format.Info(), plain, rows, cols, headSize, _used);
        if (bytes < SmallBytes || ProcessorInfo.PhysicalCores == 1)
            work.Pack(0, PackedLayout.RowGroups(rows));
        else
            (_team ??= new WorkerTeam(Math.Min(ProcessorInfo.PhysicalCores, WorkerTeam.MaxSize))).Run(work);
        var matrix = new PackedMatrix(format, rows, cols, _memory[^1].View.Slice(_used, bytes));
        _used += bytes;
        _done += bytes;
        _progress?.Invoke(Math.Min(1, (double)_done / _all));
        return matrix;
    }

    /// <summary>No more matrices come: the threads end.</summary>
    public void End()
    {
        _team?.Dispose();
        _team = null;
    }

    /// <summary>Frees the memory.</summary>
    public void Dispose()
    {
        End();
        foreach (AlignedBuffer<byte> buffer in _memory)
            buffer.Dispose();
        _memory.Clear();
    }

    private void Reserve(long bytes)
    {
        var buffer = new AlignedBuffer<byte>(bytes);
        PageAdvice.PreferHuge(buffer.View);
        _memory.Add(buffer);
        _used = 0;
    }

    /// <summary>A matrix, its row groups shared out.</summary>
    private sealed class Work(RepackedWeights owner, FormatInfo format, NativeView plain, int rows, int cols, int headSize, long offset) : ITeamWork
    {
        private readonly AlignedBuffer<byte> _memory = owner._memory[^1];

        /// <inheritdoc/>
        public void Execute(int worker)
        {
            int groups = PackedLayout.RowGroups(rows), members = owner._team!.Active;
            Pack((int)((long)groups * worker / members), (int)((long)groups * (worker + 1) / members));
        }

        /// <summary>Row groups <paramref name="begin"/> to <paramref name="end"/>.</summary>
        public void Pack(int begin, int end)
        {
            const int GroupRows = PackedLayout.GroupRows;
            long groupBytes = format.GroupBytes(cols), rowBytes = plain.Length / rows, forgotten = begin * GroupRows * rowBytes;
            byte[] gathered = headSize > 0 ? new byte[GroupRows * rowBytes] : []; // [rows of a group][row bytes]
            for (int group = begin; group < end; group++)
            {
                int first = group * GroupRows, count = Math.Min(GroupRows, rows - first);
                ReadOnlySpan<byte> source = headSize > 0 ? Gather(first, count) : plain.Span(first * rowBytes, checked((int)(count * rowBytes)));
                format.PackGroup(source, count, cols, _memory.Slice(offset + group * groupBytes, (int)groupBytes));
                // What was copied need not stay in memory a second time.
                long copied = (first + count) * rowBytes;
                if (copied - forgotten >= ForgetBytes || group == end - 1)
                {
                    owner._file.Forget(plain.Slice(forgotten, copied - forgotten));
                    forgotten = copied;
                }
            }

            ReadOnlySpan<byte> Gather(int first, int count)
            {
                for (int i = 0; i < count; i++)
                    plain.Span(InterleavedRows.Source(first + i, headSize) * rowBytes, (int)rowBytes).CopyTo(gathered.AsSpan((int)(i * rowBytes)));
                return gathered;
            }
        }
    }
}
