using System.Runtime.InteropServices;

namespace QedEdge.Quantization.Formats;

/// <summary>
/// Quants with one half d per block of 32 columns: w = d · level[quant]. The encodings are byte for byte what ggml's reference quantizers define
/// (<c>quantize_row_q8_0_ref</c>, <c>quantize_row_q4_0_ref</c>): single operations in float32, none of them fused, no libm. So the same row gives the same
/// bytes on every machine. A width that is no multiple of 32 is zero-padded to whole blocks.
/// </summary>
/// <param name="type">The type's number in GGUF.</param>
/// <param name="quantBytes">Bytes of a row's quants in a block; the half stands before them.</param>
internal abstract class ScaledFormat(uint type, int quantBytes) : FormatInfo(type, sizeof(ushort) + quantBytes, quantBytes * PackedLayout.GroupRows)
{
    /// <summary>Four bytes of a row's quants move together: vector j of a block takes the j-th four of each row.</summary>
    private const int Quad = 4;

    private const int GroupRows = PackedLayout.GroupRows;
    private const int BlockSize = PackedLayout.BlockSize;

    /// <summary>A plain block.</summary>
    protected int BlockBytes => sizeof(ushort) + quantBytes;

    /// <inheritdoc/>
    public override bool HasScales => true;

    /// <inheritdoc/>
    public override long RowBytes(int cols) => (long)PackedLayout.Blocks(cols) * BlockBytes;

    /// <summary>The quant nearest to any number.</summary>
    public LevelTable Nearest => field ??= new(Levels);

    /// <summary>Encodes 32 values into a plain block by rounding; returns the scale that it stored.</summary>
    protected abstract Half Encode(ReadOnlySpan<float> x, Span<byte> block);

    /// <summary>A block's first values.</summary>
    protected abstract void Decode(float d, ReadOnlySpan<byte> quants, Span<float> values);

    /// <summary>Writes a block whose scale and quants were chosen elsewhere.</summary>
    /// <param name="plain">The row.</param>
    /// <param name="index">Which of its blocks.</param>
    /// <param name="scale">The scale.</param>
    /// <param name="quants">The quants as indices into <see cref="FormatInfo.Levels"/> [32].</param>
    public void StoreBlock(Span<byte> plain, int index, Half scale, ReadOnlySpan<byte> quants)
    {
        Span<byte> block = plain.Slice(index * BlockBytes, BlockBytes);
        MemoryMarshal.Write(block, scale);
        Store(quants, block[2..]);
    }

    /// <summary>Writes a block's quants, given as indices of levels.</summary>
    protected abstract void Store(ReadOnlySpan<byte> quants, Span<byte> block);

    /// <inheritdoc/>
    public override bool EncodeRow(ReadOnlySpan<float> row, Span<byte> plain, QuantizationMethod method = QuantizationMethod.Nearest, ReadOnlySpan<double> importance = default)
    {
        bool finite = true;
        Span<float> x = stackalloc float[BlockSize];
        for (int b = 0; b * BlockSize < row.Length; b++)
        {
            int count = Math.Min(BlockSize, row.Length - b * BlockSize);
            row.Slice(b * BlockSize, count).CopyTo(x);
            x[count..].Clear();
            finite &= Half.IsFinite(Encode(x, plain.Slice(b * BlockBytes, BlockBytes)));
        }
        return finite;
    }

    /// <inheritdoc/>
    public override void DecodeRow(ReadOnlySpan<byte> plain, Span<float> row)
    {
        for (int b = 0; b * BlockSize < row.Length; b++)
        {
            ReadOnlySpan<byte> block = plain.Slice(b * BlockBytes, BlockBytes);
            Decode((float)MemoryMarshal.Read<Half>(block), block[2..], row[(b * BlockSize)..Math.Min(row.Length, (b + 1) * BlockSize)]);
        }
    }

    /// <inheritdoc/>
    protected override void Pack(ReadOnlySpan<byte> plain, int rows, int cols, Span<byte> group)
    {
        int blocks = PackedLayout.Blocks(cols);
        Span<Half> scales = MemoryMarshal.Cast<byte, Half>(group[(int)ScalesOffset(cols)..]);
        Span<uint> packed = MemoryMarshal.Cast<byte, uint>(group[..(int)ScalesOffset(cols)]);
        for (int row = 0; row < rows; row++)
        {
            for (int b = 0; b < blocks; b++)
            {
                ReadOnlySpan<byte> block = plain.Slice((row * blocks + b) * BlockBytes, BlockBytes);
                scales[b * GroupRows + row] = MemoryMarshal.Read<Half>(block);
                ReadOnlySpan<uint> quads = MemoryMarshal.Cast<byte, uint>(block[2..]);
                for (int j = 0; j < quads.Length; j++)
                    packed[b * (QuantBytes / Quad) + j * GroupRows + row] = quads[j];
            }
        }
    }

    /// <inheritdoc/>
    protected override void UnpackRow(ReadOnlySpan<byte> group, int row, int cols, Span<byte> plain)
    {
        for (int b = 0; b < PackedLayout.Blocks(cols); b++)
            UnpackBlock(group, row, cols, b, plain.Slice(b * BlockBytes, BlockBytes));
    }

    /// <inheritdoc/>
    protected override void Dequantize(ReadOnlySpan<byte> group, int row, Span<float> destination)
    {
        Span<byte> block = stackalloc byte[BlockBytes];
        for (int b = 0; b * BlockSize < destination.Length; b++)
        {
            UnpackBlock(group, row, destination.Length, b, block);
            DecodeRow(block, destination[(b * BlockSize)..Math.Min(destination.Length, (b + 1) * BlockSize)]);
        }
    }

    private void UnpackBlock(ReadOnlySpan<byte> group, int row, int cols, int b, Span<byte> block)
    {
        MemoryMarshal.Cast<byte, Half>(group[(int)ScalesOffset(cols)..]).Slice(b * GroupRows + row, 1).CopyTo(MemoryMarshal.Cast<byte, Half>(block[..2]));
        for (int j = 0; j < quantBytes / Quad; j++)
            group.Slice(b * QuantBytes + QuadStart(j, row), Quad).CopyTo(block[(2 + j * Quad)..]);
    }

    /// <summary>Where, in a block, vector <paramref name="j"/> has the four bytes of a row.</summary>
    private static int QuadStart(int j, int row) => (j * GroupRows + row) * Quad;

    /// <summary>
    /// 1/d, or 0 for a block of zeros. Below 2^-128 the quotient is infinite, which the reference then converts to an integer,
    /// undefined in C; such a block's scale is 0 in half precision whatever its quants are, so it is taken as zeros.
    /// </summary>
    protected static float Inverse(float d)
    {
        float inverse = d != 0 ? 1f / d : 0f;
        return float.IsInfinity(inverse) ? 0f : inverse;
    }
}
