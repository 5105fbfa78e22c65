using System.Text;
using System.Text.Json;
using QedEdge.Text;

namespace QedEdge.Conversion.Checkpoints;

/// <summary>
/// Reads a Hugging Face <c>tokenizer.json</c>. What this tokenizer cannot do exactly is refused by name: a tokenizer that is
/// nearly right makes a model quietly worse.
/// </summary>
internal static class TokenizerJson
{
    /// <summary>The file's name in a checkpoint.</summary>
    public const string FileName = "tokenizer.json";

    /// <summary>Reads a tokenizer.</summary>
    /// <param name="path">The file.</param>
    /// <param name="config">The checkpoint's special ids and vocabulary size; ids the file does not define become unused.</param>
    /// <param name="chatTemplate">The chat template to carry along, or null.</param>
    /// <exception cref="ModelFormatException">The file is damaged, or asks for something this version cannot do exactly.</exception>
    public static TokenizerData Read(string path, CheckpointConfig config, string? chatTemplate)
    {
        using JsonDocument document = CheckpointFiles.ReadObject(path);
        TokenizerData data = Read(document.RootElement, path, config.VocabSize);
        return new TokenizerData
        {
            Tokens = data.Tokens,
            Merges = data.Merges,
            PreTokenizer = data.PreTokenizer,
            UnkId = data.UnkId,
            BosId = config.BosId ?? -1,
            EosId = config.EosId ?? -1,
            PadId = config.PadId ?? -1,
            AddBos = config.BosId is not null,
            ChatTemplate = chatTemplate,
        };
    }

    /// <summary>Reads vocabulary, merges and pre-tokenizer.</summary>
    /// <param name="root">The file's object.</param>
    /// <param name="path">The file's name, for errors.</param>
    /// <param name="vocabSize">Ids the model has; 0 for as many as the file defines.</param>
    internal static TokenizerData Read(JsonElement root, string path, int vocabSize)
    {
        if (Property(root, "normalizer") is { } normalizer)
            throw Unsupported(path, "normalizer", $"normalizer '{TypeName(normalizer, path)}'");
        PreTokenizer preTokenizer = ReadPreTokenizer(Property(root, "pre_tokenizer"), path);
        if (Property(root, "decoder") is not { } decoder || TypeName(decoder, path) != "ByteLevel")
            throw Unsupported(path, "decoder", "any decoder but 'ByteLevel'");
        if (Property(root, "model") is not { } model)
            throw Damaged(path, "model", "the key is missing");
        CheckModel(model, path);
        CheckPostProcessor(Property(root, "post_processor"), path);

        var texts = new SortedDictionary<int, (string Text, TokenType Type)>();
        ReadVocabulary(model, texts, path);
        ReadAddedTokens(Property(root, "added_tokens"), texts, path);
        TokenTable tokens = Table(texts, vocabSize, path);
        int unknown = -1;
        if (Property(model, "unk_token") is { } text)
        {
            unknown = tokens.Find(Encoding.UTF8.GetBytes(Text(text, "model.unk_token", path)));
            if (unknown < 0)
                throw Damaged(path, "model.unk_token", "the token is not in the vocabulary");
        }
        return new TokenizerData { Tokens = tokens, Merges = ReadMerges(model, tokens, path), PreTokenizer = preTokenizer, UnkId = unknown };
    }

    private static void CheckModel(JsonElement model, string path)
    {
        // Older files leave the type out; a model with merges can only be BPE.
        if (Property(model, "type") is { } type && Text(type, "model.type", path) is not "BPE" and string other)
            throw Unsupported(path, "model.type", $"model '{ModelFormatException.OneLine(other)}'");
        if (Property(model, "dropout") is { } dropout && (dropout.ValueKind != JsonValueKind.Number || dropout.GetDouble() != 0))
            throw Unsupported(path, "model.dropout", "dropout");
        foreach (string key in (ReadOnlySpan<string>)["continuing_subword_prefix", "end_of_word_suffix"])
        {
            if (Property(model, key) is { } affix && Text(affix, $"model.{key}", path) != "")
                throw Unsupported(path, $"model.{key}", key);
        }
        foreach (string key in (ReadOnlySpan<string>)["byte_fallback", "ignore_merges", "fuse_unk"])
        {
            if (Property(model, key) is { ValueKind: JsonValueKind.True })
                throw Unsupported(path, $"model.{key}", key);
        }
    }

    /// <summary>Only begin- and end-of-text may be put around a text, and the runtime does that itself.</summary>
    private static void CheckPostProcessor(JsonElement? element, string path)
    {
        const string key = "post_processor";
        // The byte-level one only moves offsets.
        if (element is not { } processor || TypeName(processor, path) == "ByteLevel")
            return;
        if (TypeName(processor, path) != "TemplateProcessing")
            throw Unsupported(path, key, $"post-processor '{TypeName(processor, path)}'");
        string[] parts = Property(processor, "single") is { ValueKind: JsonValueKind.Array } single
            ? [.. single.EnumerateArray().Select(part => Property(part, "Sequence") is null ? "special" : "text")] : [];
        if (parts is not (["text"] or ["special", "text"] or ["text", "special"] or ["special", "text", "special"]))
            throw Unsupported(path, key, "a template other than <bos> text <eos>");
    }

