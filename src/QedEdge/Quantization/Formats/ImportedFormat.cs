using System.Runtime.InteropServices;

namespace QedEdge.Quantization.Formats;

/// <summary>What the quants of a packed block are multiplied by, in the order in which a row group stores it: each item for eight rows.</summary>
internal enum BlockScaling
{
    /// <summary>A half d: w = d·q.</summary>
    Half,
    /// <summary>Halves d and m: w = d·q + m.</summary>
    HalfAndMin,
    /// <summary>A signed byte k, and a half d for 8 blocks: w = d·k·q.</summary>
    Byte,
    /// <summary>Bytes k and n, and halves d and e for 8 blocks: w = d·k·q − e·n.</summary>
    ByteAndMin,
    /// <summary>Signed bytes k for columns 0..15 and 16..31, and a half d for 8 blocks: w = d·k·q.</summary>
    HalfBlockByte,
    /// <summary>Halves d for columns 0..15 and 16..31: w = d·q. In a plain block they are floats of eight bits (<see cref="NVFP4Format.Widen"/>).</summary>
    HalfBlockHalf,
    /// <summary>Bytes k + 16 n for columns 0..15 and 16..31, and halves d and e for 8 blocks: w = d·k·q − e·n.</summary>
    HalfBlockNibbles,
}

/// <summary>A block of one row of a file, taken apart: w = d·scale·level[code] (− m·min, or + m where there are no mins) in groups of 16 or 32 weights.</summary>
/// <param name="codes">Takes what <see cref="FormatInfo.Levels"/> is indexed with, a byte per weight.</param>
/// <param name="scales">Takes a scale for each group.</param>
/// <param name="mins">Takes a min for each group.</param>
internal ref struct PlainBlock(Span<byte> codes, Span<sbyte> scales, Span<byte> mins)
{
    /// <summary>Codes.</summary>
    public readonly Span<byte> Codes = codes;

    /// <summary>Scales of groups; where they are signed, as they are multiplied.</summary>
    public readonly Span<sbyte> Scales = scales;

    /// <summary>Mins of groups.</summary>
    public readonly Span<byte> Mins = mins;

    /// <summary>What scales are multiplied by.</summary>
    public Half D;

    /// <summary>What mins are multiplied by, or the min.</summary>
    public Half M;
}

