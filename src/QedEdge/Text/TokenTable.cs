using System.IO.Hashing;
using QedEdge.Gguf;

namespace QedEdge.Text;

/// <summary>The vocabulary: each id's text and type, and a way back from text to id. Immutable.</summary>
internal sealed class TokenTable
{
    // Without it, a hostile file could choose texts that all fall into one slot.
    private static readonly long Seed = Random.Shared.NextInt64();

    private readonly byte[] _texts;
    private readonly int[] _ends;
    private readonly TokenType[] _types;
    private readonly HashSlots _slots;

    /// <summary>Takes over the arrays and indexes the texts.</summary>
    /// <param name="texts">All texts in UTF-8, one behind the other, in id order.</param>
    /// <param name="ends">Where each id's text ends; 1 to <see cref="GgufLimits.Size"/> entries.</param>
    /// <param name="types">Each id's type.</param>
    public TokenTable(byte[] texts, int[] ends, TokenType[] types)
    {
        _texts = texts;
        _ends = ends;
        _types = types;
        _slots = new HashSlots(ends.Length);
        Duplicate = -1;
        for (int id = 0; id < ends.Length; id++)
        {
            var text = Text(id);
            LongestText = Math.Max(LongestText, text.Length);
            ulong hash = XxHash3.HashToUInt64(text, Seed);
            int slot = Search(text, hash, out int found);
            if (found >= 0)
                Duplicate = id;
            else
                _slots.Set(slot, id, hash);
        }
    }

    /// <summary>The number of ids.</summary>
    public int Count => _ends.Length;

    /// <summary>An id whose text an earlier id has too, or -1. A table with one must not be used.</summary>
    public int Duplicate { get; }

    /// <summary>The length of the longest text, in bytes.</summary>
    public int LongestText { get; }

    /// <summary>An id's text as the vocabulary has it (UTF-8; normal tokens in the byte alphabet).</summary>
    public ReadOnlySpan<byte> Text(int id)
    {
        int start = id == 0 ? 0 : _ends[id - 1];
        return _texts.AsSpan(start, _ends[id] - start);
    }

    /// <summary>An id's type.</summary>
    public TokenType Type(int id) => _types[id];

    /// <summary>Whether an id is a special token: decoding leaves it out, and text from strangers does not give it.</summary>
    public bool IsSpecial(int id) => _types[id] is TokenType.Control or TokenType.Unknown;

    /// <summary>The id with this text, or -1.</summary>
    public int Find(ReadOnlySpan<byte> text)
    {
        Search(text, XxHash3.HashToUInt64(text, Seed), out int found);
        return found;
    }

    /// <summary>Finds a text's id, or the empty slot where it belongs.</summary>
    private int Search(ReadOnlySpan<byte> text, ulong hash, out int found)
    {
        int slot = _slots.First(hash);
        for (uint word; (word = _slots.Word(slot)) != 0; slot = _slots.Next(slot))
        {
            if (_slots.MayHold(word, hash) && text.SequenceEqual(Text(_slots.Item(word))))
            {
                found = _slots.Item(word);
                return slot;
            }
        }
        found = -1;
        return slot;
    }
}
