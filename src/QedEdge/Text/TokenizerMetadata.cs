using QedEdge.Gguf;

namespace QedEdge.Text;

/// <summary>Reads a tokenizer from a model file's metadata. Whatever is wrong there is an error that names the key.</summary>
internal static class TokenizerMetadata
{
    /// <summary>Byte-level byte-pair encoding.</summary>
    public const string ByteLevelModel = "gpt2";

    /// <summary>Byte-pair encoding of code points as SentencePiece's.</summary>
    public const string CodePointModel = "llama";

    /// <summary>What stands instead of a tokenizer model where a file takes token ids only.</summary>
    public const string NoModel = "no_vocab";

    /// <summary>Bits of <see cref="GgufKeys.AddedFlags"/>.</summary>
    public const uint Normalized = 1, StripsLeft = 2, StripsRight = 4;

    /// <summary>What <see cref="GgufKeys.TokenizerPre"/> says of byte-level vocabularies; of several names for the same the first is written.</summary>
    private static readonly (string Name, TokenizerRules Rules)[] Known =
    [
        ("gpt-2", TokenizerRules.ByteLevel),
        ("smollm", TokenizerRules.ByteLevel with { PreTokenizer = PreTokenizer.DigitsThenGpt2 }),
        ("llama-bpe", TokenizerRules.ByteLevel with { PreTokenizer = PreTokenizer.Llama3, IgnoresMerges = true }),
        ("smaug-bpe", TokenizerRules.ByteLevel with { PreTokenizer = PreTokenizer.Llama3 }),
        ("qwen2", TokenizerRules.ByteLevel with { PreTokenizer = PreTokenizer.Qwen2, Normalizer = Normalizer.Nfc }),
        ("olmo", TokenizerRules.ByteLevel with { Normalizer = Normalizer.Nfc }),
        ("default", TokenizerRules.ByteLevel with { PreTokenizer = PreTokenizer.LlamaDefault }),
    ];

    private static readonly string[] Normalizers = ["none", "nfc", "spaces", "prefixed-spaces"]; // in the order of the enumeration

    /// <summary>The name of a byte-level pipeline's cut into words.</summary>
    public static string PreName(TokenizerRules rules)
    {
        string? name = null;
        foreach ((string Name, TokenizerRules Rules) known in Known)
        {
            if (known.Rules.PreTokenizer == rules.PreTokenizer && (name is null || known.Rules.IgnoresMerges == rules.IgnoresMerges && known.Rules.Normalizer == rules.Normalizer))
                name = known.Name;
        }
        return name!;
    }

    /// <summary>What a file's names say of the pipeline, or null where the pre-tokenizer is not known.</summary>
    /// <param name="model">One of the two.</param>
    /// <param name="pre">The pre-tokenizer of a byte-level vocabulary.</param>
    /// <param name="prefix">Whether a space is put before a text of code points.</param>
    public static TokenizerRules? FindRules(string model, string? pre, bool prefix)
    {
        if (model == CodePointModel)
            return TokenizerRules.CodePoints with { Normalizer = prefix ? Normalizer.PrefixedSpaces : Normalizer.Spaces, StripsSpace = prefix };
        foreach ((string Name, TokenizerRules Rules) known in Known)
        {
            if (known.Name == pre)
                return known.Rules;
        }
        return null;
    }

    /// <summary>The name of a normalizer.</summary>
    public static string NormalizerName(Normalizer normalizer) => Normalizers[(int)normalizer];

    /// <summary>Reads the tokenizer, or returns null where the file has none.</summary>
    /// <param name="metadata">The file's metadata; not needed afterwards.</param>
    /// <param name="file">The file's name, for errors.</param>
    /// <exception cref="ModelFormatException">A key is missing, damaged, or names what this version does not have.</exception>
    public static TokenizerData? Read(GgufMetadata metadata, string file)
    {
        if (metadata.FindString(GgufKeys.TokenizerModel) is not string model || model == NoModel)
            return null;
        TokenizerRules rules = ReadRules(metadata, model, file);
        TokenTable tokens = VocabularyMetadata.ReadTokens(metadata, file);
        var data = new TokenizerData
        {
            Tokens = tokens,
            Merges = VocabularyMetadata.ReadMerges(metadata, tokens, file),
            Rules = rules,
            Added = ReadAdded(metadata, tokens, file),
            BosId = SpecialId(metadata, GgufKeys.BosTokenId, tokens.Count, file),
            EosId = SpecialId(metadata, GgufKeys.EosTokenId, tokens.Count, file),
            PadId = SpecialId(metadata, GgufKeys.PaddingTokenId, tokens.Count, file),
            UnkId = SpecialId(metadata, GgufKeys.UnknownTokenId, tokens.Count, file),
            AddBos = metadata.FindBool(GgufKeys.AddBosToken) ?? (metadata.Contains(GgufKeys.BosTokenId) && AddsBos(metadata, rules)),
            AddEos = metadata.FindBool(GgufKeys.AddEosToken) ?? false,
            EndsDocuments = metadata.FindString(GgufKeys.Architecture) == GgufKeys.Qed && metadata.Contains(GgufKeys.EosTokenId),
            ChatTemplate = metadata.FindString(GgufKeys.ChatTemplate),
        };
        if (data.AddBos && data.BosId < 0)
            throw Damaged(file, GgufKeys.AddBosToken, $"it is set, but '{GgufKeys.BosTokenId}' is missing");
        if (data.AddEos && data.EosId < 0)
            throw Damaged(file, GgufKeys.AddEosToken, $"it is set, but '{GgufKeys.EosTokenId}' is missing");
        return data;
    }

