using QedEdge.Memory;
using QedEdge.Quantization;

namespace QedEdge.Kernels;

/// <summary>
/// A batch of vectors [tokens, cols] as input of a matrix: the float values, and per block of 32 columns their int8 quants,
/// scale and offset, which the int8 and int4 kernels read. Columns are padded to 32 with zeros, for good.
/// </summary>
internal sealed class Activations : IDisposable
{
    /// <summary>Room for <paramref name="tokens"/> vectors of up to <paramref name="maxCols"/> columns.</summary>
    /// <param name="tokens">How many.</param>
    /// <param name="maxCols">Of how many columns.</param>
    /// <param name="hasHalfOffsets">Whether a matrix reads <see cref="HalfOffsets"/>.</param>
    public Activations(int tokens, int maxCols, bool hasHalfOffsets = false)
    {
        Stride = PackedLayout.Blocks(maxCols) * PackedLayout.BlockSize;
        Values = new AlignedBuffer<float>((long)tokens * Stride);
        Quants = new AlignedBuffer<sbyte>((long)tokens * Stride);
        Scales = new AlignedBuffer<float>((long)tokens * BlockStride);
        Offsets = new AlignedBuffer<int>((long)tokens * BlockStride);
        HalfOffsets = hasHalfOffsets ? new AlignedBuffer<int>(2L * tokens * BlockStride) : null;
    }

    /// <summary>Elements from one token's values (or quants) to the next.</summary>
    public int Stride { get; }

    /// <summary>Elements from one token's scales (or offsets) to the next.</summary>
    public int BlockStride => Stride / PackedLayout.BlockSize;

    /// <summary>Values [tokens, Stride].</summary>
    public AlignedBuffer<float> Values { get; }

    /// <summary>Quants [tokens, Stride]: round(value / scale), −127..127.</summary>
    public AlignedBuffer<sbyte> Quants { get; }

    /// <summary>Scales [tokens, BlockStride]: largest magnitude of the block / 127.</summary>
    public AlignedBuffer<float> Scales { get; }

    /// <summary>
    /// Initial accumulators that compensate for unsigned nibbles (0..15 instead of −8..7) [tokens, BlockStride]: −8 · Σ quants of a block, as two int16,
    /// columns 0 and 1 of each four in the lower, columns 2 and 3 in the upper. Each fits: 8 · 16 · 127 = 16256.
    /// </summary>
    public AlignedBuffer<int> Offsets { get; }

    /// <summary>The same for each 16 columns [tokens, 2 · BlockStride], for formats whose scales go with 16; null where no matrix is of one.</summary>
    public AlignedBuffer<int>? HalfOffsets { get; }

    /// <summary>Σ quants of the columns that an offset stands for.</summary>
    public static int Sum(int offset) => -((short)offset + (offset >> 16)) >> 3;

    /// <summary>The values of one token.</summary>
    public Span<float> Row(int token) => Values.Slice((long)token * Stride, Stride);

    /// <inheritdoc/>
    public void Dispose()
    {
        Values.Dispose();
        Quants.Dispose();
        Scales.Dispose();
        Offsets.Dispose();
        HalfOffsets?.Dispose();
    }
}
