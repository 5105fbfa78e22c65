using System.Text.Json;
using QedEdge.Text;

namespace QedEdge.Conversion.Checkpoints;

/// <summary>
/// Reads the pipeline of a tokenizer.json: normalizer, pre-tokenizer, the model's flags, decoder. Regular expressions are compared with those that are known. Everything that cannot be
/// done exactly is noted, so that a user learns of all of it at once.
/// </summary>
/// <param name="root">The file's object.</param>
/// <param name="path">The file, for errors.</param>
internal sealed class TokenizerRulesJson(JsonElement root, string path)
{
    private const string NormalizerKey = "normalizer", PreTokenizerKey = "pre_tokenizer", DecoderKey = "decoder", Mark = "▁";

    private const string Llama3Head = @"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}", Llama3Tail = @"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";

    /// <summary>Llama 3's regular expression.</summary>
    public const string Llama3 = Llama3Head + "{1,3}" + Llama3Tail;

    /// <summary>Qwen's.</summary>
    public const string Qwen2 = Llama3Head + Llama3Tail;

    private readonly List<(string Key, string What)> _refused = [];

    /// <summary>Reads the pipeline.</summary>
    /// <param name="model">The file's model.</param>
    /// <exception cref="ModelFormatException">It is damaged, or asks for what cannot be done exactly: all of it.</exception>
    public TokenizerRules Read(JsonElement model)
    {
        CheckModel(model);
        bool fallback = Flag(model, "byte_fallback");
        Normalizer normalizer = ReadNormalizer();
        PreTokenizer? preTokenizer = ReadPreTokenizer(normalizer, out bool isByteLevel);
        bool strips = ReadDecoder(isByteLevel, fallback);
        if (isByteLevel && fallback)
            Refuse("model.byte_fallback", "byte_fallback");
        if (isByteLevel && normalizer is Normalizer.Spaces or Normalizer.PrefixedSpaces)
            Refuse(NormalizerKey, "a normalizer of spaces before a byte-level pre-tokenizer");
        CheckAdded();
        if (_refused.Count > 0)
            throw Refusal();
        return new TokenizerRules
        {
            Normalizer = normalizer,
            PreTokenizer = preTokenizer ?? PreTokenizer.None,
            IsByteLevel = isByteLevel,
            HasByteFallback = fallback,
            FusesUnknown = Flag(model, "fuse_unk"),
            IgnoresMerges = Flag(model, "ignore_merges"),
            StripsSpace = strips,
        };
    }

    private ModelFormatException Refusal()
    {
        string all = _refused.Count == 1 ? _refused[0].What : string.Join("; ", _refused.Select(static refused => $"{refused.Key}: {refused.What}"));
        return TokenizerJson.Unsupported(path, _refused[0].Key, all);
    }

    private void CheckModel(JsonElement model)
    {
        // Older files leave the type out; a model with merges can only be BPE.
        if (TokenizerJson.Property(model, "type") is { } type && TokenizerJson.Text(type, "model.type", path) is not "BPE" and string other)
            Refuse("model.type", $"model '{ModelFormatException.OneLine(other)}'");
        if (TokenizerJson.Property(model, "dropout") is { } dropout && (dropout.ValueKind != JsonValueKind.Number || dropout.GetDouble() != 0))
            Refuse("model.dropout", "dropout");
        foreach (string key in (ReadOnlySpan<string>)["continuing_subword_prefix", "end_of_word_suffix"])
        {
            if (TokenizerJson.Property(model, key) is { } affix && TokenizerJson.Text(affix, $"model.{key}", path) != "")
                Refuse($"model.{key}", key);
        }
    }

    private void CheckAdded()
    {
        if (TokenizerJson.Property(root, AddedTokens.Key) is not { ValueKind: JsonValueKind.Array } list)
            return;
        foreach (JsonElement token in list.EnumerateArray())
        {
            if (TokenizerJson.Property(token, "single_word") is { ValueKind: JsonValueKind.True } && TokenizerJson.Property(token, "content") is { ValueKind: JsonValueKind.String } content)
            {
                Refuse(AddedTokens.Key, $"'{ModelFormatException.OneLine(TokenizerJson.Text(content, AddedTokens.Key, path))}' with single_word");
                return;
            }
        }
    }

    private Normalizer ReadNormalizer()
    {
        JsonElement[] steps = Steps(NormalizerKey, "normalizers");
        string[] types = [.. steps.Select(Type)];
        if (types is [])
            return Normalizer.None;
        if (types is ["NFC"])
            return Normalizer.Nfc;
        bool replaces = types is [.., "Replace"] && Text(steps[^1], "pattern", "String") == " " && Text(steps[^1], "content") == Mark;
        if (replaces && types.Length == 1)
            return Normalizer.Spaces;
        if (replaces && types is ["Prepend", _] && Text(steps[0], "prepend") == Mark)
            return Normalizer.PrefixedSpaces;
        Refuse(NormalizerKey, types is [var one] ? $"normalizer '{one}'" : $"normalizers '{string.Join("', '", types)}' together");
        return Normalizer.None;
    }

