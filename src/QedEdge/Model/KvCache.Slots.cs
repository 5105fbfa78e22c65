using System.Runtime.InteropServices;
using QedEdge.Kernels;
using QedEdge.Quantization;
using QedEdge.Quantization.Formats;

namespace QedEdge.Model;

/// <content>Keys and values on their way into a slot, and from one to another.</content>
internal sealed partial class KvCache
{
    private const ushort HalfOne = 0x3C00;

    /// <summary>Stores one head's rotated key and its value, both [padded head size] with zero padding, in a slot.</summary>
    /// <returns>False where one holds a value that is not finite, or too large for the format; the slot's content means nothing then.</returns>
    public bool Store(KernelSet kernels, int layer, int head, int slot, ReadOnlySpan<float> key, ReadOnlySpan<float> value)
    {
        long index = Index(layer, head);
        bool stored = StoreKey(kernels, index, slot, key);
        switch (Format)
        {
            case KvFormat.F32:
                value.CopyTo(MemoryMarshal.Cast<byte, float>(ValueRow(index, slot)));
                return stored && kernels.IsFinite(value);
            case KvFormat.F16:
                Span<ushort> halves = MemoryMarshal.Cast<byte, ushort>(ValueRow(index, slot));
                kernels.ToHalf(value, halves);
                return stored && FiniteCheck.Halves(halves);
            default:
                Span<sbyte> quants = stackalloc sbyte[PaddedHeadSize];
                ushort scale = kernels.QuantizeRow(value, quants);
                StoreQuantizedValue(index, slot, quants, scale);
                return stored && HalfBits.IsFinite(scale);
        }
    }

    /// <summary>
    /// Moves the contents of the slots from <paramref name="begin"/> + <paramref name="count"/> to <paramref name="end"/> down by <paramref name="count"/>
    /// slots. Keys are turned and stored anew, values stay as they are.
    /// </summary>
    /// <param name="kernels">The kernel set.</param>
    /// <param name="ropes">Their first row turns a key from its old position to its new one.</param>
    /// <param name="begin">Where the first goes.</param>
    /// <param name="count">How far.</param>
    /// <param name="end">One past the last that moves.</param>
    /// <returns>False where a turned key is too large for the format.</returns>
    public bool Shift(KernelSet kernels, Ropes ropes, int begin, int count, int end)
    {
        Span<float> key = stackalloc float[PaddedHeadSize], turned = stackalloc float[PaddedHeadSize];
        turned.Clear();
        bool stored = true;
        for (long index = 0; index < _layers * _heads; index++)
        {
            Rope? rope = ropes[(int)(index / _heads)];
            for (int slot = begin + count; slot < end; slot++)
            {
                LoadKey(index, slot, key);
                if (rope is null)
                    key.CopyTo(turned);
                else
                    rope.Apply(0, key[..HeadSize], turned);
                stored &= StoreKey(kernels, index, slot - count, turned);
                MoveValue(index, slot, slot - count);
            }
        }
        return stored;
    }

    private Span<byte> KeyGroup(long index, int slot)
    {
        int groupBytes = (int)Format.Matrix().Info().GroupBytes(HeadSize);
        return _keys.Slice(index * _keyBytes + (long)(slot / PackedLayout.GroupRows) * groupBytes, groupBytes);
    }

    private bool StoreKey(KernelSet kernels, long index, int slot, ReadOnlySpan<float> key)
    {
        Span<byte> group = KeyGroup(index, slot);
        int row = slot % PackedLayout.GroupRows;
        switch (Format)
        {
            case KvFormat.F32:
                Scatter(key, MemoryMarshal.Cast<byte, float>(group), row);
                return kernels.IsFinite(key);
            case KvFormat.F16:
                Span<ushort> halves = stackalloc ushort[PaddedHeadSize];
                kernels.ToHalf(key, halves);
                Scatter(halves, MemoryMarshal.Cast<byte, ushort>(group), row);
                return FiniteCheck.Halves(halves);
            default:
                Span<sbyte> quants = stackalloc sbyte[PaddedHeadSize];
                Span<ushort> scales = KeyScales(group);
                bool finite = true;
                for (int b = 0; b < Blocks; b++)
                {
                    ushort scale = kernels.QuantizeRow(key.Slice(b * PackedLayout.BlockSize, PackedLayout.BlockSize), quants[(b * PackedLayout.BlockSize)..]);
                    scales[b * PackedLayout.GroupRows + row] = scale;
                    finite &= HalfBits.IsFinite(scale);
                }
                Scatter(MemoryMarshal.Cast<sbyte, int>(quants), MemoryMarshal.Cast<byte, int>(group), row); // four columns of a row stand together
                return finite;
        }
    }

