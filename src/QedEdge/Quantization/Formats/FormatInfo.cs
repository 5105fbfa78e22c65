namespace QedEdge.Quantization.Formats;

/// <summary>
/// What there is to know of a format: its types in files, its sizes in plain and packed order, how rows are encoded, decoded and packed. A format is one class
/// here, and one line in the kernels' switch of each instruction set.
/// </summary>
/// <param name="type">The number of its tensors' type in GGUF's own order.</param>
/// <param name="blockBytes">Bytes of 32 columns of a plain row; for the float formats, of one.</param>
/// <param name="quantBytes">Bytes of quants (or of float values) of one block of a row group, in packed order.</param>
internal abstract class FormatInfo(uint type, int blockBytes, int quantBytes)
{
    private const int CacheLine = 64;

    private static readonly FormatInfo[] Table = // in the order of BlockFormat
    [
        new SingleFormat(), new HalfFormat(), new Q8_0Format(), new Q4_0Format(), new IQ4_NLFormat(),
        new BrainFormat(), new Q4_1Format(), new Q5_0Format(), new Q5_1Format(), new Q2_KFormat(), new Q3_KFormat(), new Q4_KFormat(), new Q5_KFormat(), new Q6_KFormat(),
        new IQ4_XSFormat(), new IQ1_SFormat(), new IQ1_MFormat(), new IQ2_XXSFormat(), new IQ2_XSFormat(), new IQ2_SFormat(), new IQ3_XXSFormat(), new IQ3_SFormat(),
        new TQ1_0Format(), new TQ2_0Format(), new MXFP4Format(), new NVFP4Format(), new Q1_0Format(), new Q2_0Format(),
    ];

    /// <summary>The one of a format.</summary>
    public static FormatInfo Of(BlockFormat format) => Table[(int)format];

    /// <summary>The format of a type's number in GGUF, or null where it is not run.</summary>
    public static BlockFormat? Find(uint type)
    {
        for (int i = 0; i < Table.Length; i++)
        {
            if (Table[i].Type == type)
                return (BlockFormat)i;
        }
        return null;
    }

    /// <summary>The number of its tensors' type in GGUF's own order.</summary>
    public uint Type => type;

    /// <summary>Whether values are quants with a scale per block.</summary>
    public virtual bool HasScales => false;

    /// <summary>Whether the halves of a block, 16 columns, have scales of their own.</summary>
    public virtual bool HasHalfBlocks => false;

    /// <summary>What each quant counts, times the block's scale; empty for the float formats.</summary>
    public virtual ReadOnlySpan<sbyte> Levels => default;

    /// <summary>Whether quants have four bits.</summary>
    public virtual bool HasNibbles => false;

    /// <summary>Bytes of a plain row of <paramref name="cols"/> values.</summary>
    public virtual long RowBytes(int cols) => (long)cols * blockBytes;

    /// <summary>Bytes of quants (or of float values) of one block of a row group.</summary>
    public int QuantBytes => quantBytes;

    /// <summary>Where the scales of a row group start, in bytes from the group's start; the group's end for the float formats.</summary>
    public long ScalesOffset(int cols) => (long)PackedLayout.Blocks(cols) * QuantBytes;

    /// <summary>Bytes of a block's scales, for the eight rows of a group.</summary>
    public virtual int ScaleBytes => HasScales ? sizeof(ushort) * PackedLayout.GroupRows : 0;

    /// <summary>Bytes of what the scales of <see cref="PackedLayout.SuperBlocks"/> blocks are multiplied by, for the eight rows of a group.</summary>
    public virtual int SuperBytes => 0;

    /// <summary>Where the factors of the scales start in a row group; the end of the scales where there are none.</summary>
    public long SupersOffset(int cols) => ScalesOffset(cols) + (long)PackedLayout.Blocks(cols) * ScaleBytes;

    /// <summary>Columns come in multiples of it.</summary>
    public virtual int ColumnStep => 1;

    /// <summary>Bytes from one row group to the next.</summary>
    public long GroupBytes(int cols) => (NumbersEnd(cols) + CacheLine - 1) / CacheLine * CacheLine;

    /// <summary>Bytes of a whole packed matrix [rows, cols]; throws <see cref="OverflowException"/> beyond 2^63.</summary>
    public long MatrixBytes(int rows, int cols) => checked(PackedLayout.RowGroups(rows) * GroupBytes(cols));

    /// <summary>Where a packed row group holds floating-point numbers, a run of eight rows after another: values, scales, or what scales are multiplied by.</summary>
    public long NumbersOffset(int cols) => !HasScales ? 0 : SuperBytes > 0 ? SupersOffset(cols) : ScalesOffset(cols);

    /// <summary>Where they end; behind them a row group is rounded up to whole cache lines.</summary>
    public long NumbersEnd(int cols) => SupersOffset(cols) + (long)PackedLayout.Blocks(cols) / PackedLayout.SuperBlocks * SuperBytes;

    /// <summary>The exponent's bits of floating-point numbers of 16 bits, all set in what is not finite.</summary>
    public virtual ushort Infinity => 0x7C00;

