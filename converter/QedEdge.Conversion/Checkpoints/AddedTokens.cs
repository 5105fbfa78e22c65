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
    private const string Key = "added_tokens";

    private readonly VocabularyTexts _texts;
    private readonly string _path;
    private readonly List<string> _first = [], _second = []; // not normalized ones, and normalized ones

    private AddedTokens(VocabularyTexts texts, string path)
    {
        _texts = texts;
        _path = path;
    }

    /// <summary>Reads them into a vocabulary.</summary>
    /// <param name="list">The value of <c>added_tokens</c>, or null.</param>
    /// <param name="named">Tokens that other files name.</param>
    /// <param name="texts">The vocabulary.</param>
    /// <param name="path">tokenizer.json, for errors.</param>
    /// <exception cref="ModelFormatException">A token is damaged, contradicts the vocabulary, or cannot be looked for exactly.</exception>
    public static void Read(JsonElement? list, IEnumerable<NamedToken> named, VocabularyTexts texts, string path)
    {
        var tokens = new AddedTokens(texts, path);
        if (list is { } added)
            tokens.AddListed(added);
        tokens.AddNamed(named);
        if (tokens._first.Count + tokens._second.Count > CheckpointLimits.AddedTokens)
            throw TooMany(path, Key);
        tokens.CheckOverlaps();
    }

    /// <summary>The error for more tokens than there may be.</summary>
    public static ModelFormatException TooMany(string path, string key) =>
        new(ModelFault.Unsupported, path, $"more than the {CheckpointLimits.AddedTokens} added tokens that a vocabulary may have", key);

    private void AddListed(JsonElement list)
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
            RequireFindable(text, _path, Key);
            foreach (string flag in (ReadOnlySpan<string>)["lstrip", "rstrip", "single_word"])
            {
                if (TokenizerJson.Property(token, flag) is { ValueKind: JsonValueKind.True })
                    throw TokenizerJson.Unsupported(_path, Key, $"'{ModelFormatException.OneLine(text)}' with {flag}");
            }
            if (!_texts.TryAdd(id, text, Key) && _texts.Text(id) != text)
                throw TokenizerJson.Damaged(_path, Key, $"'{ModelFormatException.OneLine(text)}' has the id {id} of another token");
            _texts.SetType(id, TokenizerJson.Property(token, "special") is { ValueKind: JsonValueKind.True } ? TokenType.Control : TokenType.UserDefined);
            (TokenizerJson.Property(token, "normalized") is { ValueKind: JsonValueKind.True } ? _second : _first).Add(text);
        }
    }

    /// <summary>Tokens that other files name are added ones too, if they are in the vocabulary; a new one would have no row in the embedding.</summary>
    private void AddNamed(IEnumerable<NamedToken> named)
    {
        Dictionary<string, int> ids = _texts.Ids();
        foreach (var token in named)
        {
            if (!ids.TryGetValue(token.Text, out int id))
                throw TokenizerJson.Damaged(token.File, token.Key, $"'{ModelFormatException.OneLine(token.Text)}' is no token of {TokenizerJson.FileName}");
            if (token.Id is int other && other != id)
                throw TokenizerJson.Damaged(token.File, token.Key, $"'{ModelFormatException.OneLine(token.Text)}' has the id {other} here and {id} in {TokenizerJson.FileName}");
            TokenType type = _texts.Type(id);
            if (type == TokenType.Normal)
            {
                RequireFindable(token.Text, token.File, token.Key);
                (token.Normalized ? _second : _first).Add(token.Text);
            }
            _texts.SetType(id, token.Special || type == TokenType.Control ? TokenType.Control : TokenType.UserDefined);
        }
    }

    /// <summary>As text it is this character, in the vocabulary's alphabet it is one byte: an id cannot be both. And what is looked for has a longest text.</summary>
    private static void RequireFindable(string text, string path, string key)
    {
        if (text.Length == 1 && ByteAlphabet.Decode(Encoding.UTF8.GetBytes(text), new byte[ByteAlphabet.MaxSymbolBytes]) == 1)
            throw TokenizerJson.Unsupported(path, key, $"'{ModelFormatException.OneLine(text)}', a symbol of the byte alphabet as an added token,");
        if (Encoding.UTF8.GetByteCount(text) > CheckpointLimits.AddedTokenBytes)
            throw TokenizerJson.Unsupported(path, key, $"an added token of {Encoding.UTF8.GetByteCount(text)} bytes, more than {CheckpointLimits.AddedTokenBytes},");
    }

    /// <summary>
    /// Hugging Face looks for the tokens that are not normalized first, in the whole text, and for the others in what is left. That
    /// is the same as looking for all at once, leftmost-longest, as long as none of the first can overlap one of the second.
    /// </summary>
    private void CheckOverlaps()
    {
        if (_first.Count == 0 || _second.Count == 0)
            return;
        SortedTexts first = new(_first), second = new(_second);
        foreach (string text in _first)
        {
            if (Overlapped(text, second) is { } normalized)
                throw Refusal(text, normalized);
        }
        foreach (string text in _second)
        {
            if (Overlapped(text, first) is { } other)
                throw Refusal(other, text);
        }

        ModelFormatException Refusal(string one, string normalized) => TokenizerJson.Unsupported(_path, Key,
            $"'{ModelFormatException.OneLine(one)}' and the normalized '{ModelFormatException.OneLine(normalized)}', which can overlap,");
    }

    /// <summary>One of some texts that begins within another one, ending there or reaching beyond it; or null.</summary>
    private static string? Overlapped(string text, SortedTexts others)
    {
        for (int begin = 0; begin < text.Length; begin++)
        {
            if ((others.LongestBeginning(text.AsSpan(begin)) ?? others.Longer(text.AsSpan(begin))) is { } other)
                return other;
        }
        return null;
    }
}
