using QedEdge.Gguf;

namespace QedEdge.Text;

/// <summary>Reads a vocabulary and its merges from a model file's metadata.</summary>
internal static class VocabularyMetadata
{
    /// <summary>Reads the merges: pairs of ids in our own files, else pairs of texts, else scores.</summary>
    public static MergeTable ReadMerges(GgufMetadata metadata, TokenTable tokens, string file) =>
        metadata.Contains(GgufKeys.PackedMerges) ? ReadPackedMerges(metadata, tokens.Count, file)
        : metadata.Contains(GgufKeys.Scores) && metadata.FindString(GgufKeys.TokenizerModel) == TokenizerMetadata.CodePointModel ? ReadScores(metadata, tokens, file)
        : ReadPlainMerges(metadata, tokens, file);

    /// <summary>Reads the texts and types of all tokens.</summary>
    public static TokenTable ReadTokens(GgufMetadata metadata, string file)
    {
        var texts = metadata.GetArray(GgufKeys.Tokens);
        if (texts.Count is 0 or > GgufLimits.Size)
            throw Damaged(file, GgufKeys.Tokens, $"{texts.Count} tokens; 1 to {GgufLimits.Size} are possible");
        var types = metadata.GetArray(GgufKeys.TokenType);
        if (types.Count != texts.Count)
            throw Damaged(file, GgufKeys.TokenType, $"{types.Count} types for {texts.Count} tokens");

        var values = types.Int32();
        var typeOfEach = new TokenType[texts.Count];
        for (int id = 0; id < typeOfEach.Length; id++)
        {
            int bytes = texts.Utf8(id).Length;
            if (bytes is 0 or > GgufLimits.TokenBytes)
                throw Damaged(file, GgufKeys.Tokens, $"token {id} has {bytes} bytes; 1 to {GgufLimits.TokenBytes} are possible");
            if (values[id] is < (int)TokenType.Normal or > (int)TokenType.Byte)
                throw Damaged(file, GgufKeys.TokenType, $"token {id} is of type {values[id]}, which is none");
            typeOfEach[id] = (TokenType)values[id];
        }
        var table = new TokenTable(texts, typeOfEach, Slots(metadata, GgufKeys.TokenSlots, typeOfEach.Length, file));
        return table.Duplicate < 0 ? table : throw Damaged(file, GgufKeys.Tokens, $"token {table.Duplicate} has the text of an earlier one");
    }

    /// <summary>A hash table that was stored with what it leads to, or null. What it holds is checked when it is used.</summary>
    private static GgufArray? Slots(GgufMetadata metadata, string key, int count, string file)
    {
        if (metadata.FindArray(key) is not { } slots)
            return null;
        return slots.UInt32().Length == HashSlots.Length(count) ? slots : throw Damaged(file, key, $"{slots.Count} slots for {count} entries; {HashSlots.Length(count)} are needed");
    }

    private static MergeTable ReadPackedMerges(GgufMetadata metadata, int vocabSize, string file)
    {
        GgufArray storedPairs = metadata.GetArray(GgufKeys.PackedMerges), storedIds = metadata.GetArray(GgufKeys.PackedMergeIds);
        ReadOnlySpan<uint> pairs = storedPairs.UInt32(), merged = storedIds.UInt32();
        RequireCount(pairs.Length / 2, GgufKeys.PackedMerges, file);
        if (pairs.Length != 2L * merged.Length)
            throw Damaged(file, GgufKeys.PackedMergeIds, $"{merged.Length} ids for {pairs.Length} halves of merges");
        RequireIds(pairs, vocabSize, GgufKeys.PackedMerges, file);
        RequireIds(merged, vocabSize, GgufKeys.PackedMergeIds, file);
        return Slots(metadata, GgufKeys.MergeSlots, merged.Length, file) is { } slots
            ? new MergeTable(Numbers.Of(storedPairs), Numbers.Of(storedIds), Numbers.Of(slots))
            : Unique(new MergeTable(Numbers.Of(storedPairs), Numbers.Of(storedIds)), GgufKeys.PackedMerges, file);
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

    /// <summary>
    /// Two neighbours are joined where the vocabulary has what they make, the highest score first: each token is what all pairs make that its text can be cut into. Pairs of one
    /// token have one rank, so that of equals the leftmost is joined, as in SentencePiece.
    /// </summary>
    private static MergeTable ReadScores(GgufMetadata metadata, TokenTable tokens, string file)
    {
        float[] keys = metadata.GetArray(GgufKeys.Scores).Float32().ToArray();
        if (keys.Length != tokens.Count)
            throw Damaged(file, GgufKeys.Scores, $"{keys.Length} scores for {tokens.Count} tokens");
        var order = new int[keys.Length];
        for (int id = 0; id < order.Length; id++)
        {
            order[id] = id;
            keys[id] = float.IsNaN(keys[id]) ? throw Damaged(file, GgufKeys.Scores, $"the score of token {id} is not a number") : -keys[id];
        }
        order.AsSpan().Sort((a, b) => keys[a].CompareTo(keys[b]) is not 0 and var sign ? sign : a - b);
        var pairs = new List<uint>();
        var ranks = new List<uint>();
        var merged = new uint[order.Length];
        for (int rank = 0; rank < order.Length; rank++)
        {
            int id = order[rank];
            merged[rank] = (uint)id;
            ReadOnlySpan<byte> text = tokens.Text(id);
            if (!IsText(id))
                continue;
            if (text.Length > GgufLimits.ScoredTokenBytes)
                throw Damaged(file, GgufKeys.Tokens, $"token {id} has {text.Length} bytes; {GgufLimits.ScoredTokenBytes} are possible where tokens have scores");
            for (int cut = 1; cut < text.Length; cut++)
            {
                if ((text[cut] & 0xC0) == 0x80 || tokens.Find(text[..cut]) is not (>= 0 and var left) || tokens.Find(text[cut..]) is not (>= 0 and var right) || !IsText(left) || !IsText(right))
                    continue;
                pairs.Add((uint)left);
                pairs.Add((uint)right);
                ranks.Add((uint)rank);
            }
        }
        RequireCount(ranks.Count, GgufKeys.Scores, file);
        return new MergeTable(pairs.ToArray(), merged, ranks.ToArray());

        bool IsText(int id) => tokens.Type(id) is TokenType.Normal or TokenType.UserDefined;
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

    private static ModelFormatException Damaged(string file, string key, string problem) => new(ModelFault.Damaged, file, problem, key);
}
