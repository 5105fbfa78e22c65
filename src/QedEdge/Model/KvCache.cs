using QedEdge.Memory;
using QedEdge.Quantization;
using QedEdge.Quantization.Formats;

namespace QedEdge.Model;

/// <summary>
/// Keys and values of the tokens seen, by slot (<see cref="SlotMap"/>); memory is reserved at once and touched as it fills.
/// <code>
/// keys    per layer and head: a packed matrix [capacity, head size] (PackedLayout), so that scores are the weights' own GEMV
/// values  F32, F16: per layer and head: rows [capacity, padded head size]; lanes are columns, so weighted sums need no horizontal step
///         Q8_0: per layer, head and chunk of 256 positions: a packed matrix [padded head size, 256] with weights of scale 1, so that
///         weighted sums are the weights' own GEMV as well; a position's scale [capacity] goes into its softmax weight
/// </code>
/// </summary>
internal sealed partial class KvCache : IDisposable
{
    /// <summary>Positions that share a maximum and sums, which are merged in order (docs/numerics.md).</summary>
    public const int ChunkSize = 256;

    /// <summary>Changes with the storage and with the arithmetic that fills it: what was saved by another version is computed anew.</summary>
    public const int Version = 1;

    private readonly int _layers;
    private readonly int _heads;
    private readonly long _keyBytes;        // one layer's keys of one head
    private readonly long _valueBytes;      // one layer's values of one head
    private readonly long _valueScales;     // halves of one layer's value scales of one head
    private readonly AlignedBuffer<byte> _keys;
    private readonly AlignedBuffer<byte> _values;
    private readonly AlignedBuffer<ushort> _scales;

    /// <summary>Reserves room for <paramref name="capacity"/> positions (a multiple of 8).</summary>
    public KvCache(int layers, int heads, int headSize, int capacity, KvFormat format)
    {
        _layers = layers;
        _heads = heads;
        HeadSize = headSize;
        Capacity = capacity;
        Format = format;
        PaddedHeadSize = PackedLayout.Blocks(headSize) * PackedLayout.BlockSize;
        _keyBytes = format.Matrix().Info().MatrixBytes(capacity, headSize);
        int chunks = (int)(((long)capacity + ChunkSize - 1) / ChunkSize);
        _valueBytes = format == KvFormat.Q8_0 ? chunks * ChunkBytes : (long)capacity * PaddedHeadSize * format.ElementBytes();
        _valueScales = format == KvFormat.Q8_0 ? (long)chunks * ChunkSize : 0;
        _keys = new AlignedBuffer<byte>(checked(layers * heads * _keyBytes));
        _values = new AlignedBuffer<byte>(checked(layers * heads * _valueBytes));
        _scales = new AlignedBuffer<ushort>(checked(layers * heads * _valueScales));
    }

    /// <summary>Slots.</summary>
    public int Capacity { get; }

    /// <summary>F32, F16 or Q8_0.</summary>
    public KvFormat Format { get; }

    /// <summary>Columns of a key or value.</summary>
    public int HeadSize { get; }

    /// <summary>Columns rounded up to a multiple of 32; the padding is zero.</summary>
    public int PaddedHeadSize { get; }

    private int Blocks => PaddedHeadSize / PackedLayout.BlockSize;

    private long ChunkBytes => BlockFormat.Q8_0.Info().MatrixBytes(PaddedHeadSize, ChunkSize);

    /// <summary>Bytes that one position takes in a cache of these dimensions.</summary>
    public static long BytesPerPosition(int layers, int heads, int headSize, KvFormat format)
    {
        int padded = PackedLayout.Blocks(headSize) * PackedLayout.BlockSize;
        long key = format.Matrix().Info().GroupBytes(headSize) / PackedLayout.GroupRows;
        long value = format == KvFormat.Q8_0
            ? format.Matrix().Info().MatrixBytes(padded, ChunkSize) / ChunkSize + sizeof(ushort)
            : padded * format.ElementBytes();
        return (long)layers * heads * (key + value);
    }

    /// <summary>Which of all heads one of a layer is.</summary>
    private long Index(int layer, int head) => (long)layer * _heads + head;

    /// <summary>One head's keys as a matrix [capacity, head size].</summary>
    public PackedMatrix Keys(int layer, int head) =>
        new(Format.Matrix(), Capacity, HeadSize, _keys.View.Slice(Index(layer, head) * _keyBytes, _keyBytes));

