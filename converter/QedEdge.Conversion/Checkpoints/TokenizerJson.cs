using System.Text;
using System.Text.Json;
using QedEdge.Gguf;
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

    /// <summary>The key of the texts and their ids.</summary>
    public const string Vocabulary = "model.vocab";

    private const string PostProcessor = "post_processor";

    internal const string WithoutTokenizer = "; rename the file to convert without a tokenizer (token ids only)";

    /// <summary>Reads a checkpoint's tokenizer.</summary>
    /// <param name="path">The file.</param>
    /// <param name="checkpoint">The checkpoint; ids of its vocabulary that the file does not define become unused.</param>
    /// <param name="config">What the checkpoint says of its tokenizer elsewhere.</param>
    /// <param name="warnings">Takes what the user should know.</param>
    /// <exception cref="ModelFormatException">
    /// The file is damaged, contradicts another one, or asks for something this version cannot do exactly.
    /// </exception>
    public static TokenizerData Read(string path, Checkpoint checkpoint, TokenizerConfig config, List<string> warnings)
    {
        using JsonDocument document = CheckpointJson.ReadObject(path, CheckpointLimits.TokenizerBytes);
        TokenizerData data = Read(document.RootElement, path, checkpoint.Config.VocabSize, config.Tokens, warnings);
        if (config.AddsPrefixSpace && data.Rules.IsByteLevel)
            throw new ModelFormatException(ModelFault.Unsupported, config.Path, "text cannot be tokenized so; it must be false", TokenizerConfig.PrefixSpaceKey);
        var template = ReadTemplate(document.RootElement, data.Tokens, path);
        var ids = SpecialIds.Of(checkpoint, Id("bos_token", template?.Bos, config.AddBos), Id("eos_token", template?.Eos, config.AddEos), Find("pad_token"), warnings);
        if (config.AddBos == true && ids.Bos is null)
            throw Damaged(config.Path, "add_bos_token", "no file names the token that begins a text");
        if (config.AddEos == true && ids.Eos is null)
            throw Damaged(config.Path, "add_eos_token", "no file names the token that ends a text");
        if (config.AddEos == true)
            warnings.Add($"{TokenizerConfig.FileName} sets add_eos_token: every prompt ends with token {ids.Eos}, as in Hugging Face; set it to false if prompts are to be continued");
        return data with
        {
            BosId = ids.Bos ?? -1,
            EosId = ids.Eos ?? -1,
            EndIds = [.. ids.Ends],
            PadId = ids.Pad ?? -1,
            // A template without <bos> says that prompts have none, and so do files without a template: but QED's.
            AddBos = config.AddBos ?? (template is { } known ? known.Bos is not null : ids.Bos is not null && checkpoint.Config.Family.Name == GgufKeys.Qed),
            // Not from the template: QED's prompts end without <eos>, and its tokenizers add it to other texts.
            AddEos = config.AddEos ?? false,
            EndsDocuments = ids.Eos is not null && checkpoint.Config.Family.Name == GgufKeys.Qed,
            ChatTemplate = config.ChatTemplate ?? (checkpoint.Config.Family.Name == GgufKeys.Qed ? Chat.ChatTemplate.Qed : null),
        };

        int? Find(string role) => config.Find(role) is { } token ? data.Tokens.Find(Encoding.UTF8.GetBytes(token.Text)) : null;

        TokenizerId Id(string role, int? inTemplate, bool? added)
        {
            if (Find(role) is not int id)
                return new TokenizerId(inTemplate, $"{FileName}'s {PostProcessor}");
            // With add_bos_token or add_eos_token, either way, Hugging Face makes a template of its own.
            if (added is null && inTemplate is int other && other != id)
                throw Damaged(path, PostProcessor, $"token {other} stands where {System.IO.Path.GetFileName(config.Find(role)!.File)} has the {role} {id}; correct one of the two");
            return new TokenizerId(id, $"{System.IO.Path.GetFileName(config.Find(role)!.File)}'s {role}");
        }
    }

    /// <summary>Reads vocabulary, merges and pipeline.</summary>
    /// <param name="root">The file's object.</param>
    /// <param name="path">The file's name, for errors.</param>
    /// <param name="vocabSize">Ids the model has; 0 for as many as the file defines.</param>
    /// <param name="named">Further tokens that are added ones.</param>
    /// <param name="warnings">Takes what the user should know.</param>
    internal static TokenizerData Read(JsonElement root, string path, int vocabSize, IEnumerable<NamedToken>? named = null, List<string>? warnings = null)
    {
        if (Property(root, "model") is not { } model)
            throw Damaged(path, "model", "the key is missing");
        TokenizerRules rules = new TokenizerRulesJson(root, path).Read(model);
        var texts = new VocabularyTexts(path);
        ReadVocabulary(model, texts, path);
        AddedToken[] added = AddedTokens.Read(Property(root, "added_tokens"), named ?? [], texts, rules.IsByteLevel, vocabSize, path, warnings ?? []);
        if (rules.HasByteFallback)
            texts.MarkBytes();
        TokenTable tokens = texts.ToTable(vocabSize);
        int unknown = -1;
        if (Property(model, "unk_token") is { } text)
        {
            unknown = tokens.Find(Encoding.UTF8.GetBytes(Text(text, "model.unk_token", path)));
            if (unknown < 0)
                throw Damaged(path, "model.unk_token", "the token is not in the vocabulary");
        }
        return new TokenizerData { Tokens = tokens, Merges = ReadMerges(model, tokens, path), Rules = rules, Added = added, UnkId = unknown };
    }

    /// <summary>The tokens that the post-processor puts around a text, or null where it is no template. Only begin- and end-of-text may be.</summary>
    internal static (int? Bos, int? Eos)? ReadTemplate(JsonElement root, TokenTable tokens, string path)
    {
        if (Property(root, PostProcessor) is not { } first)
            return null;
        bool several = TypeName(first, path) == "Sequence";
        if (several && Property(first, "processors") is not { ValueKind: JsonValueKind.Array })
            throw Damaged(path, PostProcessor, "the sequence has no array 'processors'");
        // The byte-level one only moves offsets.
        JsonElement[] others = [.. (several ? first.GetProperty("processors").EnumerateArray() : Enumerable.Repeat(first, 1)).Where(step => TypeName(step, path) != "ByteLevel")];
        if (others.Length == 0)
            return null;
        JsonElement processor = others[0];
        if (others.Length > 1 || TypeName(processor, path) != "TemplateProcessing")
            throw Unsupported(path, PostProcessor, $"post-processor '{string.Join("', '", others.Select(step => TypeName(step, path)))}'");
        JsonElement[] parts = Property(processor, "single") is { ValueKind: JsonValueKind.Array } single ? [.. single.EnumerateArray()] : [];
        int text = Array.FindIndex(parts, static part => Property(part, "Sequence") is not null);
        if (text is < 0 or > 1 || parts.Length - text > 2)
            throw Unsupported(path, PostProcessor, "a template other than <bos> text <eos>");
        return (text == 1 ? Special(parts[0]) : null, text == parts.Length - 2 ? Special(parts[^1]) : null);

        // A token is named, and the name's ids stand beside the template.
        int Special(JsonElement part)
        {
            if (Property(part, "SpecialToken") is not { } token || Property(token, "id") is not { } id)
                throw Damaged(path, PostProcessor, "a part of the template is neither text nor token");
            string name = Text(id, PostProcessor, path);
            int known = tokens.Find(Encoding.UTF8.GetBytes(name));
            if (Property(processor, "special_tokens") is { } table && Property(table, name) is { } entry && Property(entry, "ids") is { ValueKind: JsonValueKind.Array } ids)
                known = ids.GetArrayLength() == 1 && ids[0].ValueKind == JsonValueKind.Number && ids[0].TryGetInt32(out int one) && one < tokens.Count ? one : -1;
            return known >= 0 ? known : throw Damaged(path, PostProcessor, $"'{ModelFormatException.OneLine(name)}' is no token of the vocabulary");
        }
    }

    private static void ReadVocabulary(JsonElement model, VocabularyTexts texts, string path)
    {
        if (Property(model, "vocab") is not { ValueKind: JsonValueKind.Object } vocab)
            throw Damaged(path, Vocabulary, "the key is missing or no object");
        foreach (JsonProperty entry in vocab.EnumerateObject())
        {
            string text = Name(entry, Vocabulary, path);
            if (text.Length == 0)
                throw Damaged(path, Vocabulary, "a token is empty");
            if (entry.Value.ValueKind != JsonValueKind.Number || !entry.Value.TryGetInt32(out int id) || id is < 0 or >= GgufLimits.Size)
                throw Damaged(path, Vocabulary, $"'{ModelFormatException.OneLine(text)}' has no usable id");
            if (!texts.TryAdd(id, text, Vocabulary))
                throw Damaged(path, Vocabulary, $"two tokens have the id {id}");
        }
    }

    private static MergeTable ReadMerges(JsonElement model, TokenTable tokens, string path)
    {
        const string key = "model.merges";
        if (Property(model, "merges") is not { ValueKind: JsonValueKind.Array } list)
            throw Damaged(path, key, "the key is missing or no array");
        int count = list.GetArrayLength();
        if (count > CheckpointLimits.Merges)
            throw new ModelFormatException(ModelFault.Unsupported, path, $"{count} merges are more than the {CheckpointLimits.Merges} that a vocabulary may have", key);
        var pairs = new uint[2 * count];
        var merged = new uint[count];
        int rank = 0;
        foreach (JsonElement merge in list.EnumerateArray())
        {
            string[] parts = merge.ValueKind switch
            {
                JsonValueKind.String => Text(merge, key, path).Split(' ', 3),
                JsonValueKind.Array when merge.GetArrayLength() == 2 => [.. merge.EnumerateArray().Select(part => Text(part, key, path))],
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

    /// <summary>The value of an object's key, or null.</summary>
    internal static JsonElement? Property(JsonElement element, string name) =>
        element.ValueKind == JsonValueKind.Object && element.TryGetProperty(name, out JsonElement value) && value.ValueKind != JsonValueKind.Null ? value : null;

    internal static string TypeName(JsonElement element, string path) =>
        Property(element, "type") is { } type ? ModelFormatException.OneLine(Text(type, "type", path)) : "?";

    /// <summary>A value's text; JSON may hold other values there, or half a surrogate pair, which .NET reports only when asked.</summary>
    internal static string Text(JsonElement value, string key, string path) => new JsonValues(value, path).Text(value, key);

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

    /// <summary>The error for what contradicts itself.</summary>
    internal static ModelFormatException Damaged(string path, string key, string problem) => new(ModelFault.Damaged, path, problem, key);

    /// <summary>The error for what this tokenizer cannot do.</summary>
    internal static ModelFormatException Unsupported(string path, string key, string what) => new(ModelFault.Unsupported, path,
        $"{what} cannot be tokenized exactly and is not supported{WithoutTokenizer}", key);
}