    private void LoadKey(long index, int slot, Span<float> key)
    {
        Span<byte> group = KeyGroup(index, slot);
        int row = slot % PackedLayout.GroupRows;
        switch (Format)
        {
            case KvFormat.F32:
                Gather(MemoryMarshal.Cast<byte, float>(group), row, key);
                break;
            case KvFormat.F16:
                Span<ushort> halves = stackalloc ushort[PaddedHeadSize];
                Gather(MemoryMarshal.Cast<byte, ushort>(group), row, halves);
                for (int j = 0; j < halves.Length; j++)
                    key[j] = HalfBits.ToSingle(halves[j]);
                break;
            default:
                Span<sbyte> quants = stackalloc sbyte[PaddedHeadSize];
                Gather(MemoryMarshal.Cast<byte, int>(group), row, MemoryMarshal.Cast<sbyte, int>(quants));
                Span<ushort> scales = KeyScales(group);
                for (int j = 0; j < quants.Length; j++)
                    key[j] = quants[j] * HalfBits.ToSingle(scales[j / PackedLayout.BlockSize * PackedLayout.GroupRows + row]);
                break;
        }
    }

    private Span<ushort> KeyScales(Span<byte> group) => MemoryMarshal.Cast<byte, ushort>(group[(int)Format.Matrix().Info().ScalesOffset(HeadSize)..]);

    private void MoveValue(long index, int from, int to)
    {
        if (Format != KvFormat.Q8_0)
        {
            ValueRow(index, from).CopyTo(ValueRow(index, to));
            return;
        }
        (int chunk, int column) = Math.DivRem(from, ChunkSize);
        Span<byte> matrix = ValueChunk(index, chunk);
        Span<sbyte> quants = stackalloc sbyte[PaddedHeadSize];
        for (int c = 0; c < quants.Length; c++)
            quants[c] = (sbyte)matrix[ValueAt(c, column)];
        StoreQuantizedValue(index, to, quants, _scales.Slice(index * _valueScales + from, 1)[0]);
    }

    private Span<byte> ValueChunk(long index, int chunk) => _values.Slice(index * _valueBytes + chunk * ChunkBytes, (int)ChunkBytes);

    /// <summary>Where a chunk's matrix holds row <paramref name="row"/> of column <paramref name="column"/>.</summary>
    private static int ValueAt(int row, int column) => row / PackedLayout.GroupRows * (int)BlockFormat.Q8_0.Info().GroupBytes(ChunkSize)
        + column / PackedLayout.BlockSize * BlockFormat.Q8_0.Info().QuantBytes + column % PackedLayout.BlockSize / 4 * 32 + row % PackedLayout.GroupRows * 4 + column % 4;

    private Span<byte> ValueRow(long index, int slot)
    {
        int bytes = PaddedHeadSize * Format.ElementBytes();
        return _values.Slice(index * _valueBytes + (long)slot * bytes, bytes);
    }

    /// <summary>A value becomes a column of its chunk's matrix.</summary>
    private void StoreQuantizedValue(long index, int slot, ReadOnlySpan<sbyte> quants, ushort scale)
    {
        (int chunk, int column) = Math.DivRem(slot, ChunkSize);
        _scales.Slice(index * _valueScales + slot, 1)[0] = scale;
        if (column == 0)
            FillUnitScales(index, chunk);
        Span<byte> matrix = ValueChunk(index, chunk);
        int groupBytes = (int)BlockFormat.Q8_0.Info().GroupBytes(ChunkSize), first = ValueAt(0, column);
        for (int group = 0, c = 0; group < ValueGroups; group++)
        {
            for (int at = group * groupBytes + first, end = at + 4 * PackedLayout.GroupRows; at < end; at += 4)
                matrix[at] = (byte)quants[c++];
        }
    }

    /// <summary>Of all chunks that the first slots take: the parts of the last one leave them out, and what a file says of the others is not trusted.</summary>
    private void FillUnitScales(int slots)
    {
        if (Format != KvFormat.Q8_0)
            return;
        for (long index = 0; index < _layers * _heads; index++)
        {
            for (int chunk = 0; chunk * ChunkSize < slots; chunk++)
                FillUnitScales(index, chunk);
        }
    }

    /// <summary>The weights of a chunk's matrix have scale 1.</summary>
    private void FillUnitScales(long index, int chunk)
    {
        int groupBytes = (int)BlockFormat.Q8_0.Info().GroupBytes(ChunkSize), scalesOffset = (int)BlockFormat.Q8_0.Info().ScalesOffset(ChunkSize);
        for (int group = 0; group < ValueGroups; group++)
        {
            long at = index * _valueBytes + chunk * ChunkBytes + group * groupBytes + scalesOffset;
            MemoryMarshal.Cast<byte, ushort>(_values.Slice(at, groupBytes - scalesOffset)).Fill(HalfOne);
        }
    }

    /// <summary>Element j of a row goes to row <paramref name="row"/> of column j of the group.</summary>
    private static void Scatter<T>(ReadOnlySpan<T> source, Span<T> group, int row)
    {
        for (int j = 0; j < source.Length; j++)
            group[j * PackedLayout.GroupRows + row] = source[j];
    }

    /// <summary>The other way round.</summary>
    private static void Gather<T>(ReadOnlySpan<T> group, int row, Span<T> target)
    {
        for (int j = 0; j < target.Length; j++)
            target[j] = group[j * PackedLayout.GroupRows + row];
    }
}
