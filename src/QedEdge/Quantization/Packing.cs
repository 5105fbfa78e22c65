using System.Runtime.InteropServices;

namespace QedEdge.Quantization;

/// <summary>
/// Between plain GGUF rows and the packed order of <see cref="PackedLayout"/>, one row group at a time. Packing moves bytes and pads
/// with zero values; no value changes. Rows and columns beyond the matrix hold zeros: a scale of 0 and, of nibbles, 8.
/// </summary>
internal static class Packing
{
    private const int GroupRows = PackedLayout.GroupRows;
    private const int BlockSize = PackedLayout.BlockSize;

    /// <summary>Four quants (or eight nibbles) of a row move together: vector j of a block takes the j-th four bytes of each row's quants.</summary>
    private const int Quad = 4;

    /// <summary>Packs up to 8 plain rows into one row group.</summary>
    /// <param name="format">The format of both.</param>
    /// <param name="plain">The rows one after another, [rows][<see cref="BlockCodec.RowBytes"/>].</param>
    /// <param name="rows">1 to 8; missing rows become zeros.</param>
    /// <param name="cols">Columns of the matrix.</param>
    /// <param name="group">Takes <see cref="PackedLayout.GroupBytes"/> bytes; all of them are written.</param>
    public static void PackGroup(BlockFormat format, ReadOnlySpan<byte> plain, int rows, int cols, Span<byte> group)
    {
        int rowBytes = Check(format, plain.Length, rows, cols);
        group = group[..checked((int)PackedLayout.GroupBytes(format, cols))];
        plain = plain[..(rows * rowBytes)];
        group.Clear();
        switch (format)
        {
            case BlockFormat.F32:
                Interleave<uint>(MemoryMarshal.Cast<byte, uint>(plain), rows, cols, MemoryMarshal.Cast<byte, uint>(group));
                break;
            case BlockFormat.F16:
                Interleave<ushort>(MemoryMarshal.Cast<byte, ushort>(plain), rows, cols, MemoryMarshal.Cast<byte, ushort>(group));
                break;
            default:
                if (PackedLayout.HasNibbles(format))
                    group[..(int)PackedLayout.ScalesOffset(format, cols)].Fill(0x88);
                PackBlocks(format, plain, rows, cols, group);
                break;
        }
    }

    /// <summary>Takes up to 8 plain rows out of one row group.</summary>
    /// <param name="format">The format of both.</param>
    /// <param name="group">The row group.</param>
    /// <param name="rows">1 to 8: how many rows to take.</param>
    /// <param name="cols">Columns of the matrix.</param>
    /// <param name="plain">Takes the rows one after another, [rows][<see cref="BlockCodec.RowBytes"/>].</param>
    public static void UnpackGroup(BlockFormat format, ReadOnlySpan<byte> group, int rows, int cols, Span<byte> plain)
    {
        int rowBytes = Check(format, plain.Length, rows, cols);
        group = group[..checked((int)PackedLayout.GroupBytes(format, cols))];
        for (int row = 0; row < rows; row++)
            UnpackRow(format, group, row, cols, plain.Slice(row * rowBytes, rowBytes));
    }

    /// <summary>Decodes one row of a row group to float32, as the embedding lookup does.</summary>
    /// <param name="format">The group's format.</param>
    /// <param name="group">The row group.</param>
    /// <param name="row">The row's index in the group, 0 to 7.</param>
    /// <param name="destination">Takes the row's values, [cols].</param>
    public static void DequantizeRow(BlockFormat format, ReadOnlySpan<byte> group, int row, Span<float> destination)
    {
        int cols = destination.Length;
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual((uint)row, (uint)GroupRows, nameof(row));
        group = group[..checked((int)PackedLayout.GroupBytes(format, cols))];
        switch (format)
        {
            case BlockFormat.F32:
                var floats = MemoryMarshal.Cast<byte, float>(group);
                for (int i = 0; i < cols; i++)
                    destination[i] = floats[(i * GroupRows) + row];
                break;
            case BlockFormat.F16:
                var halves = MemoryMarshal.Cast<byte, Half>(group);
                for (int i = 0; i < cols; i++)
                    destination[i] = (float)halves[(i * GroupRows) + row];
                break;
            case BlockFormat.Q8_0:
                DequantizeQ8_0(group, row, destination);
                break;
            default:
                DequantizeNibbles(format, group, row, destination);
                break;
        }
    }