    private static PreTokenizer ReadPreTokenizer(JsonElement? element, string path)
    {
        const string key = "pre_tokenizer";
        if (element is not { } preTokenizer)
            throw Unsupported(path, key, "no pre-tokenizer");
        if (TypeName(preTokenizer, path) != "Sequence")
        {
            RequireByteLevel(preTokenizer, path);
            return PreTokenizer.Gpt2;
        }
        JsonElement[] steps = Property(preTokenizer, "pretokenizers") is { ValueKind: JsonValueKind.Array } list ? [.. list.EnumerateArray()] : [];
        if (steps.Length is 0 or > 2)
            throw Unsupported(path, key, $"a sequence of {steps.Length} pre-tokenizers");
        RequireByteLevel(steps[^1], path);
        if (steps.Length == 1)
            return PreTokenizer.Gpt2;
        if (TypeName(steps[0], path) != "Digits" || Property(steps[0], "individual_digits") is not { ValueKind: JsonValueKind.True })
            throw Unsupported(path, key, $"pre-tokenizer '{TypeName(steps[0], path)}' (only 'Digits' with individual digits)");
        return PreTokenizer.DigitsThenGpt2;
    }

    private static void RequireByteLevel(JsonElement step, string path)
    {
        const string key = "pre_tokenizer";
        if (TypeName(step, path) != "ByteLevel")
            throw Unsupported(path, key, $"pre-tokenizer '{TypeName(step, path)}'");
        if (Property(step, "add_prefix_space") is { ValueKind: JsonValueKind.True })
            throw Unsupported(path, key, "add_prefix_space");
        if (Property(step, "use_regex") is { ValueKind: JsonValueKind.False })
            throw Unsupported(path, key, "a byte-level pre-tokenizer without its regular expression");
    }

    private static void ReadVocabulary(JsonElement model, SortedDictionary<int, (string, TokenType)> texts, string path)
    {
        if (Property(model, "vocab") is not { ValueKind: JsonValueKind.Object } vocab)
            throw Damaged(path, "model.vocab", "the key is missing or no object");
        foreach (JsonProperty entry in vocab.EnumerateObject())
        {
            string text = Name(entry, "model.vocab", path);
            if (text.Length == 0)
                throw Damaged(path, "model.vocab", "a token is empty");
            if (entry.Value.ValueKind != JsonValueKind.Number || !entry.Value.TryGetInt32(out int id) || id is < 0 or >= TokenTable.MaxCount)
                throw Damaged(path, "model.vocab", $"'{ModelFormatException.OneLine(text)}' has no usable id");
            if (!texts.TryAdd(id, (text, TokenType.Normal)))
                throw Damaged(path, "model.vocab", $"two tokens have the id {id}");
        }
    }

    private static void ReadAddedTokens(JsonElement? list, SortedDictionary<int, (string Text, TokenType)> texts, string path)
    {
        if (list is not { } added)
            return;
        if (added.ValueKind != JsonValueKind.Array)
            throw Damaged(path, "added_tokens", "the value is no array");
        var first = new List<string>();
        var second = new List<string>();
        foreach (JsonElement token in added.EnumerateArray())
        {
            if (Property(token, "id") is not { ValueKind: JsonValueKind.Number } number || !number.TryGetInt32(out int id) || id is < 0 or >= TokenTable.MaxCount
                || Property(token, "content") is not { } content || Text(content, "added_tokens", path) is not { Length: > 0 } text)
            {
                throw Damaged(path, "added_tokens", "a token has no usable id or content");
            }
            // As text it is this character, in the vocabulary's alphabet it is one byte: an id cannot be both.
            if (text.Length == 1 && ByteAlphabet.Decode(Encoding.UTF8.GetBytes(text), new byte[ByteAlphabet.MaxSymbolBytes]) == 1)
                throw Unsupported(path, "added_tokens", $"'{ModelFormatException.OneLine(text)}', a symbol of the byte alphabet as an added token,");
            foreach (string flag in (ReadOnlySpan<string>)["lstrip", "rstrip", "single_word"])
            {
                if (Property(token, flag) is { ValueKind: JsonValueKind.True })
                    throw Unsupported(path, "added_tokens", $"'{ModelFormatException.OneLine(text)}' with {flag}");
            }
            if (texts.TryGetValue(id, out (string Text, TokenType) known) && known.Text != text)
                throw Damaged(path, "added_tokens", $"'{ModelFormatException.OneLine(text)}' has the id {id} of another token");
            texts[id] = (text, Property(token, "special") is { ValueKind: JsonValueKind.True } ? TokenType.Control : TokenType.UserDefined);
            (Property(token, "normalized") is { ValueKind: JsonValueKind.True } ? second : first).Add(text);
        }
        CheckOverlaps(first, second, path);
    }

