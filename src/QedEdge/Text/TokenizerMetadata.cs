using QedEdge.Gguf;

namespace QedEdge.Text;

/// <summary>Reads a tokenizer from a model file's metadata. Whatever is wrong there is an error that names the key.</summary>
internal static class TokenizerMetadata
{
    /// <summary>The only tokenizer model: byte-level byte-pair encoding.</summary>
    public const string Model = "gpt2";

    /// <summary>What stands instead of a tokenizer model where a file takes token ids only.</summary>
    public const string NoModel = "no_vocab";

    /// <summary>The name of <see cref="PreTokenizer.Gpt2"/>.</summary>
    public const string Gpt2 = "gpt-2";

    /// <summary>The name of <see cref="PreTokenizer.DigitsThenGpt2"/>.</summary>
    public const string DigitsThenGpt2 = "smollm";

    /// <summary>Reads the tokenizer, or returns null where the file has none.</summary>
    /// <param name="metadata">The file's metadata; not needed afterwards.</param>
    /// <param name="file">The file's name, for errors.</param>
    /// <exception cref="ModelFormatException">A key is missing, damaged, or names what this version does not have.</exception>
    public static TokenizerData? Read(GgufMetadata metadata, string file)
    {
        if (metadata.FindString(GgufKeys.TokenizerModel) is not string model || model == NoModel)
            return null;
        if (model != Model)
            throw new ModelFormatException(ModelFault.Unsupported, file, $"only the tokenizer model '{Model}' is supported", GgufKeys.TokenizerModel);
        var preTokenizer = metadata.GetString(GgufKeys.TokenizerPre) switch
        {
            Gpt2 => PreTokenizer.Gpt2,
            DigitsThenGpt2 => PreTokenizer.DigitsThenGpt2,
            _ => throw new ModelFormatException(ModelFault.Unsupported, file, $"only the pre-tokenizers '{Gpt2}' and '{DigitsThenGpt2}' are supported", GgufKeys.TokenizerPre),
        };

        var tokens = ReadTokens(metadata, file);
        var data = new TokenizerData
        {
            Tokens = tokens,
            Merges = metadata.Contains(GgufKeys.PackedMerges) ? ReadPackedMerges(metadata, tokens.Count, file) : ReadPlainMerges(metadata, tokens, file),
            PreTokenizer = preTokenizer,
            BosId = SpecialId(metadata, GgufKeys.BosTokenId, tokens.Count, file),
            EosId = SpecialId(metadata, GgufKeys.EosTokenId, tokens.Count, file),
            PadId = SpecialId(metadata, GgufKeys.PaddingTokenId, tokens.Count, file),
            UnkId = SpecialId(metadata, GgufKeys.UnknownTokenId, tokens.Count, file),
            // Where another tool's file does not say it, the tools that run such files add nothing.
            AddBos = metadata.FindBool(GgufKeys.AddBosToken) ?? (metadata.FindString(GgufKeys.Architecture) == GgufKeys.Qed && metadata.Contains(GgufKeys.BosTokenId)),
            AddEos = metadata.FindBool(GgufKeys.AddEosToken) ?? false,
            ChatTemplate = metadata.FindString(GgufKeys.ChatTemplate),
        };
        if (data.AddBos && data.BosId < 0)
            throw Damaged(file, GgufKeys.AddBosToken, $"it is set, but '{GgufKeys.BosTokenId}' is missing");
        if (data.AddEos && data.EosId < 0)
            throw Damaged(file, GgufKeys.AddEosToken, $"it is set, but '{GgufKeys.EosTokenId}' is missing");
        return data;
    }

    private static TokenTable ReadTokens(GgufMetadata metadata, string file)
    {
        var texts = metadata.GetArray(GgufKeys.Tokens);
        if (texts.Count is 0 or > GgufLimits.Size)
            throw Damaged(file, GgufKeys.Tokens, $"{texts.Count} tokens; 1 to {GgufLimits.Size} are possible");
        var types = metadata.GetArray(GgufKeys.TokenType);
        if (types.Count != texts.Count)
            throw Damaged(file, GgufKeys.TokenType, $"{types.Count} types for {texts.Count} tokens");

        var ends = new int[texts.Count];
        int length = 0;
        for (int id = 0; id < ends.Length; id++)
        {
            int bytes = texts.Utf8(id).Length;
            if (bytes is 0 or > GgufLimits.TokenBytes)
                throw Damaged(file, GgufKeys.Tokens, $"token {id} has {bytes} bytes; 1 to {GgufLimits.TokenBytes} are possible");
            ends[id] = length += bytes;
        }
        var bytesOfAll = new byte[length];
        var typeOfEach = new TokenType[ends.Length];
        var values = types.Int32();
        for (int id = 0; id < ends.Length; id++)
        {
            var text = texts.Utf8(id);
            text.CopyTo(bytesOfAll.AsSpan(ends[id] - text.Length));
            if (values[id] is < (int)TokenType.Normal or > (int)TokenType.Unused)
                throw Damaged(file, GgufKeys.TokenType, $"token {id} is of type {values[id]}, which byte-level encodings do not have");
            typeOfEach[id] = (TokenType)values[id];
        }
        var table = new TokenTable(bytesOfAll, ends, typeOfEach);
        return table.Duplicate < 0 ? table : throw Damaged(file, GgufKeys.Tokens, $"token {table.Duplicate} has the text of an earlier one");
    }

