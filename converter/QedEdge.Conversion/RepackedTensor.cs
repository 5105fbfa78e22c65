using CommunityToolkit.HighPerformance.Buffers;
using QedEdge.Gguf;
using QedEdge.Memory;
using QedEdge.Quantization;
using QedEdge.Quantization.Formats;

namespace QedEdge.Conversion;

/// <summary>A tensor [Rows, Cols] of a file in another layout, and the tensors of the file before that its rows come from.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Sources">What it is made of; all are of one type.</param>
/// <param name="Rows">Rows of a matrix; of a vector 1, or where its values change places as many as it has values.</param>
/// <param name="Cols">Columns.</param>
/// <param name="IsMatrix">Whether it has two dimensions.</param>
/// <param name="Format">The sources' format.</param>
/// <param name="FromPacked">Whether the sources lie in the packed order.</param>
/// <param name="To">The format that is written.</param>
/// <param name="ToPacked">Whether it is written in the packed order.</param>
internal sealed record RepackedTensor(string Name, GgufTensorInfo[] Sources, int Rows, int Cols, bool IsMatrix, BlockFormat Format, bool FromPacked, BlockFormat To, bool ToPacked)
{
    /// <summary>Which source a row comes from and which of its rows it is; null: the one source's rows in their order.</summary>
    public Func<int, (int Source, int Row)>? RowOf { get; init; }

    /// <summary>The type's number in the file.</summary>
    public TensorType Type => TensorTypes.Of(To, ToPacked);

    /// <summary>The dimensions in the file.</summary>
    public long[] Dimensions => IsMatrix ? [Rows, Cols] : [Math.Max(Rows, Cols)];

    /// <summary>Its bytes.</summary>
    public long Bytes => ToPacked ? To.Info().MatrixBytes(Rows, Cols) : Rows * To.Info().RowBytes(Cols);

    /// <summary>The sources' bytes.</summary>
    public long SourceBytes => Sources.Sum(static source => source.Bytes);

    /// <summary>Bytes of output of a group of rows.</summary>
    public int GroupBytes(int rows) => checked((int)(ToPacked ? To.Info().GroupBytes(Cols) : rows * To.Info().RowBytes(Cols)));

    /// <summary>Makes one row group.</summary>
    /// <param name="data">The sources' bytes.</param>
    /// <param name="firstRow">The group's first row.</param>
    /// <param name="rows">Its rows.</param>
    /// <param name="output">Takes its bytes.</param>
    public void Group(NativeView[] data, int firstRow, int rows, Span<byte> output)
    {
        if (FromPacked && ToPacked && RowOf is null)
        {
            PackedGroup(data[0], firstRow).CopyTo(output);
            return;
        }
        int rowBytes = (int)Format.Info().RowBytes(Cols);
        using var gathered = SpanOwner<byte>.Allocate(FromPacked || RowOf is not null ? rows * rowBytes : 0); // [rows][row bytes]
        ReadOnlySpan<byte> plain = gathered.Span;
        if (RowOf is not null)
            Gather(data, firstRow, rows, gathered.Span);
        else if (FromPacked)
            Format.Info().UnpackGroup(PackedGroup(data[0], firstRow), rows, Cols, gathered.Span);
        else
            plain = data[0].Span((long)firstRow * rowBytes, rows * rowBytes);

        if (ToPacked)
            To.Info().PackGroup(plain, rows, Cols, output);
        else if (Format == To)
            plain.CopyTo(output);
        else
            Reencode(plain, rows, output);
    }

    /// <summary>Rows from wherever they are.</summary>
    private void Gather(NativeView[] data, int firstRow, int rows, Span<byte> plain)
    {
        int rowBytes = plain.Length / rows;
        // Neighbours in the interleaved order are half a head apart in ours: two groups are open at a time.
        const int open = 2;
        using var unpacked = SpanOwner<byte>.Allocate(FromPacked ? open * PackedLayout.GroupRows * rowBytes : 0);
        Span<(int Source, int Group)> opened = [(-1, 0), (-1, 0)];
        for (int i = 0; i < rows; i++)
        {
            (int source, int row) = RowOf!(firstRow + i);
            ReadOnlySpan<byte> bytes;
            if (FromPacked)
            {
                int group = row / PackedLayout.GroupRows, rowsThere = Math.Min(PackedLayout.GroupRows, RowsOf(Sources[source]) - group * PackedLayout.GroupRows);
                Span<byte> slot = unpacked.Span.Slice(i % open * PackedLayout.GroupRows * rowBytes, PackedLayout.GroupRows * rowBytes);
                if (opened[i % open] != (source, group))
                    Format.Info().UnpackGroup(PackedGroup(data[source], row), rowsThere, Cols, slot[..(rowsThere * rowBytes)]);
                opened[i % open] = (source, group);
                bytes = slot.Slice(row % PackedLayout.GroupRows * rowBytes, rowBytes);
            }
            else
            {
                bytes = data[source].Span((long)row * rowBytes, rowBytes);
            }
            bytes.CopyTo(plain.Slice(i * rowBytes, rowBytes));
        }
    }

    private static int RowsOf(GgufTensorInfo tensor) => (int)tensor.Dimensions[0];

    private ReadOnlySpan<byte> PackedGroup(NativeView data, int row)
    {
        long bytes = Format.Info().GroupBytes(Cols);
        return data.Span(row / PackedLayout.GroupRows * bytes, (int)bytes);
    }

    private void Reencode(ReadOnlySpan<byte> plain, int rows, Span<byte> output)
    {
        using var row = SpanOwner<float>.Allocate(Cols);
        int from = plain.Length / rows, to = output.Length / rows;
        for (int i = 0; i < rows; i++)
        {
            Format.Info().DecodeRow(plain.Slice(i * from, from), row.Span);
            if (!To.Info().EncodeRow(row.Span, output.Slice(i * to, to)))
                throw new QedException($"tensor '{Name}': a value is beyond half precision, which the plain layout needs for this width");
        }
    }
}
