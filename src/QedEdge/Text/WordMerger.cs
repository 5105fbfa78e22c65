using System.Buffers;

namespace QedEdge.Text;

/// <summary>
/// Byte-pair encoding of one word: of all neighbours that a merge joins, the pair of the lowest rank (the leftmost of equals) is
/// joined, until none is left.
/// </summary>
internal static class WordMerger
{
    /// <summary>Up to here a plain search for the lowest rank is faster than a heap.</summary>
    private const int ShortWord = 48;

    /// <summary>Merges a word in place.</summary>
    /// <param name="merges">The merges.</param>
    /// <param name="ids">The word's symbols; overwritten from the front by the result.</param>
    /// <returns>The number of ids that are left.</returns>
    public static int Merge(MergeTable merges, Span<int> ids) =>
        ids.Length <= ShortWord ? MergeShort(merges.Open(), ids) : MergeLong(merges.Open(), ids);

    private static int MergeShort(MergeTable.Lookup merges, Span<int> ids)
    {
        // ranks[i] belongs to the pair (i, i + 1).
        Span<int> ranks = stackalloc int[ShortWord];
        int pairs = ids.Length - 1;
        for (int i = 0; i < pairs; i++)
            ranks[i] = merges.Rank(ids[i], ids[i + 1]);

        while (pairs > 0)
        {
            int lowest = 0;
            for (int i = 1; i < pairs; i++)
            {
                if (ranks[i] < ranks[lowest])
                    lowest = i;
            }
            if (ranks[lowest] == MergeTable.NoRank)
                break;

            ids[lowest] = merges.Merged(ranks[lowest]);
            ids[(lowest + 2)..(pairs + 1)].CopyTo(ids[(lowest + 1)..]);
            ranks[(lowest + 1)..pairs].CopyTo(ranks[lowest..]);
            pairs--;
            if (lowest > 0)
                ranks[lowest - 1] = merges.Rank(ids[lowest - 1], ids[lowest]);
            if (lowest < pairs)
                ranks[lowest] = merges.Rank(ids[lowest], ids[lowest + 1]);
        }
        return pairs + 1;
    }

    /// <summary>The same with a linked list and a heap: n log n, so a word of 100,000 characters takes milliseconds.</summary>
    private static int MergeLong(MergeTable.Lookup merges, Span<int> ids)
    {
        int count = ids.Length;
        int[] links = ArrayPool<int>.Shared.Rent(checked(3 * count));
        // Every merge takes one entry and adds at most two.
        ulong[] entries = ArrayPool<ulong>.Shared.Rent(checked(2 * count));
        var next = links.AsSpan(0, count);
        var previous = links.AsSpan(count, count);
        var ranks = links.AsSpan(2 * count, count);
        var heap = new Heap(entries);
        for (int i = 0; i < count; i++)
        {
            next[i] = i + 1;
            previous[i] = i - 1;
        }
        for (int i = 0; i < count; i++)
            Rank(in merges, ids, next, ranks, i, ref heap);

        while (heap.Count > 0)
        {
            ulong entry = heap.Pop();
            int left = (int)(uint)entry;
            // The pair was joined or changed since.
            if (ranks[left] != (int)(entry >> 32))
                continue;
            int right = next[left];
            ids[left] = merges.Merged(ranks[left]);
            ranks[right] = MergeTable.NoRank;
            next[left] = next[right];
            if (next[left] < count)
                previous[next[left]] = left;
            Rank(in merges, ids, next, ranks, left, ref heap);
            if (previous[left] >= 0)
                Rank(in merges, ids, next, ranks, previous[left], ref heap);
        }

        int written = 0;
        for (int i = 0; i < count; i = next[i])
            ids[written++] = ids[i];
        ArrayPool<int>.Shared.Return(links);
        ArrayPool<ulong>.Shared.Return(entries);
        return written;
    }

    /// <summary>Notes the rank of the pair that begins at a position, and queues it if there is one.</summary>
    private static void Rank(in MergeTable.Lookup merges, ReadOnlySpan<int> ids, ReadOnlySpan<int> next, Span<int> ranks, int left, ref Heap heap)
    {
        int right = next[left];
        ranks[left] = right < ids.Length ? merges.Rank(ids[left], ids[right]) : MergeTable.NoRank;
        if (ranks[left] != MergeTable.NoRank)
            heap.Push((ulong)ranks[left] << 32 | (uint)left);
    }

    /// <summary>A binary heap, the lowest first; an entry is rank × 2^32 + position.</summary>
    private ref struct Heap(Span<ulong> entries)
    {
        private readonly Span<ulong> _entries = entries;

        public int Count { get; private set; }

        public void Push(ulong entry)
        {
            int hole = Count++;
            while (hole > 0 && _entries[hole - 1 >> 1] > entry)
            {
                _entries[hole] = _entries[hole - 1 >> 1];
                hole = hole - 1 >> 1;
            }
            _entries[hole] = entry;
        }

        public ulong Pop()
        {
            ulong top = _entries[0];
            ulong entry = _entries[--Count];
            int hole = 0;
            while (2 * hole + 1 < Count)
            {
                int child = 2 * hole + 1;
                if (child + 1 < Count && _entries[child + 1] < _entries[child])
                    child++;
                if (entry <= _entries[child])
                    break;
                _entries[hole] = _entries[child];
                hole = child;
            }
            _entries[hole] = entry;
            return top;
        }
    }
}
