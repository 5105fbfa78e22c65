using System.IO.Hashing;

namespace QedEdge.Text;

/// <summary>
/// What words that are no token of their own became: language repeats its words. As many words as there are slots at most, the last one of each; for any number of threads, since an
/// entry never changes once it stands.
/// </summary>
internal sealed class WordCache
{
    /// <summary>Bytes of the longest word that is kept: few longer ones come again.</summary>
    public const int LongestWord = 32;

    private const int Slots = 1 << 12;
    private readonly Entry?[] _entries = new Entry?[Slots];

    /// <summary>The ids of a word, or an empty span.</summary>
    public ReadOnlySpan<int> Find(ReadOnlySpan<byte> word, out int slot)
    {
        slot = (int)(XxHash3.HashToUInt64(word) & Slots - 1);
        Entry? entry = Volatile.Read(ref _entries[slot]);
        return entry is not null && word.SequenceEqual(entry.Word) ? entry.Ids : default;
    }

    /// <summary>Keeps a word.</summary>
    public void Set(int slot, ReadOnlySpan<byte> word, ReadOnlySpan<int> ids) => Volatile.Write(ref _entries[slot], new Entry(word.ToArray(), ids.ToArray()));

    private sealed class Entry(byte[] word, int[] ids)
    {
        public readonly byte[] Word = word;
        public readonly int[] Ids = ids;
    }
}