    private PreTokenizer? ReadPreTokenizer(Normalizer normalizer, out bool isByteLevel)
    {
        JsonElement[] steps = Steps(PreTokenizerKey, "pretokenizers");
        string[] types = [.. steps.Select(Type)];
        isByteLevel = types.Contains("ByteLevel");
        // Spaces that became ▁ are gone: cutting at them cuts nothing.
        bool cutsNothing = types is ["Split"] && normalizer is Normalizer.Spaces or Normalizer.PrefixedSpaces && Text(steps[0], "pattern", "String") == " ";
        if (types is [] || cutsNothing)
            return PreTokenizer.None;
        if (types is [.., "ByteLevel"] && Flag(steps[^1], "add_prefix_space"))
            Refuse(PreTokenizerKey, "add_prefix_space");
        bool splits = TokenizerJson.Property(isByteLevel ? steps[^1] : default, "use_regex") is not { ValueKind: JsonValueKind.False };
        switch (types)
        {
            case ["ByteLevel"] when splits:
                return PreTokenizer.Gpt2;
            case ["ByteLevel"]:
                Refuse(PreTokenizerKey, "a byte-level pre-tokenizer without its regular expression");
                return null;
            case ["Digits", "ByteLevel"] when splits && Flag(steps[0], "individual_digits"):
                return PreTokenizer.DigitsThenGpt2;
            case ["Split", "ByteLevel"] when !splits && Text(steps[0], "pattern", "Regex") is { } pattern:
                PreTokenizer? known = pattern == Llama3 ? PreTokenizer.Llama3 : pattern == Qwen2 ? PreTokenizer.Qwen2 : null;
                if (known is null)
                    Refuse(PreTokenizerKey, $"the regular expression '{ModelFormatException.OneLine(pattern)}'");
                else if (Text(steps[0], "behavior") != "Isolated" || Flag(steps[0], "invert"))
                    Refuse(PreTokenizerKey, "a split that is not 'Isolated', or inverted");
                return known;
            case [var one]:
                Refuse(PreTokenizerKey, $"pre-tokenizer '{one}'");
                return null;
            default:
                Refuse(PreTokenizerKey, $"pre-tokenizers '{string.Join("', '", types)}' together");
                return null;
        }
    }

    /// <summary>Checks that the decoder is the pipeline's own; returns whether it leaves out a space that begins the text.</summary>
    private bool ReadDecoder(bool isByteLevel, bool fallback)
    {
        JsonElement[] steps = Steps(DecoderKey, "decoders");
        string[] types = [.. steps.Select(Type)];
        if (isByteLevel ? types is ["ByteLevel"] : types is ["Replace", "ByteFallback", "Fuse"] or ["Replace", "ByteFallback", "Fuse", "Strip"] or ["Replace", "Fuse"] or ["Replace", "Fuse", "Strip"])
        {
            if (isByteLevel)
                return false;
            bool strips = types[^1] == "Strip";
            bool replaces = Text(steps[0], "pattern", "String") == Mark && Text(steps[0], "content") == " ";
            if (replaces && (!strips || Text(steps[^1], "content") == " " && Number(steps[^1], "start") == 1 && Number(steps[^1], "stop") == 0) && (types[1] == "ByteFallback" || !fallback))
                return strips;
        }
        Refuse(DecoderKey, types is [] ? "no decoder" : types is [var one] ? $"decoder '{one}'" : $"these decoders ('{string.Join("', '", types)}', with their settings) together");
        return false;
    }

    /// <summary>A step, or the steps of a sequence of them, or none.</summary>
    private JsonElement[] Steps(string key, string list)
    {
        if (TokenizerJson.Property(root, key) is not { } step)
            return [];
        if (TokenizerJson.TypeName(step, path) != "Sequence")
            return [step];
        if (TokenizerJson.Property(step, list) is not { ValueKind: JsonValueKind.Array } steps)
            throw TokenizerJson.Damaged(path, key, $"the sequence has no array '{list}'");
        return [.. steps.EnumerateArray()];
    }

    private string Type(JsonElement step) => TokenizerJson.TypeName(step, path);

    private string? Text(JsonElement step, string key) =>
        TokenizerJson.Property(step, key) is { ValueKind: JsonValueKind.String } value ? TokenizerJson.Text(value, key, path) : null;

    private string? Text(JsonElement step, string key, string inner) => TokenizerJson.Property(step, key) is { } value ? Text(value, inner) : null;

    private static int? Number(JsonElement step, string key) => TokenizerJson.Property(step, key) is { ValueKind: JsonValueKind.Number } value && value.TryGetInt32(out int number) ? number : null;

    private static bool Flag(JsonElement step, string key) => TokenizerJson.Property(step, key) is { ValueKind: JsonValueKind.True };

    private void Refuse(string key, string what) => _refused.Add((key, what));
}
