using System.Runtime.InteropServices;
using QedEdge.Kernels;
using QedEdge.Memory;
using QedEdge.Quantization;

namespace QedEdge.Model;

/// <summary>
/// Keys and values of the tokens seen. Position p lives in slot p mod capacity; memory is reserved at once and touched as it fills.
/// <code>
/// keys    per layer and head: a packed matrix [capacity, head size] (PackedLayout), so that scores are the weights' own GEMV
/// values  per layer and head: rows [capacity, padded head size]; lanes are columns, so weighted sums need no horizontal step
///         Q8_0: quants as rows of bytes, and their half-precision scales [capacity, blocks] apart
/// </code>
/// </summary>
internal sealed class KvCache : IDisposable
{
    private readonly int _heads;
    private readonly long _keyBytes;        // one layer's keys of one head
    private readonly long _valueBytes;      // one layer's values of one head
    private readonly long _valueScales;     // halves of one layer's value scales of one head
    private readonly AlignedBuffer<byte> _keys;
    private readonly AlignedBuffer<byte> _values;
    private readonly AlignedBuffer<ushort> _scales;

    /// <summary>Reserves room for <paramref name="capacity"/> positions (a multiple of 8).</summary>
    public KvCache(int layers, int heads, int headSize, int capacity, BlockFormat format)
    {
        _heads = heads;
        HeadSize = headSize;
        Capacity = capacity;
        Format = format;
        PaddedHeadSize = PackedLayout.Blocks(headSize) * PackedLayout.BlockSize;
        _keyBytes = PackedLayout.MatrixBytes(format, capacity, headSize);
        _valueBytes = (long)capacity * PaddedHeadSize * ElementBytes(format);
        _valueScales = format == BlockFormat.Q8_0 ? (long)capacity * Blocks : 0;
        _keys = new AlignedBuffer<byte>(checked(layers * heads * _keyBytes));
        _values = new AlignedBuffer<byte>(checked(layers * heads * _valueBytes));
        _scales = new AlignedBuffer<ushort>(checked(layers * heads * _valueScales));
    }

    /// <summary>Slots.</summary>
    public int Capacity { get; }

    /// <summary>F32, F16 or Q8_0.</summary>
    public BlockFormat Format { get; }

    /// <summary>Columns of a key or value.</summary>
    public int HeadSize { get; }

    /// <summary>Columns rounded up to a multiple of 32; the padding is zero.</summary>
    public int PaddedHeadSize { get; }

    private int Blocks => PaddedHeadSize / PackedLayout.BlockSize;

    /// <summary>Bytes that one position takes in a cache of these dimensions.</summary>
    public static long BytesPerPosition(int layers, int heads, int headSize, BlockFormat format)
    {
        long padded = PackedLayout.Blocks(headSize) * PackedLayout.BlockSize;
        long scales = format == BlockFormat.Q8_0 ? PackedLayout.Blocks(headSize) * 2 : 0;
        return 2L * layers * heads * (padded * ElementBytes(format) + scales);
    }

    /// <summary>One head's keys as a matrix [capacity, head size].</summary>
    public PackedMatrix Keys(int layer, int head) =>
        new(Format, Capacity, HeadSize, _keys.View.Slice(((long)layer * _heads + head) * _keyBytes, _keyBytes));

    /// <summary>sum += Σ p[i] · value[firstSlot + i] for one head, slot after slot.</summary>
    public void AddWeightedValues(KernelSet kernels, int layer, int head, int firstSlot, ReadOnlySpan<float> p, Span<float> sum)
    {
        int count = p.Length * PaddedHeadSize;
        long index = (long)layer * _heads + head;
        ReadOnlySpan<byte> rows = _values.Slice(index * _valueBytes + (long)firstSlot * PaddedHeadSize * ElementBytes(Format), count * ElementBytes(Format));
        switch (Format)
        {
            case BlockFormat.F32:
                kernels.AddWeightedRowsF32(p, MemoryMarshal.Cast<byte, float>(rows), PaddedHeadSize, sum);
                break;
            case BlockFormat.F16:
                kernels.AddWeightedRowsF16(p, MemoryMarshal.Cast<byte, ushort>(rows), PaddedHeadSize, sum);
                break;
            default:
                ReadOnlySpan<ushort> scales = _scales.Slice(index * _valueScales + (long)firstSlot * Blocks, p.Length * Blocks);
                kernels.AddWeightedRowsQ8_0(p, MemoryMarshal.Cast<byte, sbyte>(rows), scales, PaddedHeadSize, sum);
                break;
        }
    }

