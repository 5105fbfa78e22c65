using System.IO.Hashing;
using QedEdge.Gguf;

namespace QedEdge.Text;

/// <summary>The vocabulary: each id's text and type, and a way back from text to id. Immutable.</summary>
internal sealed class TokenTable
{
    // Without it, a hostile file could choose texts that all fall into one slot. Slots that are stored are found without, and each search in them has an end.
    private static readonly long Secret = Random.Shared.NextInt64();

    private readonly GgufArray? _stored; // texts in a file, or:
    private readonly byte[] _texts;
    private readonly int[] _ends;
    private readonly TokenType[] _types;
    private readonly Numbers _slots;
    private readonly long _seed;
    private readonly int _probes;

    /// <summary>Takes over the arrays and indexes the texts.</summary>
    /// <param name="texts">All texts in UTF-8, one behind the other, in id order.</param>
    /// <param name="ends">Where each id's text ends; 1 to <see cref="GgufLimits.Size"/> entries.</param>
    /// <param name="types">Each id's type.</param>
    public TokenTable(byte[] texts, int[] ends, TokenType[] types)
        : this(null, texts, ends, types)
    {
        (_seed, _probes) = (Secret, int.MaxValue);
        _slots = Index(_seed, out int duplicate, out _);
        Duplicate = duplicate;
    }

    /// <summary>Uses texts where they lie in a file.</summary>
    /// <param name="texts">The texts in id order.</param>
    /// <param name="types">Each id's type.</param>
    /// <param name="slots">What <see cref="StoredSlots"/> gave when they were stored, or null: they are indexed.</param>
    public TokenTable(GgufArray texts, TokenType[] types, GgufArray? slots)
        : this(texts, [], [], types)
    {
        if (slots is null)
        {
            (_seed, _probes) = (Secret, int.MaxValue);
            _slots = Index(_seed, out int duplicate, out _);
            Duplicate = duplicate;
            return;
        }
        (_slots, _probes, Duplicate) = (Numbers.Of(slots), HashSlots.MostProbes, -1);
    }

    private TokenTable(GgufArray? stored, byte[] texts, int[] ends, TokenType[] types)
    {
        (_stored, _texts, _ends, _types) = (stored, texts, ends, types);
        for (int id = 0; id < types.Length; id++)
            LongestText = Math.Max(LongestText, Text(id).Length);
    }

    /// <summary>Keeps the file in which the texts lie, if they do, while a call reads them.</summary>
    /// <exception cref="ObjectDisposedException">The file was closed.</exception>
    public FileHold Hold() => new(_stored?.File);

    /// <summary>The number of ids.</summary>
    public int Count => _types.Length;

    /// <summary>An id whose text an earlier id has too, or -1. A table with one must not be used.</summary>
    public int Duplicate { get; }

    /// <summary>The length of the longest text, in bytes.</summary>
    public int LongestText { get; }

    /// <summary>An id's text as the vocabulary has it (UTF-8; normal tokens in the byte alphabet). Of a file, valid while it is open.</summary>
    public ReadOnlySpan<byte> Text(int id)
    {
        if (_stored is not null)
            return _stored.Utf8(id);
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
        var slots = new HashSlots(_slots.Span, Count);
        ulong hash = XxHash3.HashToUInt64(text, _seed);
        int slot = slots.First(hash);
        for (int probes = _probes; slots.Word(slot) is not 0 and var word && probes > 0; slot = slots.Next(slot), probes--)
        {
            int id = slots.Item(word, hash);
            if (id >= 0 && text.SequenceEqual(Text(id)))
                return id;
        }
        return -1;
    }

    /// <summary>Slots to store with the texts, or null where one of them would be too far away.</summary>
    public uint[]? StoredSlots()
    {
        uint[] slots = Index(0, out _, out int probes);
        return probes <= HashSlots.MostProbes ? slots : null;
    }

    /// <summary>A call's lease of a file.</summary>
    public readonly ref struct FileHold
    {
        private readonly GgufFile? _file;

        /// <summary>Takes it.</summary>
        public FileHold(GgufFile? file)
        {
            file?.Retain();
            _file = file;
        }

        /// <summary>Releases it.</summary>
        public void Dispose() => _file?.Release();
    }

    private uint[] Index(long seed, out int duplicate, out int most) => HashSlots.Fill(new TextItems(this, seed), Count, out duplicate, out most);

    private readonly struct TextItems(TokenTable table, long seed) : HashSlots.IItems
    {
        public ulong Hash(int item) => XxHash3.HashToUInt64(table.Text(item), seed);

        public bool AreSame(int one, int other) => table.Text(one).SequenceEqual(table.Text(other));
    }
}
