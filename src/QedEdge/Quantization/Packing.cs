using System.Runtime.InteropServices;

namespace QedEdge.Quantization;

/// <summary>
/// Rows of the plain layout to row groups of <see cref="PackedLayout"/> and back: a permutation plus zero padding, so both give
/// exactly the same values.
/// </summary>
internal static class Packing
{
    private const int GroupRows = PackedLayout.GroupRows;
    private const int BlockSize = PackedLayout.BlockSize;
    private const byte ZeroNibbles = 0x88; // a nibble of 8 stands for 0

    /// <summary>Packs up to eight plain rows into one row group.</summary>
    /// <param name="format">The format of both sides.</param>
    /// <param name="plain">The rows, <see cref="BlockCodec.RowBytes"/> each.</param>
    /// <param name="rows">1 to 8.</param>
    /// <param name="cols">Columns of the matrix.</param>
    /// <param name="group">Exactly <see cref="PackedLayout.GroupBytes"/>; every byte is written.</param>
    public static void PackGroup(BlockFormat format, ReadOnlySpan<byte> plain, int rows, int cols, Span<byte> group)
    {
        group.Clear();
        if (format == BlockFormat.Q4_0)
            group[..(int)PackedLayout.ScalesOffset(format, cols)].Fill(ZeroNibbles);
        int rowBytes = (int)BlockCodec.RowBytes(format, cols);
        for (int row = 0; row < rows; row++)
        {
            ReadOnlySpan<byte> source = plain.Slice(row * rowBytes, rowBytes);
            switch (format)
            {
                case BlockFormat.F32: Scatter(MemoryMarshal.Cast<byte, float>(source), MemoryMarshal.Cast<byte, float>(group), row); break;
                case BlockFormat.F16: Scatter(MemoryMarshal.Cast<byte, ushort>(source), MemoryMarshal.Cast<byte, ushort>(group), row); break;
                case BlockFormat.Q8_0: PackQ8_0(MemoryMarshal.Cast<byte, BlockQ8_0>(source), group, Scales(format, group, cols), row); break;
                default: PackQ4_0(MemoryMarshal.Cast<byte, BlockQ4_0>(source), group, Scales(format, group, cols), row); break;
            }
        }
    }

    /// <summary>Unpacks the first rows of a row group; the inverse of <see cref="PackGroup"/>.</summary>
    /// <param name="format">The format of both sides.</param>
    /// <param name="group">A row group, <see cref="PackedLayout.GroupBytes"/>.</param>
    /// <param name="rows">1 to 8.</param>
    /// <param name="cols">Columns of the matrix.</param>
    /// <param name="plain">Room for the rows, <see cref="BlockCodec.RowBytes"/> each.</param>
    public static void UnpackGroup(BlockFormat format, ReadOnlySpan<byte> group, int rows, int cols, Span<byte> plain)
    {
        int rowBytes = (int)BlockCodec.RowBytes(format, cols);
        for (int row = 0; row < rows; row++)
        {
            Span<byte> target = plain.Slice(row * rowBytes, rowBytes);
            switch (format)
            {
                case BlockFormat.F32: Gather(MemoryMarshal.Cast<byte, float>(group), MemoryMarshal.Cast<byte, float>(target), row); break;
                case BlockFormat.F16: Gather(MemoryMarshal.Cast<byte, ushort>(group), MemoryMarshal.Cast<byte, ushort>(target), row); break;
                case BlockFormat.Q8_0: UnpackQ8_0(group, Scales(format, group, cols), MemoryMarshal.Cast<byte, BlockQ8_0>(target), row); break;
                default: UnpackQ4_0(group, Scales(format, group, cols), MemoryMarshal.Cast<byte, BlockQ4_0>(target), row); break;
            }
        }
    }