    private static void DequantizeQ8_0(ReadOnlySpan<byte> group, int row, Span<float> destination)
    {
        var scales = Scales(BlockFormat.Q8_0, group, destination.Length);
        int blockBytes = PackedLayout.BlockBytes(BlockFormat.Q8_0);
        for (int i = 0; i < destination.Length; i++)
        {
            int b = i / BlockSize, j = i % BlockSize;
            float d = (float)scales[(b * GroupRows) + row];
            destination[i] = d * (sbyte)group[(b * blockBytes) + QuadStart(j / Quad, row) + (j % Quad)];
        }
    }

    private static void DequantizeNibbles(BlockFormat format, ReadOnlySpan<byte> group, int row, Span<float> destination)
    {
        var scales = Scales(format, group, destination.Length);
        ReadOnlySpan<sbyte> levels = BlockCodec.Levels(format);
        int blockBytes = PackedLayout.BlockBytes(format);
        for (int i = 0; i < destination.Length; i++)
        {
            int b = i / BlockSize, j = i % BlockSize, half = j % (BlockSize / 2);
            float d = (float)scales[(b * GroupRows) + row];
            int both = group[(b * blockBytes) + QuadStart(half / Quad, row) + (half % Quad)];
            destination[i] = d * levels[j == half ? both & 15 : both >> 4];
        }
    }

    private static void UnpackRow(BlockFormat format, ReadOnlySpan<byte> group, int row, int cols, Span<byte> plain)
    {
        switch (format)
        {
            case BlockFormat.F32:
                TakeRow(MemoryMarshal.Cast<byte, uint>(group), row, MemoryMarshal.Cast<byte, uint>(plain));
                return;
            case BlockFormat.F16:
                TakeRow(MemoryMarshal.Cast<byte, ushort>(group), row, MemoryMarshal.Cast<byte, ushort>(plain));
                return;
        }
        var scales = Scales(format, group, cols);
        int blockBytes = PackedLayout.BlockBytes(format), quants = blockBytes / GroupRows;
        for (int b = 0; b < PackedLayout.Blocks(cols); b++)
        {
            var block = plain.Slice(b * (2 + quants), 2 + quants);
            MemoryMarshal.Write(block, in scales[(b * GroupRows) + row]);
            for (int j = 0; j < quants / Quad; j++)
                group.Slice((b * blockBytes) + QuadStart(j, row), Quad).CopyTo(block[(2 + (j * Quad))..]);
        }
    }

    private static void PackBlocks(BlockFormat format, ReadOnlySpan<byte> plain, int rows, int cols, Span<byte> group)
    {
        int blocks = PackedLayout.Blocks(cols);
        int blockBytes = PackedLayout.BlockBytes(format), quants = blockBytes / GroupRows;
        var scales = MemoryMarshal.Cast<byte, Half>(group[(int)PackedLayout.ScalesOffset(format, cols)..]);
        for (int b = 0; b < blocks; b++)
        {
            for (int row = 0; row < rows; row++)
            {
                var block = plain.Slice(((row * blocks) + b) * (2 + quants), 2 + quants);
                scales[(b * GroupRows) + row] = MemoryMarshal.Read<Half>(block);
                for (int j = 0; j < quants / Quad; j++)
                    block.Slice(2 + (j * Quad), Quad).CopyTo(group[((b * blockBytes) + QuadStart(j, row))..]);
            }
        }
    }

    /// <summary>Where, in a block, vector <paramref name="j"/> has the four bytes of a row.</summary>
    private static int QuadStart(int j, int row) => ((j * GroupRows) + row) * Quad;

    private static ReadOnlySpan<Half> Scales(BlockFormat format, ReadOnlySpan<byte> group, int cols) =>
        MemoryMarshal.Cast<byte, Half>(group[(int)PackedLayout.ScalesOffset(format, cols)..]);

    private static void Interleave<T>(ReadOnlySpan<T> plain, int rows, int cols, Span<T> group)
    {
        for (int row = 0; row < rows; row++)
        {
            var source = plain.Slice(row * cols, cols);
            for (int i = 0; i < source.Length; i++)
                group[(i * GroupRows) + row] = source[i];
        }
    }

    private static void TakeRow<T>(ReadOnlySpan<T> group, int row, Span<T> plain)
    {
        for (int i = 0; i < plain.Length; i++)
            plain[i] = group[(i * GroupRows) + row];
    }

    /// <summary>Checks the number of rows and the length of the plain side; returns the bytes of a plain row.</summary>
    private static int Check(BlockFormat format, int plainLength, int rows, int cols)
    {
        if (rows is < 1 or > GroupRows)
            throw new ArgumentOutOfRangeException(nameof(rows), rows, "a row group has 1 to 8 rows");
        long rowBytes = BlockCodec.RowBytes(format, cols);
        if (plainLength < rows * rowBytes)
            throw new ArgumentException($"{rows} plain rows take {rows * rowBytes} bytes, not {plainLength}");
        return (int)rowBytes;
    }
}
