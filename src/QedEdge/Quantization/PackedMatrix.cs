using QedEdge.Memory;

namespace QedEdge.Quantization;

/// <summary>A weight matrix [Rows, Cols] in the order of <see cref="PackedLayout"/>; the memory belongs to somebody else.</summary>
internal readonly struct PackedMatrix
{
    /// <summary>Wraps packed bytes of exactly <see cref="PackedLayout.MatrixBytes"/>.</summary>
    public PackedMatrix(BlockFormat format, int rows, int cols, NativeView data)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(data.Length, PackedLayout.MatrixBytes(format, rows, cols));
        Format = format;
        Rows = rows;
        Cols = cols;
        Groups = PackedLayout.RowGroups(rows);
        Blocks = PackedLayout.Blocks(cols);
        GroupBytes = PackedLayout.GroupBytes(format, cols);
        ScalesOffset = PackedLayout.ScalesOffset(format, cols);
        Data = data;
    }

    /// <summary>How values are stored.</summary>
    public BlockFormat Format { get; }

    /// <summary>Outputs.</summary>
    public int Rows { get; }

    /// <summary>Inputs.</summary>
    public int Cols { get; }

    /// <summary>Row groups of 8.</summary>
    public int Groups { get; }

    /// <summary>Blocks of 32 columns.</summary>
    public int Blocks { get; private init; }

    /// <summary>Bytes from one row group to the next.</summary>
    public long GroupBytes { get; }

    /// <summary>Bytes from a row group's start to its scales.</summary>
    public long ScalesOffset { get; }

    /// <summary>All row groups, one after another.</summary>
    public NativeView Data { get; }

    /// <summary>The same rows with only their first columns, in blocks of 32.</summary>
    public PackedMatrix FirstBlocks(int blocks)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan((uint)blocks, (uint)Blocks);
        return this with { Blocks = blocks };
    }

    /// <summary>The bytes of row group <paramref name="group"/>.</summary>
    public ReadOnlySpan<byte> Group(int group) => Data.Span(group * GroupBytes, checked((int)GroupBytes));
}
