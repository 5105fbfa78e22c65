using System.Text;
using System.Text.Json;
using QedEdge.Gguf;
using QedEdge.Text;

namespace QedEdge.Conversion.Checkpoints;

/// <summary>
/// The tokens that are recognised in text as a whole: <c>added_tokens</c> of tokenizer.json, and those that a checkpoint's other files name.
/// </summary>
internal sealed class AddedTokens
{
    public const string Key = "added_tokens";

    private readonly VocabularyTexts _texts;
    private readonly bool _isByteLevel;
    private readonly string _path;
    private readonly SortedDictionary<int, AddedToken> _added = [];
    private readonly HashSet<string> _withoutRow = [];

    private AddedTokens(VocabularyTexts texts, bool isByteLevel, string path)
    {
        _texts = texts;
        _isByteLevel = isByteLevel;
        _path = path;
    }

    /// <summary>Reads them into a vocabulary, and returns how they are looked for.</summary>
    /// <param name="list">The value of <c>added_tokens</c>, or null.</param>
    /// <param name="named">Tokens that other files name.</param>
    /// <param name="texts">The vocabulary.</param>
    /// <param name="isByteLevel">Whether its texts are written in the byte alphabet.</param>
    /// <param name="vocabSize">Ids the model has, or 0.</param>
    /// <param name="path">tokenizer.json, for errors.</param>
    /// <param name="warnings">Takes what the user should know.</param>
    /// <exception cref="ModelFormatException">A token is damaged, contradicts the vocabulary, or cannot be looked for exactly.</exception>
    public static AddedToken[] Read(JsonElement? list, IEnumerable<NamedToken> named, VocabularyTexts texts, bool isByteLevel, int vocabSize, string path, List<string> warnings)
    {
        var tokens = new AddedTokens(texts, isByteLevel, path);
        if (list is { } added)
            tokens.AddListed(added, vocabSize, warnings);
        tokens.AddNamed(named);
        if (tokens._added.Count > CheckpointLimits.AddedTokens)
            throw TooMany(path, Key);
        return [.. tokens._added.Values];
    }

    /// <summary>The error for more tokens than there may be.</summary>
    public static ModelFormatException TooMany(string path, string key) =>
        new(ModelFault.Unsupported, path, $"more than the {CheckpointLimits.AddedTokens} added tokens that a vocabulary may have", key);

    private void AddListed(JsonElement list, int vocabSize, List<string> warnings)
    {
        if (list.ValueKind != JsonValueKind.Array)
            throw TokenizerJson.Damaged(_path, Key, "the value is no array");
        if (list.GetArrayLength() > CheckpointLimits.AddedTokens)
            throw TooMany(_path, Key);
        foreach (JsonElement token in list.EnumerateArray())
        {
            if (TokenizerJson.Property(token, "id") is not { ValueKind: JsonValueKind.Number } number || !number.TryGetInt32(out int id) || id is < 0 or >= GgufLimits.Size
                || TokenizerJson.Property(token, "content") is not { } content || TokenizerJson.Text(content, Key, _path) is not { Length: > 0 } text)
            {
                throw TokenizerJson.Damaged(_path, Key, "a token has no usable id or content");
            }
            if (vocabSize > 0 && id >= vocabSize && !_texts.Contains(id))
            {
                // Gemma 3 names a token for pictures that its text models have no row for.
                _withoutRow.Add(text);
                continue;
            }
            RequireFindable(text, _path, Key);
            if (!_texts.TryAdd(id, text, Key) && _texts.Text(id) != text)
                throw TokenizerJson.Damaged(_path, Key, $"'{ModelFormatException.OneLine(text)}' has the id {id} of another token");
            _texts.SetType(id, Flag(token, "special") ? TokenType.Control : TokenType.UserDefined);
            _added[id] = new AddedToken(id, Flag(token, "normalized"), Flag(token, "lstrip"), Flag(token, "rstrip"));
        }
        if (_withoutRow.Count > 0)
        {
            string names = string.Join(", ", _withoutRow.Take(3).Select(static text => $"'{ModelFormatException.OneLine(text)}'"));
            warnings.Add($"{TokenizerJson.FileName} has added tokens that the model has no row for; they are left out: {names}{(_withoutRow.Count > 3 ? $" and {_withoutRow.Count - 3} more" : "")}");
        }

        static bool Flag(JsonElement token, string name) => TokenizerJson.Property(token, name) is { ValueKind: JsonValueKind.True };
    }

    /// <summary>Tokens that other files name are added ones too, if they are in the vocabulary; a new one would have no row in the embedding.</summary>
    private void AddNamed(IEnumerable<NamedToken> named)
    {
        Dictionary<string, int> ids = _texts.Ids();
        foreach (var token in named)
        {
            if (_withoutRow.Contains(token.Text))
                continue;
            if (!ids.TryGetValue(token.Text, out int id))
                throw TokenizerJson.Damaged(token.File, token.Key, $"'{ModelFormatException.OneLine(token.Text)}' is no token of {TokenizerJson.FileName}");
            if (token.Id is int other && other != id)
                throw TokenizerJson.Damaged(token.File, token.Key, $"'{ModelFormatException.OneLine(token.Text)}' has the id {other} here and {id} in {TokenizerJson.FileName}");
            TokenType type = _texts.Type(id);
            if (type == TokenType.Normal)
            {
                RequireFindable(token.Text, token.File, token.Key);
                _added[id] = new AddedToken(id, token.Normalized, token.StripsLeft, token.StripsRight);
            }
            _texts.SetType(id, token.Special || type == TokenType.Control ? TokenType.Control : TokenType.UserDefined);
        }
    }

    /// <summary>As text it is this character, in the vocabulary's alphabet it is one byte: an id cannot be both. And what is looked for has a longest text.</summary>
    private void RequireFindable(string text, string path, string key)
    {
        if (_isByteLevel && text.Length == 1 && ByteAlphabet.Decode(Encoding.UTF8.GetBytes(text), new byte[ByteAlphabet.MaxSymbolBytes]) == 1)
            throw TokenizerJson.Unsupported(path, key, $"'{ModelFormatException.OneLine(text)}', a symbol of the byte alphabet as an added token,");
        if (Encoding.UTF8.GetByteCount(text) > CheckpointLimits.AddedTokenBytes)
            throw TokenizerJson.Unsupported(path, key, $"an added token of {Encoding.UTF8.GetByteCount(text)} bytes, more than {CheckpointLimits.AddedTokenBytes},");
    }
}
