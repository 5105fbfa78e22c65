using QedEdge.Architectures;
using QedEdge.Memory;

namespace QedEdge.Model;

/// <summary>The tokens of one context, as attention sees them: ids, mask, keys and values.</summary>
internal sealed class Sequence : IDisposable
{
    private readonly int[] _ids;   // by slot
    private readonly byte[] _mask; // by slot; only used where the window does not slide

    /// <summary>An empty sequence.</summary>
    public Sequence(SlotMap window, LayerShape[] layers, KvFormat format, int logits)
    {
        Window = window;
        Cache = new KvCache(window, layers, format);
        Logits = new AlignedBuffer<float>(logits);
        _ids = new int[window.Slots];
        _mask = new byte[window.Slots];
    }

    /// <summary>Which slots hold what, but for layers with a window of their own (<see cref="KvCache.Map"/>).</summary>
    public SlotMap Window { get; }

    /// <summary>Keys and values.</summary>
    public KvCache Cache { get; }

    /// <summary>Tokens stored so far, those included that left the window.</summary>
    public int Count { get; private set; }

    /// <summary>High-water mark: <see cref="Count"/> until the ring buffer wraps around; from then on one past the last token ever stored, because a rollback cannot restore what it overwrote.</summary>
    public int Reach { get; private set; }

    /// <summary>A byte per slot (0: padding, not attended to), or empty where all count.</summary>
    public ReadOnlySpan<byte> Mask => Masked ? _mask : default;

    /// <summary>Whether the last mask given had zeros.</summary>
    public bool Masked { get; private set; }

    /// <summary>Whether keys and values are those that feeding the ids alone gives: no mask, no given positions, nothing taken out of the middle.</summary>
    public bool Plain { get; set; } = true;

    /// <summary>The ids of the tokens, by slot: all slots once they wrapped around.</summary>
    public ReadOnlySpan<int> Ids => _ids.AsSpan(0, Window.Held(Count, Reach));

    /// <summary>Whether a sequence of another window can go on as this one; masks and given positions mean nothing once tokens leave.</summary>
    public bool Accepts(SlotMap window, int count, int reach, bool plain) => Window.Holds(window, count, reach) && Cache.CanTake(reach) && (plain || window.Slides || !Window.Slides);

    /// <summary>Whether the tokens from <paramref name="position"/> on can be taken back: what a token there sees is still there in every layer.</summary>
    public bool CanReturn(int position) => position == Count || Cache.CanReturn(Reach, position);

    /// <summary>How many of the first tokens are those given; 0 once the slots wrapped around, and where they are not <see cref="Plain"/>.</summary>
    public int CommonPrefix(ReadOnlySpan<int> tokens) => !Plain || Reach > Window.Slots ? 0 : Ids.CommonPrefixLength(tokens);

    /// <summary>Logits after the last token fed [padded vocabulary size].</summary>
    public AlignedBuffer<float> Logits { get; }

    /// <summary>Whether they are those of the last token.</summary>
    public bool HasLogits { get; set; }

    /// <summary>Takes the mask over all tokens, new ones included, or none: then what an earlier mask left out stays out and the new ones count.</summary>
    public void TakeMask(ReadOnlySpan<byte> mask, int added)
    {
        if (!mask.IsEmpty)
        {
            mask.CopyTo(_mask);
            Masked = mask.Contains((byte)0);
        }
        else if (!Window.Slides)
        {
            _mask.AsSpan(Count, added).Fill(1);
        }
    }

    /// <summary>Says that keys and values of the next tokens are about to be stored.</summary>
    public void Expect(int added)
    {
        if (Count + added > Cache.LeastSlots)
            Reach = Math.Max(Reach, Count + added);
    }

    /// <summary>Records tokens whose keys and values are stored.</summary>
    public void Append(ReadOnlySpan<int> ids)
    {
        foreach (int id in ids)
            _ids[Window.Slot(Count++)] = id;
        Reach = Math.Max(Reach, Count);
    }

    /// <summary>Forgets everything from a token on.</summary>
    public void Truncate(int count)
    {
        Count = count;
        if (count == 0 || Reach <= Cache.LeastSlots)
            Reach = count;
        HasLogits = false;
        if (count == 0)
        {
            Plain = true;
            Masked = false;
        }
    }

    /// <summary>Takes tokens out of the middle; keys and values are the caller's to move.</summary>
    public void Remove(int begin, int count)
    {
        Span<int> ids = _ids.AsSpan(0, Count);
        Span<byte> mask = _mask.AsSpan(0, Count);
        ids[(begin + count)..].CopyTo(ids[begin..]);
        mask[(begin + count)..].CopyTo(mask[begin..]);
        Reach = Count -= count;
        Plain = false;
    }

    /// <summary>Becomes what was saved or copied; keys and values are the caller's to fill in.</summary>
    public void Restore(int count, int reach, bool plain, ReadOnlySpan<int> ids, ReadOnlySpan<byte> mask, ReadOnlySpan<float> logits)
    {
        Plain = plain;
        ids.CopyTo(_ids);
        mask.CopyTo(_mask);
        Masked = !mask.IsEmpty;
        if (!Masked)
            _mask.AsSpan(0, ids.Length).Fill(1);
        Count = count;
        Reach = reach;
        HasLogits = !logits.IsEmpty;
        logits.CopyTo(Logits.Span);
    }

    /// <summary>Becomes a copy of another sequence of the same window and storage.</summary>
    public void CopyFrom(Sequence other)
    {
        Cache.CopyFrom(other.Cache, other.Count, other.Reach);
        Restore(other.Count, other.Reach, other.Plain, other.Ids, other.Masked ? other._mask.AsSpan(0, other.Ids.Length) : default, other.HasLogits ? other.Logits.Span : default);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        Cache.Dispose();
        Logits.Dispose();
    }
}
