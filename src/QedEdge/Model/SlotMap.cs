namespace QedEdge.Model;

/// <summary>
/// Where tokens stand in the cache, and which of them a token sees. Token i lives in slot i until the slots are used up; a window that
/// slides then wraps around, the first <see cref="Sinks"/> slots excepted, which keep the first tokens for good (attention sinks: Xiao et al. 2023).
/// A token sees the sinks and the tokens that fit beside them into the capacity, itself the last. There are more slots than that, so that
/// the tokens of one batch do not overwrite what the earlier ones among them still see.
/// </summary>
internal readonly struct SlotMap
{
    /// <summary>The most sinks.</summary>
    public const int MaxSinks = 64;

    /// <summary>A window of <paramref name="capacity"/> tokens.</summary>
    public SlotMap(int capacity, bool slides, int sinks)
    {
        Capacity = capacity;
        Slides = slides;
        Sinks = slides ? sinks : 0;
        Slots = Workspace.PadRows(slides ? capacity + Workspace.BatchSize - 1 : capacity);
    }

    /// <summary>The ring of a layer with a window of its own.</summary>
    private SlotMap(int seen, int? most)
    {
        Capacity = seen;
        Slides = true;
        Slots = Math.Min(RingSlots(seen), most ?? int.MaxValue);
    }

    /// <summary>Tokens that attention takes at most.</summary>
    public int Capacity { get; }

    /// <summary>Whether tokens beyond the capacity take the place of the oldest.</summary>
    public bool Slides { get; }

    /// <summary>First tokens that stay.</summary>
    public int Sinks { get; }

    /// <summary>Places in the cache, a multiple of 8.</summary>
    public int Slots { get; }

    private int Ring => Slots - Sinks;

    /// <summary>Slots of a layer that sees so many tokens: for these and a batch, in whole chunks; what is more makes room for taking tokens back.</summary>
    public static int RingSlots(int seen) => (int)(((long)seen + Workspace.BatchSize - 1 + KvCache.ChunkSize - 1) / KvCache.ChunkSize * KvCache.ChunkSize);

    /// <summary>The slots of a layer with a window of its own, where that is narrower: sinks are not seen there, unless they are in the window.</summary>
    public SlotMap OfLayer(int? window) => window is int seen && seen < Capacity ? new SlotMap(seen, Slides ? null : Slots) : this;

    /// <summary>The first slot that token <paramref name="index"/> or a later one may see when <paramref name="count"/> tokens are stored.</summary>
    public int Begin(int index, int count) => Sinks > 0 || count > Slots ? 0 : Math.Max(0, index - Capacity + 1);

    /// <summary>The token in a slot when <paramref name="count"/> tokens are stored, more than there are slots; without sinks.</summary>
    public int Token(int slot, int count)
    {
        int newest = count - 1, back = Slot(newest) - slot;
        return newest - (back < 0 ? back + Slots : back);
    }

    /// <summary>The slot of token <paramref name="index"/>.</summary>
    public int Slot(int index) => index < Slots ? index : Sinks + (index - Sinks) % Ring;

    /// <summary>Whether a token no longer sees all before it, so that the sinks move along with it.</summary>
    public bool IsPast(int index) => index >= Capacity;

    /// <summary>One past the last slot that token <paramref name="index"/> may see when <paramref name="count"/> tokens are stored.</summary>
    public int End(int index, int count) => count > Slots ? Slots : index + 1;

    /// <summary>Whether what a token at <paramref name="position"/> sees is still there when token <paramref name="reach"/> − 1 was the last ever stored.</summary>
    public bool CanReturn(int reach, int position) => position == 0 || position >= EarliestReturn(reach);

    /// <summary>The earliest position that can be returned to, but for 0.</summary>
    public int EarliestReturn(int reach) => reach <= Slots ? 0 : reach - (Ring - (Capacity - Sinks)) - 1;

    /// <summary>Slots that hold tokens: all once they wrapped around.</summary>
    public int Held(int count, int reach) => reach > Slots ? Slots : count;

    /// <summary>Whether a sequence of another window can go on in this one: nothing has slid there nor would have here, or the windows are the same.</summary>
    public bool Holds(SlotMap other, int count, int reach) =>
        (count <= Math.Min(Capacity, other.Capacity) && reach <= other.Slots) || (other.Slides == Slides && other.Capacity == Capacity && other.Sinks == Sinks);

    /// <summary>Which of the slots <paramref name="begin"/> .. + <paramref name="length"/> token <paramref name="index"/> sees when <paramref name="count"/> tokens are stored.</summary>
    /// <param name="index">The token that looks.</param>
    /// <param name="count">Tokens stored, later ones of its batch included.</param>
    /// <param name="begin">The first slot.</param>
    /// <param name="length">How many slots.</param>
    /// <param name="mask">Receives 1 for each slot that is seen and 0 for the others, where they are not all the same.</param>
    /// <returns>How many from the first on are seen, if those are all; otherwise −1, and the mask says which.</returns>
    public int Visible(int index, int count, int begin, int length, Span<byte> mask)
    {
        // Slots up to the newest token's hold this round's tokens, those behind it the round before's.
        int newest = count - 1, head = Slot(newest), oldest = Math.Max(Sinks, index - (Capacity - Sinks) + 1), end = begin + length;
        int round = newest - head; // a token's index in this round less its slot
        (int Begin, int End) sinks = Clip(0, Math.Min(Sinks, index + 1), begin, end);
        (int Begin, int End) now = Clip(Math.Max(Sinks, oldest - round), Math.Min(head, index - round) + 1, begin, end);
        (int Begin, int End) before = Clip(Math.Max(head + 1, oldest - round + Ring), Math.Min(Slots - 1, index - round + Ring) + 1, begin, end);
        int seen = sinks.End - sinks.Begin + (now.End - now.Begin) + (before.End - before.Begin);
        int run = begin;
        foreach ((int from, int to) in (ReadOnlySpan<(int, int)>)[sinks, now, before])
            run = from == run ? to : run;
        if (run - begin == seen)
            return seen;
        mask[..length].Clear();
        mask[(sinks.Begin - begin)..(sinks.End - begin)].Fill(1);
        mask[(now.Begin - begin)..(now.End - begin)].Fill(1);
        mask[(before.Begin - begin)..(before.End - begin)].Fill(1);
        return -1;
    }

    /// <summary>The part of from .. to within begin .. end; empty at begin if there is none.</summary>
    private static (int Begin, int End) Clip(int from, int to, int begin, int end)
    {
        from = Math.Max(from, begin);
        to = Math.Min(to, end);
        return from < to ? (from, to) : (begin, begin);
    }
}