    /// <summary>
    /// Hugging Face looks for the tokens that are not normalized first, in the whole text, and for the others in what is left. That
    /// is the same as looking for all at once, leftmost-longest, as long as none of the first can overlap one of the second.
    /// </summary>
    private static void CheckOverlaps(List<string> first, List<string> second, string path)
    {
        foreach (string one in first)
        {
            if (second.Find(other => Overlap(one, other) || Overlap(other, one)) is { } other)
                throw Unsupported(path, "added_tokens", $"'{ModelFormatException.OneLine(one)}' and the normalized '{ModelFormatException.OneLine(other)}', which can overlap,");
        }

        // Whether the end of a is the beginning of b, or b lies within a.
        static bool Overlap(string a, string b) =>
            a.Contains(b, StringComparison.Ordinal) || Enumerable.Range(1, Math.Min(a.Length, b.Length)).Any(n => a.AsSpan(a.Length - n).SequenceEqual(b.AsSpan(0, n)));
    }

    private static TokenTable Table(SortedDictionary<int, (string Text, TokenType Type)> texts, int vocabSize, string path)
    {
        int count = texts.Count == 0 ? 0 : texts.Keys.Max() + 1;
        if (count == 0)
            throw Damaged(path, "model.vocab", "the vocabulary is empty");
        if (vocabSize != 0 && count > vocabSize)
            throw Damaged(path, "model.vocab", $"id {count - 1} is outside the model's vocabulary of {vocabSize}");
        count = Math.Max(count, vocabSize);
        var bytes = new MemoryStream();
        var ends = new int[count];
        var types = new TokenType[count];
        for (int id = 0; id < count; id++)
        {
            // Rows of the embedding that no text leads to: other tools give them such names too.
            (string text, types[id]) = texts.TryGetValue(id, out var entry) ? entry : ($"[PAD{id}]", TokenType.Unused);
            bytes.Write(Encoding.UTF8.GetBytes(text));
            ends[id] = checked((int)bytes.Length);
        }
        var table = new TokenTable(bytes.ToArray(), ends, types);
        return table.Duplicate < 0 ? table : throw Damaged(path, "model.vocab", $"token {table.Duplicate} has the text of an earlier one");
    }

    private static MergeTable ReadMerges(JsonElement model, TokenTable tokens, string path)
    {
        const string key = "model.merges";
        if (Property(model, "merges") is not { ValueKind: JsonValueKind.Array } list)
            throw Damaged(path, key, "the key is missing or no array");
        var pairs = new uint[2 * list.GetArrayLength()];
        var merged = new uint[list.GetArrayLength()];
        int rank = 0;
        foreach (JsonElement merge in list.EnumerateArray())
        {
            string[] parts = merge.ValueKind switch
            {
                JsonValueKind.String => Text(merge, key, path).Split(' '),
                JsonValueKind.Array => [.. merge.EnumerateArray().Select(part => Text(part, key, path))],
                _ => [],
            };
            if (parts.Length != 2)
                throw Damaged(path, key, $"merge {rank} is not two pieces");
            pairs[2 * rank] = Known(parts[0]);
            pairs[2 * rank + 1] = Known(parts[1]);
            merged[rank] = Known(parts[0] + parts[1]);
            rank++;
        }
        var table = new MergeTable(pairs, merged);
        return table.Duplicate < 0 ? table : throw Damaged(path, key, $"merge {table.Duplicate} repeats an earlier one");

        uint Known(string text) => tokens.Find(Encoding.UTF8.GetBytes(text)) is int id and >= 0 ? (uint)id
            : throw Damaged(path, key, $"merge {rank} needs '{ModelFormatException.OneLine(text)}', which is not in the vocabulary");
    }

    private static JsonElement? Property(JsonElement element, string name) =>
        element.ValueKind == JsonValueKind.Object && element.TryGetProperty(name, out JsonElement value) && value.ValueKind != JsonValueKind.Null ? value : null;

    private static string TypeName(JsonElement element, string path) =>
        Property(element, "type") is { } type ? ModelFormatException.OneLine(Text(type, "type", path)) : "?";

    /// <summary>A value's text; JSON may hold other values there, or half a surrogate pair, which .NET reports only when asked.</summary>
    private static string Text(JsonElement value, string key, string path) => new JsonValues(value, path).Text(value, key);

    private static string Name(JsonProperty entry, string key, string path)
    {
        try
        {
            return entry.Name;
        }
        catch (InvalidOperationException)
        {
            throw Damaged(path, key, "a token's text is no valid Unicode");
        }
    }

    private static ModelFormatException Damaged(string path, string key, string problem) => new(ModelFault.Damaged, path, problem, key);

    private static ModelFormatException Unsupported(string path, string key, string what) => new(ModelFault.Unsupported, path,
        $"{what} cannot be tokenized exactly and is not supported; rename the file to convert without a tokenizer (token ids only)", key);
}
