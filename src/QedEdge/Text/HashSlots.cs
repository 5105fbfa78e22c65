using System.Numerics;
using System.Runtime.CompilerServices;

namespace QedEdge.Text;

/// <summary>
/// The slots of an open-addressing table in one array of 32-bit words: an item's index + 1 in the low bits, bits of its hash above
/// them (so most mismatches are seen without touching the item), 0 for empty. At most half full. The items lie elsewhere.
/// </summary>
internal readonly ref struct HashSlots
{
    /// <summary>Slots that are looked at before an item is taken for absent: a table that is stored holds each item within as many, and none can make a search long.</summary>
    public const int MostProbes = 256;

    private readonly ReadOnlySpan<uint> _words;
    private readonly int _count;
    private readonly uint _indexMask;
    private readonly int _shift;

    /// <summary>Looks into slots.</summary>
    /// <param name="words">As many as <see cref="Length"/> says.</param>
    /// <param name="count">The number of items.</param>
    public HashSlots(ReadOnlySpan<uint> words, int count)
    {
        int bits = Bits(count);
        _words = words;
        _count = count;
        _shift = 64 - bits;
        _indexMask = (1u << (bits - 1)) - 1;
    }

    /// <summary>How many slots a number of items has, at most 2^24 of them.</summary>
    public static int Length(int count) => 1 << Bits(count);

    /// <summary>The slot at which the search for a hash begins.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public int First(ulong hash) => (int)(hash >> _shift);

    /// <summary>The slot after another, around the end.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public int Next(int slot) => slot + 1 & _words.Length - 1;

    /// <summary>A slot's word; 0 ends the search.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public uint Word(int slot) => _words[slot];

    /// <summary>The item of a slot that may be the one with this hash, or -1.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public int Item(uint word, ulong hash)
    {
        int item = (int)(word & _indexMask) - 1;
        return ((word ^ (uint)hash) & ~_indexMask) == 0 && (uint)item < (uint)_count ? item : -1;
    }

    /// <summary>Puts items into slots, the first of those that are the same.</summary>
    /// <param name="items">The items.</param>
    /// <param name="count">How many.</param>
    /// <param name="duplicate">The last that is the same as an earlier one, or -1.</param>
    /// <param name="most">Slots that the farthest item is away from where its search begins, that one included.</param>
    public static uint[] Fill<TItems>(TItems items, int count, out int duplicate, out int most) where TItems : IItems, allows ref struct
    {
        var words = new uint[Length(count)];
        var slots = new HashSlots(words, count);
        (duplicate, most) = (-1, 0);
        for (int i = 0; i < count; i++)
        {
            ulong hash = items.Hash(i);
            int slot = slots.First(hash), probes = 1;
            bool found = false;
            for (; slots.Word(slot) is not 0 and var word && !found; slot = slots.Next(slot), probes++)
                found = slots.Item(word, hash) is >= 0 and var item && items.AreSame(item, i);
            most = Math.Max(most, probes);
            if (found)
                duplicate = i;
            else
                words[slot] = (uint)(i + 1) | (uint)hash & ~slots._indexMask;
        }
        return words;
    }

    /// <summary>What <see cref="Fill"/> asks of items.</summary>
    public interface IItems
    {
        /// <summary>An item's hash.</summary>
        ulong Hash(int item);

        /// <summary>Whether two items are the same.</summary>
        bool AreSame(int one, int other);
    }

    private static int Bits(int count) => BitOperations.Log2((uint)Math.Max(1, count)) + 2;
}
