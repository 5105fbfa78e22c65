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
/// Q5_0 …     as Q4_0, and behind the nibbles of a block the upper bits of its quants (<see cref="Formats.PackedCodes"/>)
/// Q4_K …     as Q4_0, scales being bytes, and behind all of them, for each 8 blocks, the halves that they are multiplied by
///            (<see cref="Formats.BlockScaling"/>)
/// </code>
/// The quants of a row group come before its scales, so that every vector is aligned to its size and a group starts a cache line.
/// </summary>
internal static class PackedLayout
{
    /// <summary>Rows in a row group.</summary>
    public const int GroupRows = 8;

    /// <summary>Columns in a block.</summary>
    public const int BlockSize = 32;

    /// <summary>Blocks whose scales have a factor in common, in the formats that have one.</summary>
    public const int SuperBlocks = 8;

    /// <summary>Row groups that hold <paramref name="rows"/> rows.</summary>
    public static int RowGroups(int rows) => (int)(((long)rows + GroupRows - 1) / GroupRows);

    /// <summary>Blocks that hold <paramref name="cols"/> columns.</summary>
    public static int Blocks(int cols) => (int)(((long)cols + BlockSize - 1) / BlockSize);
}
