using QedEdge.Memory;
using QedEdge.Quantization.Formats;

namespace QedEdge.Quantization;

/// <summary>A weight matrix [Rows, Cols] in the order of <see cref="PackedLayout"/>; the memory belongs to somebody else.</summary>
internal readonly struct PackedMatrix
{
    /// <summary>Wraps packed bytes of exactly <see cref="FormatInfo.MatrixBytes"/>.</summary>
    public PackedMatrix(BlockFormat format, int rows, int cols, NativeView data)
    {
        FormatInfo info = format.Info();
        Format = format;
        Rows = rows;
        Cols = cols;
        Groups = PackedLayout.RowGroups(rows);
        Blocks = PackedLayout.Blocks(cols);
        GroupBytes = info.GroupBytes(cols);
        ScalesOffset = info.ScalesOffset(cols);
        SupersOffset = info.SupersOffset(cols);
        Data = data;
        ArgumentOutOfRangeException.ThrowIfNotEqual(data.Length, Groups * GroupBytes);
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

    /// <summary>Bytes from a row group's start to what its scales are multiplied by.</summary>
    public long SupersOffset { get; }

    /// <summary>All row groups, one after another.</summary>
    public NativeView Data { get; private init; }

    /// <summary>The same rows with only their first columns, in blocks of 32.</summary>
    public PackedMatrix FirstBlocks(int blocks)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan((uint)blocks, (uint)Blocks);
        return this with { Blocks = blocks };
    }

    /// <summary>Another matrix of the same shape, in memory of the same size.</summary>
    public PackedMatrix At(NativeView data)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(data.Length, Data.Length);
        return this with { Data = data };
    }

    /// <summary>The bytes of row group <paramref name="group"/>.</summary>
    public ReadOnlySpan<byte> Group(int group) => Data.Span(group * GroupBytes, checked((int)GroupBytes));
}