    /// <summary>A head's keys from a slot on (a multiple of 8; behind the last one, the next head's): what to ask for while its values are read.</summary>
    public NativeView KeysFrom(int layer, int head, int slot)
    {
        long begin = Index(layer, head) * _keyBytes + slot / PackedLayout.GroupRows * Format.Matrix().Info().GroupBytes(HeadSize);
        return _keys.View.Slice(begin, _keys.Count - begin);
    }

    /// <summary>The bytes that weighing reads for a chunk: what to ask for while its keys are read.</summary>
    public NativeView Values(int layer, int head, int chunk)
    {
        long bytes = Format == KvFormat.Q8_0 ? ChunkBytes : (long)ChunkSize * PaddedHeadSize * Format.ElementBytes();
        long begin = Index(layer, head) * _valueBytes + chunk * bytes;
        return _values.View.Slice(begin, Math.Min(bytes, _values.Count - begin));
    }

    /// <summary>Parts that <see cref="Part"/> knows.</summary>
    public int Parts => _layers * _heads * PartsPerHead;

    private int PartsPerHead => 3 + ValueGroups;

    /// <summary>Row groups of a chunk's matrix of int8 values.</summary>
    private int ValueGroups => Format == KvFormat.Q8_0 ? PaddedHeadSize / PackedLayout.GroupRows : 0;

    /// <summary>The memory that the first slots take, in parts; the last group of keys and the last block of values whole.</summary>
    public NativeView Part(int part, int slots)
    {
        (int head, int kind) = Math.DivRem(part, PartsPerHead);
        long index = head, bytes = PartBytes(part, slots);
        return kind switch
        {
            0 => _keys.View.Slice(index * _keyBytes, bytes),
            1 => _values.View.Slice(index * _valueBytes, bytes),
            2 => _scales.View.Slice(index * _valueScales * sizeof(ushort), bytes),
            _ when bytes == 0 => default,
            _ => _values.View.Slice(index * _valueBytes + slots / ChunkSize * ChunkBytes + (kind - 3) * BlockFormat.Q8_0.Info().GroupBytes(ChunkSize), bytes),
        };
    }

    /// <summary>Bytes of all parts; of more slots than this cache has, too.</summary>
    public long BytesOf(int slots)
    {
        long bytes = 0;
        for (int i = 0; i < Parts; i++)
            bytes += PartBytes(i, slots);
        return bytes;
    }

    private long PartBytes(int part, int slots)
    {
        bool quantized = Format == KvFormat.Q8_0;
        return (part % PartsPerHead) switch
        {
            0 => PackedLayout.RowGroups(slots) * Format.Matrix().Info().GroupBytes(HeadSize),
            1 => quantized ? slots / ChunkSize * ChunkBytes : (long)slots * PaddedHeadSize * Format.ElementBytes(),
            2 => quantized ? (long)slots * sizeof(ushort) : 0,
            _ => (long)PackedLayout.Blocks(slots % ChunkSize) * BlockFormat.Q8_0.Info().QuantBytes,
        };
    }

    /// <summary>Takes over the first slots from parts that lie one after another.</summary>
    /// <param name="parts"><see cref="BytesOf"/> bytes.</param>
    /// <param name="slots">Slots that they hold; may be more than this cache has.</param>
    /// <param name="wanted">How many of these.</param>
    public void CopyFrom(NativeView parts, int slots, int wanted)
    {
        long position = 0, chunks = 0; // where this part begins, and this head's whole chunks of values
        for (int i = 0; i < Parts; i++)
        {
            int kind = i % PartsPerHead;
            if (kind == 1)
                chunks = position;
            NativeView to = Part(i, wanted);
            bool whole = kind >= 3 && wanted / ChunkSize < slots / ChunkSize; // what is the last chunk here is a whole one there
            long from = whole ? chunks + wanted / ChunkSize * ChunkBytes + (kind - 3) * BlockFormat.Q8_0.Info().GroupBytes(ChunkSize) : position;
            parts.Slice(from, to.Length).CopyTo(to);
            position += PartBytes(i, slots);
        }
        FillUnitScales(wanted);
    }

    /// <summary>Takes over the first slots of a cache of the same dimensions and format.</summary>
    public void CopyFrom(KvCache other, int slots)
    {
        for (int i = 0; i < Parts; i++)
            other.Part(i, slots).CopyTo(Part(i, slots));
        FillUnitScales(slots);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _keys.Dispose();
        _values.Dispose();
        _scales.Dispose();
    }
}