    /// <summary>One row of a row group as floats: the embedding look-up.</summary>
    /// <param name="format">The group's format.</param>
    /// <param name="group">A row group.</param>
    /// <param name="row">0 to 7.</param>
    /// <param name="values">Receives the row [cols].</param>
    public static void DequantizeRow(BlockFormat format, ReadOnlySpan<byte> group, int row, Span<float> values)
    {
        switch (format)
        {
            case BlockFormat.F32:
                Gather(MemoryMarshal.Cast<byte, float>(group), values, row);
                return;
            case BlockFormat.F16:
                ReadOnlySpan<Half> halves = MemoryMarshal.Cast<byte, Half>(group);
                for (int i = 0; i < values.Length; i++)
                    values[i] = (float)halves[i * GroupRows + row];
                return;
        }
        ReadOnlySpan<Half> scales = Scales(format, group, values.Length);
        for (int i = 0; i < values.Length; i++)
        {
            int block = i / BlockSize, col = i % BlockSize;
            int q = format == BlockFormat.Q8_0
                ? (sbyte)group[Q8Offset(block, row, col)]
                : ((group[Q4Offset(block, row, col % 16)] >> (col < 16 ? 0 : 4)) & 15) - 8;
            values[i] = (float)scales[block * GroupRows + row] * q;
        }
    }

    /// <summary>Where the byte of a column stands: vector col / 4 holds four columns of each row.</summary>
    private static int Q8Offset(int block, int row, int col) => block * GroupRows * BlockSize + col / 4 * 32 + row * 4 + col % 4;

    /// <summary>Where the pair of columns <paramref name="col"/> (0..15) and <paramref name="col"/> + 16 stands.</summary>
    private static int Q4Offset(int block, int row, int col) => block * GroupRows * BlockSize / 2 + col / 4 * 32 + row * 4 + col % 4;

    private static void PackQ8_0(ReadOnlySpan<BlockQ8_0> source, Span<byte> group, Span<Half> scales, int row)
    {
        for (int b = 0; b < source.Length; b++)
        {
            scales[b * GroupRows + row] = source[b].Scale;
            for (int col = 0; col < BlockSize; col++)
                group[Q8Offset(b, row, col)] = (byte)source[b].Quants[col];
        }
    }

    private static void UnpackQ8_0(ReadOnlySpan<byte> group, ReadOnlySpan<Half> scales, Span<BlockQ8_0> target, int row)
    {
        for (int b = 0; b < target.Length; b++)
        {
            target[b].Scale = scales[b * GroupRows + row];
            for (int col = 0; col < BlockSize; col++)
                target[b].Quants[col] = (sbyte)group[Q8Offset(b, row, col)];
        }
    }

    private static void PackQ4_0(ReadOnlySpan<BlockQ4_0> source, Span<byte> group, Span<Half> scales, int row)
    {
        for (int b = 0; b < source.Length; b++)
        {
            scales[b * GroupRows + row] = source[b].Scale;
            for (int col = 0; col < BlockSize / 2; col++)
                group[Q4Offset(b, row, col)] = source[b].Nibbles[col];
        }
    }

    private static void UnpackQ4_0(ReadOnlySpan<byte> group, ReadOnlySpan<Half> scales, Span<BlockQ4_0> target, int row)
    {
        for (int b = 0; b < target.Length; b++)
        {
            target[b].Scale = scales[b * GroupRows + row];
            for (int col = 0; col < BlockSize / 2; col++)
                target[b].Nibbles[col] = group[Q4Offset(b, row, col)];
        }
    }

    private static Span<Half> Scales(BlockFormat format, Span<byte> group, int cols) =>
        MemoryMarshal.Cast<byte, Half>(group[(int)PackedLayout.ScalesOffset(format, cols)..]);

    private static ReadOnlySpan<Half> Scales(BlockFormat format, ReadOnlySpan<byte> group, int cols) =>
        MemoryMarshal.Cast<byte, Half>(group[(int)PackedLayout.ScalesOffset(format, cols)..]);

    private static void Scatter<T>(ReadOnlySpan<T> row, Span<T> group, int index)
    {
        for (int i = 0; i < row.Length; i++)
            group[i * GroupRows + index] = row[i];
    }

    private static void Gather<T>(ReadOnlySpan<T> group, Span<T> row, int index)
    {
        for (int i = 0; i < row.Length; i++)
            row[i] = group[i * GroupRows + index];
    }
}