    /// <summary>Whether the floating-point numbers of the packed order have 32 bits; else 16.</summary>
    public virtual bool HasSingles => false;

    /// <summary>Whether rows can be encoded; formats of other tools are only read.</summary>
    public virtual bool IsWritten => true;

    /// <summary>Encodes a row.</summary>
    /// <param name="row">The finite values, [cols].</param>
    /// <param name="plain">Takes <see cref="RowBytes"/> bytes.</param>
    /// <param name="method">How quants are chosen.</param>
    /// <param name="importance">The weight of each column's squared error [cols] where the method is a search, or empty: all alike.</param>
    /// <returns>False where a value or a block's scale is beyond the range of half precision and was stored as infinite.</returns>
    /// <exception cref="NotSupportedException">The format is not <see cref="IsWritten"/>.</exception>
    public virtual bool EncodeRow(ReadOnlySpan<float> row, Span<byte> plain, QuantizationMethod method = QuantizationMethod.Nearest, ReadOnlySpan<double> importance = default) =>
        throw new NotSupportedException("this format is read, not written");

    /// <summary>Decodes a row.</summary>
    /// <param name="plain">A plain row of as many columns as <paramref name="row"/> has.</param>
    /// <param name="row">Takes the values, [cols].</param>
    public abstract void DecodeRow(ReadOnlySpan<byte> plain, Span<float> row);

    /// <summary>Packs up to 8 plain rows into one row group.</summary>
    /// <param name="plain">The rows one after another, [rows][<see cref="RowBytes"/>].</param>
    /// <param name="rows">1 to 8; missing rows become zeros.</param>
    /// <param name="cols">Columns of the matrix.</param>
    /// <param name="group">Takes <see cref="GroupBytes"/> bytes; all of them are written.</param>
    public void PackGroup(ReadOnlySpan<byte> plain, int rows, int cols, Span<byte> group)
    {
        int rowBytes = Check(plain.Length, rows, cols);
        group = group[..checked((int)GroupBytes(cols))];
        group.Clear();
        Pack(plain[..(rows * rowBytes)], rows, cols, group);
    }

    /// <summary>Takes up to 8 plain rows out of one row group.</summary>
    /// <param name="group">The row group.</param>
    /// <param name="rows">1 to 8: how many rows to take.</param>
    /// <param name="cols">Columns of the matrix.</param>
    /// <param name="plain">Takes the rows one after another, [rows][<see cref="RowBytes"/>].</param>
    public void UnpackGroup(ReadOnlySpan<byte> group, int rows, int cols, Span<byte> plain)
    {
        int rowBytes = Check(plain.Length, rows, cols);
        group = group[..checked((int)GroupBytes(cols))];
        for (int row = 0; row < rows; row++)
            UnpackRow(group, row, cols, plain.Slice(row * rowBytes, rowBytes));
    }

    /// <summary>Decodes one row of a row group to float32, as the embedding lookup does.</summary>
    /// <param name="group">The row group.</param>
    /// <param name="row">The row's index in the group, 0 to 7.</param>
    /// <param name="destination">Takes the row's values, [cols].</param>
    public void DequantizeRow(ReadOnlySpan<byte> group, int row, Span<float> destination)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual((uint)row, (uint)PackedLayout.GroupRows, nameof(row));
        Dequantize(group[..checked((int)GroupBytes(destination.Length))], row, destination);
    }

    /// <summary><see cref="PackGroup"/> into a cleared group.</summary>
    protected abstract void Pack(ReadOnlySpan<byte> plain, int rows, int cols, Span<byte> group);

    /// <summary>One row of <see cref="UnpackGroup"/>.</summary>
    protected abstract void UnpackRow(ReadOnlySpan<byte> group, int row, int cols, Span<byte> plain);

    /// <summary><see cref="DequantizeRow"/> of a checked row.</summary>
    protected abstract void Dequantize(ReadOnlySpan<byte> group, int row, Span<float> destination);

    /// <summary>Checks the number of rows and the length of the plain side; returns the bytes of a plain row.</summary>
    private int Check(int plainLength, int rows, int cols)
    {
        if (rows is < 1 or > PackedLayout.GroupRows)
            throw new ArgumentOutOfRangeException(nameof(rows), rows, "a row group has 1 to 8 rows");
        long rowBytes = RowBytes(cols);
        if (plainLength < rows * rowBytes)
            throw new ArgumentException($"{rows} plain rows take {rows * rowBytes} bytes, not {plainLength}");
        return (int)rowBytes;
    }
}

/// <summary>The table's entry of a format.</summary>
internal static class BlockFormats
{
    /// <summary>The formats that rows can be encoded in.</summary>
    public static BlockFormat[] Written { get; } = Array.FindAll(Enum.GetValues<BlockFormat>(), static format => format.Info().IsWritten);

    /// <summary>What there is to know of it.</summary>
    public static FormatInfo Info(this BlockFormat format) => FormatInfo.Of(format);
}
