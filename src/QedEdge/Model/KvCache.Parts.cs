using QedEdge.Memory;
using QedEdge.Quantization;
using QedEdge.Quantization.Formats;

namespace QedEdge.Model;

/// <content>What a cache holds as parts that lie one after another, as in a file.</content>
internal sealed partial class KvCache
{
    /// <summary>Parts that <see cref="Part"/> knows.</summary>
    public int Parts => _rooms.Length * _heads * PartsPerHead;

    private int PartsPerHead => 3 + ValueGroups;

    /// <summary>Row groups of a chunk's matrix of int8 values.</summary>
    private int ValueGroups => Format == KvFormat.Q8_0 ? PaddedHeadSize / PackedLayout.GroupRows : 0;

    /// <summary>
    /// Slots of the layer of a part that tokens take: all of them where the layer's slots wrapped around. A cache of fewer slots says the same, so that files are independent of
    /// the context they were written with.
    /// </summary>
    /// <param name="part">The part.</param>
    /// <param name="tokens">Tokens.</param>
    /// <param name="reach">One past the last token that was ever stored, where slots wrapped around.</param>
    private int Used(int part, int tokens, int reach)
    {
        int most = _rooms[part / PartsPerHead / _heads].MostSlots;
        return reach > most ? most : tokens;
    }

    /// <summary>Whether the slots of every layer wrap around just as those of a cache that so many tokens reached, so that it can be taken over.</summary>
    public bool CanTake(int reach)
    {
        foreach (Room room in _rooms)
        {
            if (reach > room.MostSlots && room.Map.Slots != room.MostSlots)
                return false;
        }
        return true;
    }

    /// <summary>Whether what a token at <paramref name="position"/> sees is still there in all layers when token <paramref name="reach"/> − 1 was the last ever stored.</summary>
    public bool CanReturn(int reach, int position)
    {
        foreach (Room room in _rooms)
        {
            if (!room.Map.CanReturn(reach, position))
                return false;
        }
        return true;
    }

    /// <summary>The earliest position that can be returned to in all layers, but for 0.</summary>
    public int EarliestReturn(int reach)
    {
        int earliest = 0;
        foreach (Room room in _rooms)
            earliest = Math.Max(earliest, room.Map.EarliestReturn(reach));
        return earliest;
    }

    /// <summary>The memory that tokens take, in parts; the last group of keys and the last block of values whole.</summary>
    public NativeView Part(int part, int tokens, int reach) => View(part, Used(part, tokens, reach));

    /// <summary>Bytes of all parts; of more tokens than this cache has room for, too.</summary>
    public long BytesOf(int tokens, int reach)
    {
        long bytes = 0;
        for (int i = 0; i < Parts; i++)
            bytes += PartBytes(i, Used(i, tokens, reach));
        return bytes;
    }

    private NativeView View(int part, int slots)
    {
        (int index, int kind) = Math.DivRem(part, PartsPerHead);
        (int layer, int head) = Math.DivRem(index, _heads);
        Room room = _rooms[layer];
        long bytes = PartBytes(part, slots);
        return kind switch
        {
            0 => _keys.View.Slice(room.KeysOf(head), bytes),
            1 => _values.View.Slice(room.ValuesOf(head), bytes),
            2 => _scales.View.Slice(room.ScalesOf(head) * sizeof(ushort), bytes),
            _ when bytes == 0 => default,
            _ => _values.View.Slice(room.ValuesOf(head) + slots / ChunkSize * _chunk.Data.Length + (kind - 3) * _chunk.GroupBytes, bytes),
        };
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

    /// <summary>Takes over the first tokens from parts that lie one after another.</summary>
    /// <param name="parts"><see cref="BytesOf"/> bytes.</param>
    /// <param name="tokens">Tokens that they hold; may be more than this cache has room for.</param>
    /// <param name="reach">One past the last token that was ever stored there; <see cref="CanTake"/> holds.</param>
    /// <param name="wanted">How many of the tokens.</param>
    public void CopyFrom(NativeView parts, int tokens, int reach, int wanted)
    {
        long position = 0, chunks = 0; // where this part begins, and this head's whole chunks of values
        for (int i = 0; i < Parts; i++)
        {
            int kind = i % PartsPerHead, there = Used(i, tokens, reach), here = Used(i, wanted, reach);
            if (kind == 1)
                chunks = position;
            NativeView to = View(i, here);
            bool whole = kind >= 3 && here / ChunkSize < there / ChunkSize; // what is the last chunk here is a whole one there
            long from = whole ? chunks + here / ChunkSize * _chunk.Data.Length + (kind - 3) * _chunk.GroupBytes : position;
            parts.Slice(from, to.Length).CopyTo(to);
            position += PartBytes(i, there);
        }
        FillUnitScales(wanted, reach);
    }

    /// <summary>Takes over the tokens of a cache of the same dimensions and format.</summary>
    public void CopyFrom(KvCache other, int tokens, int reach)
    {
        for (int i = 0; i < Parts; i++)
            other.Part(i, tokens, reach).CopyTo(Part(i, tokens, reach));
        FillUnitScales(tokens, reach);
    }

    /// <summary>Of all chunks that tokens take: the parts of the last one leave them out, and what a file says of the others is not trusted.</summary>
    private void FillUnitScales(int tokens, int reach)
    {
        if (Format != KvFormat.Q8_0)
            return;
        for (int layer = 0; layer < _rooms.Length; layer++)
        {
            int slots = Used(layer * _heads * PartsPerHead, tokens, reach);
            for (int head = 0; head < _heads; head++)
            {
                for (int chunk = 0; chunk * ChunkSize < slots; chunk++)
                    FillUnitScales(layer, head, chunk);
            }
        }
    }
}
