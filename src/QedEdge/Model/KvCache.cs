using QedEdge.Architectures;
using QedEdge.Memory;
using QedEdge.Quantization;
using QedEdge.Quantization.Formats;

namespace QedEdge.Model;

/// <summary>
/// Keys and values of the tokens seen, by slot (<see cref="SlotMap"/>); memory is reserved at once and touched as it fills.
/// <code>
/// keys    per layer and head: a packed matrix [slots, head size] (PackedLayout), so that scores are the weights' own GEMV
/// values  F32, F16: per layer and head: rows [slots, padded head size]; lanes are columns, so weighted sums need no horizontal step
///         Q8_0: per layer, head and chunk of 256 slots: a packed matrix [padded head size, 256] with weights of scale 1, so that
///         weighted sums are the weights' own GEMV as well; a slot's scale [slots] goes into its softmax weight
/// </code>
/// A layer that sees its tokens through a window has slots for these and a batch, and not for the whole context.
/// </summary>
internal sealed partial class KvCache : IDisposable
{
    /// <summary>Slots that share a maximum and sums, which are merged in order (docs/numerics.md).</summary>
    public const int ChunkSize = 256;

    /// <summary>Changes with the storage and with the arithmetic that fills it: what was saved by another version is computed anew.</summary>
    public const int Version = 1;

    private readonly Room[] _rooms; // by layer
    private readonly int _heads;
    private readonly PackedMatrix _chunk; // the shape of a chunk of int8 values
    private readonly AlignedBuffer<byte> _keys;
    private readonly AlignedBuffer<byte> _values;
    private readonly AlignedBuffer<ushort> _scales;

    /// <summary>Reserves room for the layers of a decoder.</summary>
    /// <param name="window">What a layer without a window of its own sees.</param>
    /// <param name="layers">The layers; all have as many key-value heads of one size.</param>
    /// <param name="format">How keys and values are stored.</param>
    public KvCache(SlotMap window, LayerShape[] layers, KvFormat format)
    {
        _heads = layers[0].Attention.KvHeads;
        HeadSize = layers[0].Attention.HeadSize;
        Format = format;
        PaddedHeadSize = PackedLayout.Blocks(HeadSize) * PackedLayout.BlockSize;
        _rooms = new Room[layers.Length];
        long keys = 0, values = 0, scales = 0;
        for (int i = 0; i < layers.Length; i++)
        {
            int? seen = layers[i].Attention.Window;
            SlotMap map = window.OfLayer(seen);
            int chunks = (int)(((long)map.Slots + ChunkSize - 1) / ChunkSize);
            var room = new Room(map, window.Slides ? map.Slots : seen is int count ? SlotMap.RingSlots(count) : int.MaxValue, keys, values, scales,
                format.Matrix().Info().MatrixBytes(map.Slots, HeadSize),
                format == KvFormat.Q8_0 ? chunks * ChunkBytes : (long)map.Slots * PaddedHeadSize * format.ElementBytes(),
                format == KvFormat.Q8_0 ? (long)chunks * ChunkSize : 0);
            _rooms[i] = room;
            LeastSlots = Math.Min(LeastSlots, map.Slots);
            RingSlots = Math.Min(RingSlots, seen is int most ? SlotMap.RingSlots(most) : int.MaxValue);
            keys = checked(keys + _heads * room.KeyBytes);
            values = checked(values + _heads * room.ValueBytes);
            scales = checked(scales + _heads * room.ValueScales);
        }
        _keys = new AlignedBuffer<byte>(keys);
        _values = new AlignedBuffer<byte>(values);
        _scales = new AlignedBuffer<ushort>(scales);
        foreach (Room room in _rooms)
            room.Keys = new PackedMatrix(format.Matrix(), room.Map.Slots, HeadSize, _keys.View.Slice(room.KeysAt, room.KeyBytes));
        if (format == KvFormat.Q8_0)
            _chunk = new PackedMatrix(BlockFormat.Q8_0, PaddedHeadSize, ChunkSize, _values.View.Slice(0, ChunkBytes));
    }

    /// <summary>Where a layer's tokens stand, and which of them one sees.</summary>
    public SlotMap Map(int layer) => _rooms[layer].Map;