    /// <summary>Stores one head's rotated key and its value, both [padded head size] with zero padding, in a slot.</summary>
    public void Store(KernelSet kernels, int layer, int head, int slot, ReadOnlySpan<float> key, ReadOnlySpan<float> value)
    {
        long index = (long)layer * _heads + head;
        int group = slot / PackedLayout.GroupRows, row = slot % PackedLayout.GroupRows;
        int groupBytes = (int)PackedLayout.GroupBytes(Format, HeadSize);
        Span<byte> keyGroup = _keys.Slice(index * _keyBytes + (long)group * groupBytes, groupBytes);
        Span<byte> valueRow = _values.Slice(index * _valueBytes + (long)slot * PaddedHeadSize * ElementBytes(Format), PaddedHeadSize * ElementBytes(Format));
        switch (Format)
        {
            case BlockFormat.F32:
                Scatter(key, MemoryMarshal.Cast<byte, float>(keyGroup), row);
                value.CopyTo(MemoryMarshal.Cast<byte, float>(valueRow));
                break;
            case BlockFormat.F16:
                Span<ushort> halves = stackalloc ushort[PaddedHeadSize];
                kernels.ToHalf(key, halves);
                Scatter(halves, MemoryMarshal.Cast<byte, ushort>(keyGroup), row);
                kernels.ToHalf(value, MemoryMarshal.Cast<byte, ushort>(valueRow));
                break;
            default:
                Span<sbyte> quants = stackalloc sbyte[PaddedHeadSize];
                Span<ushort> scales = MemoryMarshal.Cast<byte, ushort>(keyGroup[(int)PackedLayout.ScalesOffset(Format, HeadSize)..]);
                Span<int> fours = MemoryMarshal.Cast<byte, int>(keyGroup);
                for (int b = 0; b < Blocks; b++)
                    scales[b * PackedLayout.GroupRows + row] = QuantizeBlock(key.Slice(b * PackedLayout.BlockSize, PackedLayout.BlockSize), quants[(b * PackedLayout.BlockSize)..]);
                Scatter(MemoryMarshal.Cast<sbyte, int>(quants), fours, row); // four columns of a row stand together
                Span<ushort> valueScales = _scales.Slice(index * _valueScales + (long)slot * Blocks, Blocks);
                for (int b = 0; b < Blocks; b++)
                    valueScales[b] = QuantizeBlock(value.Slice(b * PackedLayout.BlockSize, PackedLayout.BlockSize), MemoryMarshal.Cast<byte, sbyte>(valueRow)[(b * PackedLayout.BlockSize)..]);
                break;
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _keys.Dispose();
        _values.Dispose();
        _scales.Dispose();
    }

    /// <summary>Element j of a row goes to row <paramref name="row"/> of column j of the group.</summary>
    private static void Scatter<T>(ReadOnlySpan<T> source, Span<T> group, int row)
    {
        for (int j = 0; j < source.Length; j++)
            group[j * PackedLayout.GroupRows + row] = source[j];
    }

    /// <summary>32 values as bytes with the scale that is stored: the nearest half to max / 127.</summary>
    private static ushort QuantizeBlock(ReadOnlySpan<float> x, Span<sbyte> quants)
    {
        float max = 0f;
        foreach (float v in x)
            max = MathF.Max(max, MathF.Abs(v));
        ushort scale = HalfBits.FromSingle(max / 127f);
        float d = HalfBits.ToSingle(scale);
        float inverse = d > 0f ? 1f / d : 0f;
        for (int i = 0; i < x.Length; i++)
            quants[i] = (sbyte)Math.Clamp((int)MathF.Round(x[i] * inverse, MidpointRounding.ToEven), -127, 127);
        return scale;
    }

    private static int ElementBytes(BlockFormat format) => format switch
    {
        BlockFormat.F32 => 4,
        BlockFormat.F16 => 2,
        BlockFormat.Q8_0 => 1,
        _ => throw new ArgumentOutOfRangeException(nameof(format), format, "not a cache format"),
    };
}
