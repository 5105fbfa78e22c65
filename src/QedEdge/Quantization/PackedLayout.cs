namespace QedEdge.Quantization;

/// <summary>
/// The order in which the kernels read a matrix [rows, cols]. Rows are taken 8 at a time (a row group), columns 32 at a time
/// (a block); both are zero-padded. A vector lane is a row, so no horizontal sum is ever needed.
/// <code>
/// F32, F16   row group:  column 0: rows 0..7 | column 1: rows 0..7 | …                (columns padded to 32)
/// Q8_0       row group:  block 0 | block 1 | … | scales
///            block:      8 vectors of 32 bytes; vector j: rows 0..7 × 4 bytes, columns 4j..4j+3
///            scales:     block 0: 8 halves, rows 0..7 | block 1: … | zeros up to 64 bytes
/// Q4_0,      as Q8_0, a block being 4 vectors of 32 bytes: low nibbles vector j, high nibbles vector j+4
/// IQ4_NL
/// </code>
/// The quants of a row group come before its scales, so that every vector is aligned to its size and a group starts a cache line.
/// </summary>
internal static class PackedLayout
{
    /// <summary>Rows in a row group.</summary>
    public const int GroupRows = 8;

    /// <summary>Columns in a block.</summary>
    public const int BlockSize = 32;

    private const int CacheLine = 64;

    /// <summary>Row groups that hold <paramref name="rows"/> rows.</summary>
    public static int RowGroups(int rows) => (int)(((long)rows + GroupRows - 1) / GroupRows);

    /// <summary>Blocks that hold <paramref name="cols"/> columns.</summary>
    public static int Blocks(int cols) => (int)(((long)cols + BlockSize - 1) / BlockSize);

    /// <summary>Bytes of quants (or of float values) of one block of a row group.</summary>
    public static int BlockBytes(BlockFormat format) => format switch
    {
        BlockFormat.F32 => GroupRows * BlockSize * 4,
        BlockFormat.F16 => GroupRows * BlockSize * 2,
        BlockFormat.Q8_0 => GroupRows * BlockSize,
        BlockFormat.Q4_0 or BlockFormat.IQ4_NL => GroupRows * BlockSize / 2,
        _ => throw new ArgumentOutOfRangeException(nameof(format)),
    };

    /// <summary>Where the scales of a row group start, in bytes from the group's start; the group's end for the float formats.</summary>
    public static long ScalesOffset(BlockFormat format, int cols) => (long)Blocks(cols) * BlockBytes(format);

    /// <summary>Bytes from one row group to the next.</summary>
    public static long GroupBytes(BlockFormat format, int cols)
    {
        long scales = HasScales(format) ? (long)Blocks(cols) * GroupRows * 2 : 0;
        return (ScalesOffset(format, cols) + scales + CacheLine - 1) / CacheLine * CacheLine;
    }

    /// <summary>Bytes of a whole packed matrix [rows, cols]; throws <see cref="OverflowException"/> beyond 2^63.</summary>
    public static long MatrixBytes(BlockFormat format, int rows, int cols) =>
        checked(RowGroups(rows) * GroupBytes(format, cols));

    /// <summary>Whether values are quants with a scale per block.</summary>
    public static bool HasScales(BlockFormat format) => format == BlockFormat.Q8_0 || HasNibbles(format);

    /// <summary>Whether quants have four bits.</summary>
    public static bool HasNibbles(BlockFormat format) => format is BlockFormat.Q4_0 or BlockFormat.IQ4_NL;
}