    private static MergeTable ReadPackedMerges(GgufMetadata metadata, int vocabSize, string file)
    {
        var pairs = metadata.GetArray(GgufKeys.PackedMerges).UInt32();
        var merged = metadata.GetArray(GgufKeys.PackedMergeIds).UInt32();
        RequireCount(pairs.Length / 2, GgufKeys.PackedMerges, file);
        if (pairs.Length != 2L * merged.Length)
            throw Damaged(file, GgufKeys.PackedMergeIds, $"{merged.Length} ids for {pairs.Length} halves of merges");
        RequireIds(pairs, vocabSize, GgufKeys.PackedMerges, file);
        RequireIds(merged, vocabSize, GgufKeys.PackedMergeIds, file);
        return Unique(new MergeTable(pairs.ToArray(), merged.ToArray()), GgufKeys.PackedMerges, file);
    }

    private static MergeTable ReadPlainMerges(GgufMetadata metadata, TokenTable tokens, string file)
    {
        var merges = metadata.GetArray(GgufKeys.Merges);
        RequireCount(merges.Count, GgufKeys.Merges, file);
        var pairs = new uint[2 * merges.Count];
        var merged = new uint[merges.Count];
        var joined = new byte[2 * GgufLimits.TokenBytes];
        for (int rank = 0; rank < merged.Length; rank++)
        {
            var merge = merges.Utf8(rank);
            int separator = merge.IndexOf((byte)' ');
            if (separator < 0 || merge[(separator + 1)..].Contains((byte)' '))
                throw Damaged(file, GgufKeys.Merges, $"merge {rank} is not two pieces parted by one space");
            var left = merge[..separator];
            var right = merge[(separator + 1)..];
            if (merge.Length > joined.Length)
                throw Damaged(file, GgufKeys.Merges, $"merge {rank} has {merge.Length} bytes");
            left.CopyTo(joined);
            right.CopyTo(joined.AsSpan(left.Length));
            pairs[2 * rank] = Known(left);
            pairs[2 * rank + 1] = Known(right);
            merged[rank] = Known(joined.AsSpan(0, left.Length + right.Length));

            uint Known(ReadOnlySpan<byte> text) => tokens.Find(text) is int id and >= 0 ? (uint)id
                : throw Damaged(file, GgufKeys.Merges, $"merge {rank} needs a piece that is not in the vocabulary");
        }
        return Unique(new MergeTable(pairs, merged), GgufKeys.Merges, file);
    }

    private static MergeTable Unique(MergeTable merges, string key, string file) =>
        merges.Duplicate < 0 ? merges : throw Damaged(file, key, $"merge {merges.Duplicate} repeats an earlier one");

    private static void RequireCount(int count, string key, string file)
    {
        if (count > GgufLimits.Merges)
            throw Damaged(file, key, $"{count} merges; at most {GgufLimits.Merges} are possible");
    }

    private static void RequireIds(ReadOnlySpan<uint> ids, int vocabSize, string key, string file)
    {
        int wrong = ids.IndexOfAnyExceptInRange(0u, (uint)vocabSize - 1);
        if (wrong >= 0)
            throw Damaged(file, key, $"element {wrong} is token {ids[wrong]}, outside the vocabulary of {vocabSize}");
    }

    private static int SpecialId(GgufMetadata metadata, string key, int vocabSize, string file)
    {
        if (metadata.FindUInt32(key) is not uint id)
            return -1;
        return id < vocabSize ? (int)id : throw Damaged(file, key, $"token {id} is outside the vocabulary of {vocabSize}");
    }

    private static ModelFormatException Damaged(string file, string key, string problem) => new(ModelFault.Damaged, file, problem, key);
}
