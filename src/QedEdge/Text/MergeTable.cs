using System.Runtime.CompilerServices;
using QedEdge.Gguf;

namespace QedEdge.Text;

/// <summary>The merges of a byte-pair encoding: which two neighbouring ids become which one, and in which order. Immutable.</summary>
internal sealed class MergeTable
{
    /// <summary>The rank of a pair that does not merge: behind all that do.</summary>
    public const int NoRank = int.MaxValue;

    // Without it, a hostile file could choose pairs that all fall into one slot.
    private static readonly ulong Seed = (ulong)Random.Shared.NextInt64();

    private readonly uint[] _pairs;
    private readonly uint[] _merged;
    private readonly uint[]? _ranks; // of each pair; null: where it stands
    private readonly HashSlots _slots;

    /// <summary>Takes over the arrays and indexes the pairs.</summary>
    /// <param name="pairs">[merges, 2]: left and right id, in rank order; at most <see cref="GgufLimits.Merges"/> merges.</param>
    /// <param name="merged">The id that the pair of each rank becomes.</param>
    /// <param name="ranks">The rank of each pair, where several have one; null where each has its own, in order.</param>
    public MergeTable(uint[] pairs, uint[] merged, uint[]? ranks = null)
    {
        int count = pairs.Length / 2;
        _ranks = ranks;
        _pairs = pairs;
        _merged = merged;
        _slots = new HashSlots(Math.Max(1, count));
        Duplicate = -1;
        for (int rank = 0; rank < count; rank++)
        {
            ulong hash = Hash(pairs[2 * rank], pairs[2 * rank + 1]);
            int slot = Search(pairs[2 * rank], pairs[2 * rank + 1], hash, out int found);
            if (found != NoRank)
                Duplicate = rank;
            else
                _slots.Set(slot, rank, hash);
        }
    }

    /// <summary>The number of merges.</summary>
    public int Count => _pairs.Length / 2;

    /// <summary>The rank of a merge whose pair an earlier merge has too, or -1. A table with one must not be used.</summary>
    public int Duplicate { get; }

    /// <summary>[Count, 2]: left and right id of each merge, in rank order.</summary>
    public ReadOnlySpan<uint> Pairs => _pairs;

    /// <summary>The id that each merge makes, in rank order.</summary>
    public ReadOnlySpan<uint> MergedIds => _merged;

    /// <summary>Whether several pairs may have one rank: those that make the same token.</summary>
    public bool SharesRanks => _ranks is not null;

    /// <summary>The rank of a pair of neighbours, or <see cref="NoRank"/>. Low ranks merge first.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public int Rank(int left, int right)
    {
        Search((uint)left, (uint)right, Hash((uint)left, (uint)right), out int found);
        return _ranks is null || found == NoRank ? found : (int)_ranks[found];
    }

    /// <summary>The id that the merge of a rank makes.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public int Merged(int rank) => (int)_merged[rank];

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private int Search(uint left, uint right, ulong hash, out int found)
    {
        int slot = _slots.First(hash);
        for (uint word; (word = _slots.Word(slot)) != 0; slot = _slots.Next(slot))
        {
            int rank = _slots.Item(word);
            if (_slots.MayHold(word, hash) && _pairs[2 * rank] == left && _pairs[2 * rank + 1] == right)
            {
                found = rank;
                return slot;
            }
        }
        found = NoRank;
        return slot;
    }

    /// <summary>Two rounds of multiply and fold: every bit of the pair reaches the high bits (slot) and the low ones (tag).</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static ulong Hash(uint left, uint right)
    {
        ulong hash = (((ulong)right << 32 | left) ^ Seed) * 0x9E3779B97F4A7C15;
        hash = (hash ^ hash >> 32) * 0xD6E8FEB86659FD93;
        return hash ^ hash >> 32;
    }
}
