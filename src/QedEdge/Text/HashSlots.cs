using System.Numerics;
using System.Runtime.CompilerServices;

namespace QedEdge.Text;

/// <summary>
/// The slots of an open-addressing table in one array of 32-bit words: an item's index + 1 in the low bits, bits of its hash above
/// them (so most mismatches are seen without touching the item), 0 for empty. At most half full. The items lie elsewhere.
/// </summary>
internal readonly struct HashSlots
{
    private readonly uint[] _slots;
    private readonly uint _indexMask;
    private readonly int _shift;

    /// <summary>Makes room.</summary>
    /// <param name="count">The number of items, at most 2^24.</param>
    public HashSlots(int count)
    {
        int bits = BitOperations.Log2((uint)count) + 2;
        _slots = new uint[1 << bits];
        _shift = 64 - bits;
        _indexMask = (1u << (bits - 1)) - 1;
    }

    /// <summary>The slot at which the search for a hash begins.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public int First(ulong hash) => (int)(hash >> _shift);

    /// <summary>The slot after another, around the end.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public int Next(int slot) => slot + 1 & _slots.Length - 1;

    /// <summary>A slot's word; 0 ends the search.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public uint Word(int slot) => _slots[slot];

    /// <summary>Whether a slot's item may be the one with this hash.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public bool MayHold(uint word, ulong hash) => ((word ^ (uint)hash) & ~_indexMask) == 0;

    /// <summary>The item of a slot that is not empty.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public int Item(uint word) => (int)(word & _indexMask) - 1;

    /// <summary>Fills an empty slot.</summary>
    public void Set(int slot, int item, ulong hash) => _slots[slot] = (uint)(item + 1) | (uint)hash & ~_indexMask;
}
