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
        bool stored = StoreKey(kernels, layer, head, slot, key);
        switch (Format)
        {
            case KvFormat.F32:
                value.CopyTo(MemoryMarshal.Cast<byte, float>(ValueRow(layer, head, slot)));
                return stored && kernels.IsFinite(value);
            case KvFormat.F16:
                Span<ushort> halves = MemoryMarshal.Cast<byte, ushort>(ValueRow(layer, head, slot));
                kernels.ToHalf(value, halves);
                return stored && FiniteCheck.Halves(halves);
            default:
                Span<sbyte> quants = stackalloc sbyte[PaddedHeadSize];
                ushort scale = kernels.QuantizeRow(value, quants);
                StoreQuantizedValue(layer, head, slot, quants, scale);
                return stored && HalfBits.IsFinite(scale);
        }
    }

    /// <summary>
    /// Stores zeros behind the tokens, up to the end of the blocks that are saved whole: a file holds nothing of tokens that were taken back, and the same tokens give the same file.
    /// </summary>
    /// <param name="kernels">The kernel set.</param>
    /// <param name="tokens">Tokens stored.</param>
    /// <param name="reach">One past the last token that was ever stored.</param>
    public void ClearBehind(KernelSet kernels, int tokens, int reach)
    {
        Span<float> zeros = stackalloc float[PaddedHeadSize];
        zeros.Clear();
        for (int layer = 0; layer < _rooms.Length; layer++)
        {
            int begin = Used(layer * _heads * PartsPerHead, tokens, reach), end = Math.Min(_rooms[layer].Map.Slots, PackedLayout.Blocks(begin) * PackedLayout.BlockSize);
            for (int slot = begin; slot < end; slot++)
            {
                for (int head = 0; head < _heads; head++)
                    Store(kernels, layer, head, slot, zeros, zeros);
            }
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
        for (int layer = 0; layer < _rooms.Length; layer++)
        {
            Rope? rope = ropes[layer];
            for (int head = 0; head < _heads; head++)
            {
                for (int slot = begin + count; slot < end; slot++)
                {
                    LoadKey(layer, head, slot, key);
                    if (rope is null)
                        key.CopyTo(turned);
                    else
                        rope.Apply(0, key[..HeadSize], turned);
                    stored &= StoreKey(kernels, layer, head, slot - count, turned);
                    MoveValue(layer, head, slot, slot - count);
                }
            }
        }
        return stored;
    }

    private Span<byte> KeyGroup(int layer, int head, int slot)
    {
        Room room = _rooms[layer];
        return _keys.Slice(room.KeysOf(head) + slot / PackedLayout.GroupRows * room.Keys.GroupBytes, (int)room.Keys.GroupBytes);
    }

    private bool StoreKey(KernelSet kernels, int layer, int head, int slot, ReadOnlySpan<float> key)
    {
        Span<byte> group = KeyGroup(layer, head, slot);
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

    private void LoadKey(int layer, int head, int slot, Span<float> key)
    {
        Span<byte> group = KeyGroup(layer, head, slot);
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

    private Span<ushort> KeyScales(Span<byte> group) => MemoryMarshal.Cast<byte, ushort>(group[(int)_rooms[0].Keys.ScalesOffset..]);

    private void MoveValue(int layer, int head, int from, int to)
    {
        if (Format != KvFormat.Q8_0)
        {
            ValueRow(layer, head, from).CopyTo(ValueRow(layer, head, to));
            return;
        }
        (int chunk, int column) = Math.DivRem(from, ChunkSize);
        Span<byte> matrix = ValueChunk(layer, head, chunk);
        Span<sbyte> quants = stackalloc sbyte[PaddedHeadSize];
        for (int c = 0; c < quants.Length; c++)
            quants[c] = (sbyte)matrix[ValueAt(c, column)];
        StoreQuantizedValue(layer, head, to, quants, _scales.Slice(_rooms[layer].ScalesOf(head) + from, 1)[0]);
    }

    private Span<byte> ValueChunk(int layer, int head, int chunk) => _values.Slice(_rooms[layer].ValuesOf(head) + chunk * _chunk.Data.Length, (int)_chunk.Data.Length);

    /// <summary>Where a chunk's matrix holds row <paramref name="row"/> of column <paramref name="column"/>.</summary>
    private int ValueAt(int row, int column) => row / PackedLayout.GroupRows * (int)_chunk.GroupBytes
        + column / PackedLayout.BlockSize * BlockFormat.Q8_0.Info().QuantBytes + column % PackedLayout.BlockSize / 4 * 32 + row % PackedLayout.GroupRows * 4 + column % 4;

    private Span<byte> ValueRow(int layer, int head, int slot)
    {
        int bytes = PaddedHeadSize * Format.ElementBytes();
        return _values.Slice(_rooms[layer].ValuesOf(head) + (long)slot * bytes, bytes);
    }

    /// <summary>A value becomes a column of its chunk's matrix.</summary>
    private void StoreQuantizedValue(int layer, int head, int slot, ReadOnlySpan<sbyte> quants, ushort scale)
    {
        (int chunk, int column) = Math.DivRem(slot, ChunkSize);
        _scales.Slice(_rooms[layer].ScalesOf(head) + slot, 1)[0] = scale;
        if (column == 0)
            FillUnitScales(layer, head, chunk);
        Span<byte> matrix = ValueChunk(layer, head, chunk);
        int groupBytes = (int)_chunk.GroupBytes, first = ValueAt(0, column);
        for (int group = 0, c = 0; group < ValueGroups; group++)
        {
            for (int at = group * groupBytes + first, end = at + 4 * PackedLayout.GroupRows; at < end; at += 4)
                matrix[at] = (byte)quants[c++];
        }
    }

    /// <summary>The weights of a chunk's matrix have scale 1.</summary>
    private void FillUnitScales(int layer, int head, int chunk)
    {
        int groupBytes = (int)_chunk.GroupBytes, scalesOffset = (int)_chunk.ScalesOffset;
        for (int group = 0; group < ValueGroups; group++)
        {
            long at = _rooms[layer].ValuesOf(head) + chunk * _chunk.Data.Length + group * groupBytes + scalesOffset;
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
