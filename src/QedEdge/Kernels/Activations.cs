using QedEdge.Memory;
using QedEdge.Quantization;

namespace QedEdge.Kernels;

/// <summary>
/// A batch of vectors [tokens, cols] as input of a matrix: the float values, and per block of 32 columns their int8 quants,
/// scale and sum of quants, which the int8 and int4 kernels read. Columns are padded to 32 with zeros, for good.
/// </summary>
internal sealed unsafe class Activations : IDisposable
{
    private readonly AlignedBuffer<float> _values;
    private readonly AlignedBuffer<sbyte> _quants;
    private readonly AlignedBuffer<float> _scales;
    private readonly AlignedBuffer<int> _sums;

    /// <summary>Room for <paramref name="tokens"/> vectors of up to <paramref name="maxCols"/> columns.</summary>
    public Activations(int tokens, int maxCols)
    {
        Stride = PackedLayout.Blocks(maxCols) * PackedLayout.BlockSize;
        _values = new AlignedBuffer<float>((long)tokens * Stride);
        _quants = new AlignedBuffer<sbyte>((long)tokens * Stride);
        _scales = new AlignedBuffer<float>((long)tokens * BlockStride);
        _sums = new AlignedBuffer<int>((long)tokens * BlockStride);
    }

    /// <summary>Elements from one token's values (or quants) to the next.</summary>
    public int Stride { get; }

    /// <summary>Elements from one token's scales (or sums) to the next.</summary>
    public int BlockStride => Stride / PackedLayout.BlockSize;

    /// <summary>Values [tokens, Stride].</summary>
    public Span<float> Values => _values.Span;

    /// <summary>Quants [tokens, Stride]: round(value / scale), −127..127.</summary>
    public Span<sbyte> Quants => _quants.Span;

    /// <summary>Scales [tokens, BlockStride]: largest magnitude of the block / 127.</summary>
    public Span<float> Scales => _scales.Span;

    /// <summary>Sums of the quants of a block [tokens, BlockStride], for kernels that shift weights to unsigned.</summary>
    public Span<int> Sums => _sums.Span;

    /// <summary>Where <see cref="Quants"/> begin.</summary>
    public sbyte* QuantsPointer => _quants.Pointer;

    /// <summary>Where <see cref="Scales"/> begin.</summary>
    public float* ScalesPointer => _scales.Pointer;

    /// <summary>Where <see cref="Sums"/> begin.</summary>
    public int* SumsPointer => _sums.Pointer;

    /// <summary>The values of one token.</summary>
    public Span<float> Row(int token) => _values.Slice((long)token * Stride, Stride);

    /// <inheritdoc/>
    public void Dispose()
    {
        _values.Dispose();
        _quants.Dispose();
        _scales.Dispose();
        _sums.Dispose();
    }
}