    /// <summary>Where a file does not say it: what the tools that run such files add, and QED's own rule.</summary>
    private static bool AddsBos(GgufMetadata metadata, TokenizerRules rules) =>
        !rules.IsByteLevel || rules.IgnoresMerges || metadata.FindString(GgufKeys.Architecture) == GgufKeys.Qed;

    private static TokenizerRules ReadRules(GgufMetadata metadata, string model, string file)
    {
        string? pre = model == ByteLevelModel ? metadata.GetString(GgufKeys.TokenizerPre) : null;
        if (model is not (ByteLevelModel or CodePointModel))
            throw Unsupported(file, GgufKeys.TokenizerModel, $"the tokenizer model '{ModelFormatException.OneLine(model)}' is not supported; {ByteLevelModel} and {CodePointModel} are");
        TokenizerRules rules = FindRules(model, pre, metadata.FindBool(GgufKeys.AddSpacePrefix) ?? true) ?? throw Unsupported(file, GgufKeys.TokenizerPre,
            $"the pre-tokenizer '{ModelFormatException.OneLine(pre!)}' is not supported; gpt-2, smollm, llama-bpe, smaug-bpe, qwen2, olmo and default are");
        return rules with
        {
            Normalizer = ReadNormalizer(metadata, file) ?? rules.Normalizer,
            IgnoresMerges = metadata.FindBool(GgufKeys.IgnoreMerges) ?? rules.IgnoresMerges,
            HasByteFallback = metadata.FindBool(GgufKeys.ByteFallback) ?? rules.HasByteFallback,
            FusesUnknown = metadata.FindBool(GgufKeys.FuseUnknown) ?? rules.FusesUnknown,
            StripsSpace = metadata.FindBool(GgufKeys.StripSpace) ?? rules.StripsSpace,
        };
    }

    private static Normalizer? ReadNormalizer(GgufMetadata metadata, string file)
    {
        if (metadata.FindString(GgufKeys.Normalizer) is not string name)
            return null;
        int found = Array.IndexOf(Normalizers, name);
        return found >= 0 ? (Normalizer)found : throw Unsupported(file, GgufKeys.Normalizer, $"the normalizer '{ModelFormatException.OneLine(name)}' is not known");
    }

    private static AddedToken[] ReadAdded(GgufMetadata metadata, TokenTable tokens, string file)
    {
        var added = new List<AddedToken>();
        if (metadata.FindArray(GgufKeys.AddedIds) is not { } listed)
        {
            for (int id = 0; id < tokens.Count; id++)
            {
                if (tokens.Type(id) is TokenType.Control or TokenType.Unknown or TokenType.UserDefined)
                    added.Add(new AddedToken(id));
            }
            return [.. added];
        }
        ReadOnlySpan<uint> ids = listed.UInt32(), flags = metadata.GetArray(GgufKeys.AddedFlags).UInt32();
        if (flags.Length != ids.Length)
            throw Damaged(file, GgufKeys.AddedFlags, $"{flags.Length} flags for {ids.Length} tokens");
        for (int i = 0; i < ids.Length; i++)
        {
            if (ids[i] >= (uint)tokens.Count || tokens.Type((int)ids[i]) is not (TokenType.Control or TokenType.Unknown or TokenType.UserDefined))
                throw Damaged(file, GgufKeys.AddedIds, $"element {i} is token {ids[i]}, which is no added token of the vocabulary");
            added.Add(new AddedToken((int)ids[i], (flags[i] & Normalized) != 0, (flags[i] & StripsLeft) != 0, (flags[i] & StripsRight) != 0));
        }
        return [.. added];
    }

    private static int SpecialId(GgufMetadata metadata, string key, int vocabSize, string file)
    {
        if (metadata.FindUInt32(key) is not uint id)
            return -1;
        return id < vocabSize ? (int)id : throw Damaged(file, key, $"token {id} is outside the vocabulary of {vocabSize}");
    }

    private static ModelFormatException Damaged(string file, string key, string problem) => new(ModelFault.Damaged, file, problem, key);

    private static ModelFormatException Unsupported(string file, string key, string problem) => new(ModelFault.Unsupported, file, problem, key);
}
