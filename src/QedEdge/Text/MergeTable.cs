using System.Runtime.CompilerServices;
using QedEdge.Gguf;

namespace QedEdge.Text;

/// <summary>The merges of a byte-pair encoding: which two neighbouring ids become which one, and in which order. Immutable.</summary>
internal sealed class MergeTable
{
    /// <summary>The rank of a pair that does not merge: behind all that do.</summary>
    public const int NoRank = int.MaxValue;

    // Without it, a hostile file could choose pairs that all fall into one slot. Slots that are stored are found without, and each search in them has an end.
    private static readonly ulong Secret = (ulong)Random.Shared.NextInt64();

    private readonly Numbers _pairs, _merged, _slots;
    private readonly uint[]? _ranks; // of each pair; null: where it stands
    private readonly ulong _seed;
    private readonly int _probes;

    /// <summary>Indexes pairs.</summary>
    /// <param name="pairs">[merges, 2]: left and right id, in rank order; at most <see cref="GgufLimits.Merges"/> merges.</param>
    /// <param name="merged">The id that the pair of each rank becomes.</param>
    /// <param name="ranks">The rank of each pair, where several have one; null where each has its own, in order.</param>
    public MergeTable(Numbers pairs, Numbers merged, uint[]? ranks = null)
    {
        (_pairs, _merged, _ranks) = (pairs, merged, ranks);
        Count = pairs.Span.Length / 2;
        (_seed, _probes) = (Secret, int.MaxValue);
        _slots = Index(_seed, out int duplicate, out _);
        Duplicate = duplicate;
    }

    /// <summary>Takes slots that were stored with the pairs.</summary>
    /// <param name="pairs">As above.</param>
    /// <param name="merged">As above.</param>
    /// <param name="slots">What <see cref="StoredSlots"/> gave.</param>
    public MergeTable(Numbers pairs, Numbers merged, Numbers slots)
    {
        (_pairs, _merged, _slots, _probes) = (pairs, merged, slots, HashSlots.MostProbes);
        Count = pairs.Span.Length / 2;
        Duplicate = -1;
    }

    /// <summary>The number of merges.</summary>
    public int Count { get; }

    /// <summary>The rank of a merge whose pair an earlier merge has too, or -1. A table with one must not be used.</summary>
    public int Duplicate { get; }

    /// <summary>[Count, 2]: left and right id of each merge, in rank order.</summary>
    public ReadOnlySpan<uint> Pairs => _pairs.Span;

    /// <summary>The id that each merge makes, in rank order.</summary>
    public ReadOnlySpan<uint> MergedIds => _merged.Span;

    /// <summary>Whether several pairs may have one rank: those that make the same token.</summary>
    public bool SharesRanks => _ranks is not null;

    /// <summary>The table, ready for many questions; of a file, valid while it is open.</summary>
    public Lookup Open() => new(this);

    /// <summary>Slots to store with the pairs, or null where one of them would be too far away.</summary>
    public uint[]? StoredSlots()
    {
        uint[] slots = Index(0, out _, out int probes);
        return probes <= HashSlots.MostProbes ? slots : null;
    }

    private uint[] Index(ulong seed, out int duplicate, out int most) => HashSlots.Fill(new PairItems(_pairs.Span, seed), Count, out duplicate, out most);

    private readonly ref struct PairItems(ReadOnlySpan<uint> pairs, ulong seed) : HashSlots.IItems
    {
        private readonly ReadOnlySpan<uint> _pairs = pairs;

        public ulong Hash(int item) => MergeTable.Hash(_pairs[2 * item], _pairs[2 * item + 1], seed);

        public bool AreSame(int one, int other) => _pairs[2 * one] == _pairs[2 * other] && _pairs[2 * one + 1] == _pairs[2 * other + 1];
    }

    /// <summary>Two rounds of multiply and fold: every bit of the pair reaches the high bits (slot) and the low ones (tag).</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static ulong Hash(uint left, uint right, ulong seed)
    {
        ulong hash = (((ulong)right << 32 | left) ^ seed) * 0x9E3779B97F4A7C15;
        hash = (hash ^ hash >> 32) * 0xD6E8FEB86659FD93;
        return hash ^ hash >> 32;
    }

    /// <summary>Answers what merges.</summary>
    public readonly ref struct Lookup(MergeTable table)
    {
        private readonly ReadOnlySpan<uint> _pairs = table.Pairs, _merged = table.MergedIds, _ranks = table._ranks;
        private readonly HashSlots _slots = new(table._slots.Span, table.Count);
        private readonly ulong _seed = table._seed;
        private readonly int _probes = table._probes;

        /// <summary>The rank of a pair of neighbours, or <see cref="NoRank"/>. Low ranks merge first.</summary>
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public int Rank(int left, int right)
        {
            ulong hash = Hash((uint)left, (uint)right, _seed);
            int slot = _slots.First(hash);
            for (int probes = _probes; _slots.Word(slot) is not 0 and var word && probes > 0; slot = _slots.Next(slot), probes--)
            {
                int item = _slots.Item(word, hash);
                if (item >= 0 && _pairs[2 * item] == (uint)left && _pairs[2 * item + 1] == (uint)right)
                    return _ranks.IsEmpty ? item : (int)_ranks[item];
            }
            return NoRank;
        }

        /// <summary>The id that the merge of a rank makes.</summary>
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public int Merged(int rank) => (int)_merged[rank];
    }
}