    /// <summary>Slots of the layer that has the fewest: more tokens than that overwrite the oldest somewhere.</summary>
    public int LeastSlots { get; } = int.MaxValue;

    /// <summary>Tokens after which the slots of a layer with a window of its own wrap around, in whatever context; no bound where there is none.</summary>
    public int RingSlots { get; } = int.MaxValue;

    /// <summary>F32, F16 or Q8_0.</summary>
    public KvFormat Format { get; }

    /// <summary>Columns of a key or value.</summary>
    public int HeadSize { get; }

    /// <summary>Columns rounded up to a multiple of 32; the padding is zero.</summary>
    public int PaddedHeadSize { get; }

    private int Blocks => PaddedHeadSize / PackedLayout.BlockSize;

    private long ChunkBytes => BlockFormat.Q8_0.Info().MatrixBytes(PaddedHeadSize, ChunkSize);

    /// <summary>Bytes that so many positions take in the cache of a decoder, of parts of a chunk only these.</summary>
    public static long BytesFor(Architecture architecture, int positions, KvFormat format)
    {
        int size = architecture.HeadSize, padded = PackedLayout.Blocks(size) * PackedLayout.BlockSize;
        FormatInfo info = format.Matrix().Info();
        long key = info.GroupBytes(size) / PackedLayout.GroupRows;
        long value = format == KvFormat.Q8_0 ? info.MatrixBytes(padded, ChunkSize) / ChunkSize + sizeof(ushort) : padded * format.ElementBytes();
        long slots = 0;
        foreach (LayerShape layer in architecture.Layers)
            slots += layer.Attention.Window is int seen ? Math.Min(positions, SlotMap.RingSlots(seen)) : positions;
        return slots * architecture.KvHeads * (key + value);
    }

    /// <summary>One head's keys as a matrix [slots, head size].</summary>
    public PackedMatrix Keys(int layer, int head) => _rooms[layer].Keys.At(_keys.View.Slice(_rooms[layer].KeysOf(head), _rooms[layer].KeyBytes));

    /// <summary>Prefetch target while a head's values are read: its keys from a slot on (a multiple of 8), continuing into the next head.</summary>
    public NativeView KeysFrom(int layer, int head, int slot)
    {
        Room room = _rooms[layer];
        long begin = room.KeysOf(head) + slot / PackedLayout.GroupRows * room.Keys.GroupBytes;
        return _keys.View.Slice(begin, _keys.Count - begin);
    }

    /// <summary>The bytes that weighing reads for a chunk: what to prefetch while its keys are read.</summary>
    public NativeView Values(int layer, int head, int chunk)
    {
        long bytes = Format == KvFormat.Q8_0 ? _chunk.Data.Length : (long)ChunkSize * PaddedHeadSize * Format.ElementBytes();
        long begin = _rooms[layer].ValuesOf(head) + chunk * bytes;
        return _values.View.Slice(begin, Math.Min(bytes, _values.Count - begin));
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _keys.Dispose();
        _values.Dispose();
        _scales.Dispose();
    }

    /// <summary>Where a layer's keys and values are in the buffers.</summary>
    private sealed class Room(SlotMap map, int mostSlots, long keysAt, long valuesAt, long scalesAt, long keyBytes, long valueBytes, long valueScales)
    {
        public SlotMap Map => map;

        /// <summary>Tokens after which slots wrap around; a context that is shorter than a ring has fewer slots, and never gets there.</summary>
        public int MostSlots => mostSlots;

        public long KeysAt => keysAt;

        /// <summary>Bytes of one head's keys.</summary>
        public long KeyBytes => keyBytes;

        /// <summary>Bytes of one head's values.</summary>
        public long ValueBytes => valueBytes;

        /// <summary>Halves of one head's value scales.</summary>
        public long ValueScales => valueScales;

        /// <summary>The first head's keys.</summary>
        public PackedMatrix Keys { get; set; }

        public long KeysOf(int head) => keysAt + head * keyBytes;

        public long ValuesOf(int head) => valuesAt + head * valueBytes;

        public long ScalesOf(int head) => scalesAt + head * valueScales;
    }
}