/// <summary>
/// Formats of other tools' files: read and packed, never encoded. Weights keep exactly the values that the format defines: w = s·q + c with a small integer q and
/// s and c exact in float32 (docs/format.md).
/// </summary>
/// <param name="type">The type's number in GGUF.</param>
/// <param name="plainSize">Weights of a plain block: 32, or 256.</param>
/// <param name="plainBytes">Bytes of a plain block.</param>
/// <param name="bits">Bits of a code in packed order: 4, 5 or 6.</param>
/// <param name="scaling">What quants are multiplied by.</param>
internal abstract class ImportedFormat(uint type, int plainSize, int plainBytes, int bits, BlockScaling scaling)
    : FormatInfo(type, plainBytes / (plainSize / PackedLayout.BlockSize), PackedCodes.Bytes(bits))
{
    private const int BlockSize = PackedLayout.BlockSize, GroupRows = PackedLayout.GroupRows;

    /// <summary>Quants of 16 columns, the least that share a scale.</summary>
    protected const int HalfBlock = BlockSize / 2;

    private const int LargestPlain = BlockSize * PackedLayout.SuperBlocks;

    /// <summary>What quants are multiplied by.</summary>
    public BlockScaling Scaling => scaling;

    /// <summary>A power of two that scales are multiplied by besides.</summary>
    public virtual float Factor => 1f;

    /// <inheritdoc/>
    public override bool HasScales => true;

    /// <inheritdoc/>
    public override bool IsWritten => false;

    /// <inheritdoc/>
    public override int ColumnStep => plainSize;

    /// <inheritdoc/>
    public override long RowBytes(int cols) => (long)cols / plainSize * plainBytes;

    /// <inheritdoc/>
    public override int ScaleBytes => scaling switch { BlockScaling.HalfAndMin or BlockScaling.HalfBlockHalf => 4, BlockScaling.Byte => 1, _ => 2 } * GroupRows;

    /// <inheritdoc/>
    public override int SuperBytes => scaling switch { BlockScaling.Half or BlockScaling.HalfAndMin or BlockScaling.HalfBlockHalf => 0, BlockScaling.ByteAndMin or BlockScaling.HalfBlockNibbles => 4, _ => 2 } * GroupRows;

    /// <inheritdoc/>
    public override bool HasHalfBlocks => scaling is BlockScaling.HalfBlockByte or BlockScaling.HalfBlockHalf or BlockScaling.HalfBlockNibbles;

    /// <summary>Whether weights have a min.</summary>
    public bool HasMins => scaling is BlockScaling.HalfAndMin or BlockScaling.ByteAndMin or BlockScaling.HalfBlockNibbles;

    /// <summary>Weights that share a scale in a plain block.</summary>
    private int GroupSize => HasHalfBlocks ? HalfBlock : BlockSize;

    /// <summary>Takes a plain block apart.</summary>
    protected abstract void Read(ReadOnlySpan<byte> block, ref PlainBlock to);

    /// <inheritdoc/>
    public override void DecodeRow(ReadOnlySpan<byte> plain, Span<float> row)
    {
        var block = new PlainBlock(stackalloc byte[LargestPlain], stackalloc sbyte[LargestPlain / HalfBlock], stackalloc byte[LargestPlain / HalfBlock]);
        ReadOnlySpan<sbyte> levels = Levels;
        for (int first = 0; first < row.Length; first += plainSize)
        {
            Read(plain.Slice(first / plainSize * plainBytes, plainBytes), ref block);
            for (int i = 0; i < plainSize; i++)
            {
                int group = i / GroupSize;
                (float s, float c) = Numbers((float)block.D, (float)block.M, block.Scales[group], block.Mins[group]);
                row[first + i] = s * levels[block.Codes[i]] + c;
            }
        }
    }

    /// <summary>s and c of w = s·q + c, exact.</summary>
    private (float S, float C) Numbers(float d, float m, sbyte scale, int min) => scaling switch
    {
        BlockScaling.Half => (d, 0f),
        BlockScaling.HalfAndMin => (d, m),
        BlockScaling.HalfBlockHalf => (NVFP4Format.Widen((byte)scale), 0f),
        BlockScaling.ByteAndMin or BlockScaling.HalfBlockNibbles => (d * scale, -(m * min)),
        _ => (d * scale * Factor, 0f),
    };

    /// <inheritdoc/>
    protected override void Pack(ReadOnlySpan<byte> plain, int rows, int cols, Span<byte> group)
    {
        int rowBytes = (int)RowBytes(cols);
        var block = new PlainBlock(stackalloc byte[LargestPlain], stackalloc sbyte[LargestPlain / HalfBlock], stackalloc byte[LargestPlain / HalfBlock]);
        Span<byte> scales = group[(int)ScalesOffset(cols)..(int)SupersOffset(cols)];
        Span<Half> supers = MemoryMarshal.Cast<byte, Half>(group[(int)SupersOffset(cols)..(int)NumbersEnd(cols)]);
        for (int row = 0; row < rows; row++)
        {
            for (int first = 0; first < cols; first += plainSize)
            {
                Read(plain.Slice(row * rowBytes + first / plainSize * plainBytes, plainBytes), ref block);
                for (int i = 0; i < plainSize / BlockSize; i++)
                {
                    int b = first / BlockSize + i;
                    PackedCodes.Store(block.Codes.Slice(i * BlockSize, BlockSize), row, group.Slice(b * QuantBytes, QuantBytes));
                    PackScales(block, i, row, scales.Slice(b * ScaleBytes, ScaleBytes));
                }
                if (SuperBytes == 0)
                    continue;
                int super = first / LargestPlain * (SuperBytes / sizeof(ushort));
                supers[super + row] = block.D;
                if (SuperBytes == 2 * sizeof(ushort) * GroupRows)
                    supers[super + GroupRows + row] = block.M;
            }
        }
    }

    private void PackScales(in PlainBlock block, int i, int row, Span<byte> scales)
    {
        switch (scaling)
        {
            case BlockScaling.Half:
                MemoryMarshal.Cast<byte, Half>(scales)[row] = block.D;
                break;
            case BlockScaling.HalfAndMin:
                MemoryMarshal.Cast<byte, Half>(scales)[row] = block.D;
                MemoryMarshal.Cast<byte, Half>(scales)[GroupRows + row] = block.M;
                break;
            case BlockScaling.Byte:
                scales[row] = (byte)block.Scales[i];
                break;
            case BlockScaling.ByteAndMin:
                scales[row] = (byte)block.Scales[i];
                scales[GroupRows + row] = block.Mins[i];
                break;
            case BlockScaling.HalfBlockByte:
                scales[row] = (byte)block.Scales[2 * i];
                scales[GroupRows + row] = (byte)block.Scales[2 * i + 1];
                break;
            case BlockScaling.HalfBlockHalf:
                MemoryMarshal.Cast<byte, Half>(scales)[row] = (Half)NVFP4Format.Widen((byte)block.Scales[2 * i]);
                MemoryMarshal.Cast<byte, Half>(scales)[GroupRows + row] = (Half)NVFP4Format.Widen((byte)block.Scales[2 * i + 1]);
                break;
            case BlockScaling.HalfBlockNibbles:
                scales[row] = (byte)((byte)block.Scales[2 * i] | block.Mins[2 * i] << 4);
                scales[GroupRows + row] = (byte)((byte)block.Scales[2 * i + 1] | block.Mins[2 * i + 1] << 4);
                break;
        }
    }

    /// <summary>The codes of one row in block <paramref name="b"/> of a row group [32].</summary>
    public void CodesOf(ReadOnlySpan<byte> group, int row, int b, Span<byte> codes) => PackedCodes.Load(group.Slice(b * QuantBytes, QuantBytes), row, codes);

    /// <summary>s and c of w = s·q + c for a half of block <paramref name="b"/> of a row in a group of <paramref name="cols"/> columns.</summary>
    public (float S, float C) NumbersOf(ReadOnlySpan<byte> group, int cols, int row, int b, int half)
    {
        ReadOnlySpan<byte> scales = group.Slice((int)ScalesOffset(cols) + b * ScaleBytes, ScaleBytes);
        ReadOnlySpan<Half> numbers = MemoryMarshal.Cast<byte, Half>(SuperBytes == 0 ? scales : group.Slice((int)SupersOffset(cols) + b / PackedLayout.SuperBlocks * SuperBytes, SuperBytes));
        float d = (float)numbers[row], m = numbers.Length > GroupRows ? (float)numbers[GroupRows + row] : 0f;
        if (scaling == BlockScaling.HalfBlockHalf)
            return (half == 0 ? d : m, 0f);
        if (SuperBytes == 0)
            return Numbers(d, m, 0, 0);
        byte scale = scales[(HasHalfBlocks ? half * GroupRows : 0) + row];
        return scaling == BlockScaling.HalfBlockNibbles
            ? Numbers(d, m, (sbyte)(scale & 15), scale >> 4)
            : Numbers(d, m, (sbyte)scale, scaling == BlockScaling.ByteAndMin ? (sbyte)scales[GroupRows + row] : 0); // signed as kernels widen it, though no min of six bits is negative
    }

    /// <inheritdoc/>
    protected override void Dequantize(ReadOnlySpan<byte> group, int row, Span<float> destination)
    {
        Span<byte> codes = stackalloc byte[BlockSize];
        ReadOnlySpan<sbyte> levels = Levels;
        for (int i = 0; i < destination.Length; i += HalfBlock)
        {
            int b = i / BlockSize, half = i / HalfBlock % 2;
            if (half == 0)
                CodesOf(group, row, b, codes);
            (float s, float c) = NumbersOf(group, destination.Length, row, b, half);
            for (int j = 0; j < HalfBlock; j++)
                destination[i + j] = s * levels[codes[half * HalfBlock + j]] + c;
        }
    }

    /// <inheritdoc/>
    protected override void UnpackRow(ReadOnlySpan<byte> group, int row, int cols, Span<byte> plain) =>
        throw new NotSupportedException("this format has no way back to plain rows");
}
