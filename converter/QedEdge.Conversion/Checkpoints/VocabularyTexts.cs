using System.Text;
using QedEdge.Text;

namespace QedEdge.Conversion.Checkpoints;

/// <summary>A vocabulary as it is read: each id's text, type, and the key of tokenizer.json that gave it.</summary>
/// <param name="path">tokenizer.json, for errors.</param>
internal sealed class VocabularyTexts(string path)
{
    private readonly SortedDictionary<int, (string Text, TokenType Type, string Key)> _entries = [];

    /// <summary>Whether an id has a text.</summary>
    public bool Contains(int id) => _entries.ContainsKey(id);

    /// <summary>An id's text.</summary>
    public string Text(int id) => _entries[id].Text;

    /// <summary>An id's type.</summary>
    public TokenType Type(int id) => _entries[id].Type;

    /// <summary>Adds a normal token, unless the id has a text already.</summary>
    /// <param name="id">The id.</param>
    /// <param name="text">Its text, not empty.</param>
    /// <param name="key">The key that gives it.</param>
    /// <exception cref="ModelFormatException">The text is too long.</exception>
    public bool TryAdd(int id, string text, string key)
    {
        if (Encoding.UTF8.GetByteCount(text) is > CheckpointLimits.TokenBytes and var bytes)
            throw new ModelFormatException(ModelFault.Unsupported, path, $"token {id} has {bytes} bytes, more than the {CheckpointLimits.TokenBytes} that one may have", key);
        return _entries.TryAdd(id, (text, TokenType.Normal, key));
    }

    /// <summary>Gives an id another type.</summary>
    public void SetType(int id, TokenType type) => _entries[id] = _entries[id] with { Type = type };

    /// <summary>Gives the tokens of byte fallback their type.</summary>
    public void MarkBytes()
    {
        foreach (int id in _entries.Keys.ToArray())
        {
            if (Type(id) == TokenType.Normal && PieceDecoder.ByteOf(Encoding.UTF8.GetBytes(Text(id))) >= 0)
                SetType(id, TokenType.Byte);
        }
    }

    /// <summary>The first id of each text.</summary>
    public Dictionary<string, int> Ids()
    {
        var ids = new Dictionary<string, int>();
        foreach (var (id, entry) in _entries)
            ids.TryAdd(entry.Text, id);
        return ids;
    }

    /// <summary>The table of a vocabulary.</summary>
    /// <param name="vocabSize">Ids the model has; 0 for as many as there are texts.</param>
    /// <exception cref="ModelFormatException">There are no texts, an id is outside the model, or two have one text.</exception>
    public TokenTable ToTable(int vocabSize)
    {
        if (_entries.Count == 0)
            throw TokenizerJson.Damaged(path, TokenizerJson.Vocabulary, "the vocabulary is empty");
        int count = _entries.Keys.Max() + 1;
        if (vocabSize != 0 && count > vocabSize)
            throw TokenizerJson.Damaged(path, _entries[count - 1].Key, $"id {count - 1} ('{ModelFormatException.OneLine(Text(count - 1))}') is outside the model's vocabulary of {vocabSize} (vocab_size in config.json)");
        count = Math.Max(count, vocabSize);
        using var bytes = new MemoryStream();
        var ends = new int[count];
        var types = new TokenType[count];
        for (int id = 0; id < count; id++)
        {
            // Rows of the embedding that no text leads to: other tools give them such names too.
            (string text, types[id], _) = _entries.TryGetValue(id, out var entry) ? entry : ($"[PAD{id}]", TokenType.Unused, "");
            bytes.Write(Encoding.UTF8.GetBytes(text));
            ends[id] = checked((int)bytes.Length); // no more than the file has, and a name for each row
        }
        var table = new TokenTable(bytes.ToArray(), ends, types);
        if (table.Duplicate < 0)
            return table;
        string key = _entries.TryGetValue(table.Duplicate, out var duplicate) ? duplicate.Key : TokenizerJson.Vocabulary;
        throw TokenizerJson.Damaged(path, key, $"token {table.Duplicate} has the text of an earlier one, '{ModelFormatException.OneLine(Encoding.UTF8.GetString(table.Text(table.Duplicate)))}'");
    }
}
