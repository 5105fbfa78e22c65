using QedEdge.Gguf;

namespace QedEdge.Model;

/// <summary>
/// A QED model's hyperparameters, read from a file's metadata and checked against each other, so that code behind them needs no
/// checks of its own: every product of two of them fits 64 bits, and so does the size of a full key-value cache.
/// </summary>
public sealed record ModelConfig
{
    /// <summary>The value of <c>general.architecture</c> in a QED file.</summary>
    internal const string Architecture = GgufKeys.Qed;

    /// <summary>RoPE's base where a file of another architecture names none, as the tools that write them have it.</summary>
    private const float UsualRopeTheta = 10000f;

    private ModelConfig() { }

    /// <summary>The model's name, or null where the file does not give one.</summary>
    public string? Name { get; private init; }

    /// <summary>Width of the residual stream, in values.</summary>
    public int HiddenSize { get; private init; }

    /// <summary>Transformer layers.</summary>
    public int LayerCount { get; private init; }

    /// <summary>Attention heads; keys and values have as many.</summary>
    public int HeadCount { get; private init; }

    /// <summary>Values in a head: <see cref="HiddenSize"/> / <see cref="HeadCount"/>; even, because RoPE rotates pairs.</summary>
    public int HeadSize { get; private init; }

    /// <summary>Inner width of the feed-forward part, in values.</summary>
    public int FeedForwardSize { get; private init; }

    /// <summary>Tokens that the model was trained to see at once; past and new ones together may not exceed it.</summary>
    public int ContextLength { get; private init; }

    /// <summary>Rows of the embedding and output matrices; the tokenizer has as many tokens.</summary>
    public int VocabSize { get; private init; }

    /// <summary>Added to the mean square in RMSNorm; finite and positive.</summary>
    public float RmsNormEpsilon { get; private init; }

    /// <summary>The base of RoPE's frequencies (split-half pairing); finite and positive.</summary>
    public float RopeTheta { get; private init; }

    /// <summary>The token that starts a text, or null where the file names none.</summary>
    public int? BosId { get; private init; }

    /// <summary>The token that ends a text, or null.</summary>
    public int? EosId { get; private init; }

    /// <summary>The padding token, or null.</summary>
    public int? PadId { get; private init; }

    /// <summary>The token for bytes outside the vocabulary, or null.</summary>
    public int? UnkId { get; private init; }

    /// <summary>Whether the head's matrix is the embedding's.</summary>
    public bool TiedHead { get; private init; }

    /// <summary>Whether another tool's architecture names the model, so that checksums and keys may be missing, but nothing may be there that QED does not have.</summary>
    internal bool IsForeign { get; private init; }

    /// <summary>Whether the file holds the rows of queries and keys in another order (<see cref="InterleavedRows"/>).</summary>
    internal bool HasInterleavedRows { get; private init; }

    /// <summary>Reads and checks a file's hyperparameters.</summary>
    /// <param name="file">A file of architecture "qed", or of "qwen2" or "llama" with QED's structure.</param>
    /// <exception cref="ModelFormatException">
    /// Another architecture; a key is missing, of a wrong type or out of range; values contradict each other or ask for what QED models do not
    /// have; the header of a file of architecture "qed" carries no checksum.
    /// </exception>
    public static ModelConfig Read(GgufFile file)
    {
        var metadata = file.Metadata;
        string architecture = metadata.GetString(GgufKeys.Architecture);
        bool foreign = GgufKeys.IsForeign(architecture);
        if (architecture != Architecture && !foreign)
        {
            throw new ModelFormatException(ModelFault.UnknownArchitecture, file.Name,
                $"the model's architecture is '{ModelFormatException.OneLine(architecture)}', and QedEdge runs '{Architecture}' models "
                + $"(and '{GgufKeys.Qwen2}' and '{GgufKeys.Llama}' with the same structure); convert a QED checkpoint with qed-convert",
                GgufKeys.Architecture);
        }
        if (!foreign && !file.HasHeaderChecksum)
            throw Wrong(file, GgufKeys.HeaderChecksum, "the header's checksum is missing: the file is damaged or was not written by qed-convert; convert it again");

        string Key(string key) => GgufKeys.For(architecture, key);
        int hiddenSize = Size(file, Key(GgufKeys.EmbeddingLength), GgufLimits.Size);
        string headCountKey = Key(GgufKeys.HeadCount);
        int headCount = Size(file, headCountKey, GgufLimits.Size);
        int vocabSize = VocabSizeOf(file, Key(GgufKeys.VocabSize), foreign);
        if (hiddenSize % headCount != 0)
            throw Wrong(file, headCountKey, $"{headCount} heads do not divide a width of {hiddenSize}");
        int headSize = hiddenSize / headCount;
        if (headSize % 2 != 0)
            throw Wrong(file, headCountKey, $"a head size of {headSize} is odd, and rotary positions need pairs");
        if (headSize > GgufLimits.HeadSize)
            throw Wrong(file, headCountKey, $"{headCount} heads of a width of {hiddenSize} have {headSize} values each; at most {GgufLimits.HeadSize} are possible");
        Only(file, Key(GgufKeys.HeadCountKv), headCount, "key-value heads that are shared between heads");
        Only(file, Key(GgufKeys.RopeDimensionCount), headSize, "rotary positions on a part of a head");
        if (metadata.FindArray(GgufKeys.Tokens) is { } tokens && tokens.Count != vocabSize)
            throw Wrong(file, GgufKeys.Tokens, $"{tokens.Count} tokens for a vocabulary of {vocabSize}");
        if (foreign)
        {
            Only(file, Key(GgufKeys.KeyLength), headSize, "heads that together are not as wide as the model");
            Only(file, Key(GgufKeys.ValueLength), headSize, "heads that together are not as wide as the model");
            RefuseFeatures(file, architecture);
        }
        else
        {
            // Another tool's file that does not say what to add runs with token ids (QedModel.TokenizerProblem).
            CheckAdded(file, GgufKeys.AddBosToken, GgufKeys.BosTokenId);
            CheckAdded(file, GgufKeys.AddEosToken, GgufKeys.EosTokenId);
        }

        return new ModelConfig
        {
            Name = metadata.FindString(GgufKeys.Name),
            HiddenSize = hiddenSize,
            LayerCount = Size(file, Key(GgufKeys.BlockCount), GgufLimits.Layers),
            HeadCount = headCount,
            HeadSize = headSize,
            FeedForwardSize = Size(file, Key(GgufKeys.FeedForwardLength), GgufLimits.Size),
            ContextLength = Size(file, Key(GgufKeys.ContextLength), GgufLimits.Context),
            VocabSize = vocabSize,
            RmsNormEpsilon = Positive(file, Key(GgufKeys.RmsNormEpsilon)),
            RopeTheta = Positive(file, Key(GgufKeys.RopeFreqBase), foreign ? UsualRopeTheta : null),
            BosId = Token(file, GgufKeys.BosTokenId, vocabSize),
            EosId = Token(file, GgufKeys.EosTokenId, vocabSize),
            PadId = Token(file, GgufKeys.PaddingTokenId, vocabSize),
            UnkId = Token(file, GgufKeys.UnknownTokenId, vocabSize),
            TiedHead = (foreign ? null : metadata.FindBool(GgufKeys.TieWordEmbeddings)) ?? file.Find("output.weight") is null,
            IsForeign = foreign,
            HasInterleavedRows = architecture == GgufKeys.Llama,
        };
    }

    private static int Size(GgufFile file, string key, int largest)
    {
        uint value = file.Metadata.GetUInt32(key);
        return value >= 1 && value <= (uint)largest ? (int)value : throw Wrong(file, key, $"the value {value} is not within 1 to {largest}");
    }

    /// <summary>The vocabulary's size; a file of another tool need not say it beside the embedding.</summary>
    private static int VocabSizeOf(GgufFile file, string key, bool foreign) =>
        foreign && !file.Metadata.Contains(key) && file.Find("token_embd.weight")?.Dimensions[0] is >= 1 and <= GgufLimits.Size and var rows
            ? (int)rows
            : Size(file, key, GgufLimits.Size);

    private static float Positive(GgufFile file, string key, float? missing = null)
    {
        float value = file.Metadata.FindFloat32(key) ?? missing ?? file.Metadata.GetFloat32(key);
        return float.IsFinite(value) && value > 0 ? value : throw Wrong(file, key, FormattableString.Invariant($"the value {value} is not positive and finite"));
    }

    private static int? Token(GgufFile file, string key, int vocabSize)
    {
        if (file.Metadata.FindUInt32(key) is not uint id)
            return null;
        return id < (uint)vocabSize ? (int)id : throw Wrong(file, key, $"token {id} is outside the vocabulary of {vocabSize}");
    }

    /// <summary>A key whose only supported value follows from the others; it may be absent.</summary>
    private static void Only(GgufFile file, string key, int expected, string feature)
    {
        if (file.Metadata.FindUInt32(key) is uint value && value != (uint)expected)
            throw new ModelFormatException(ModelFault.Unsupported, file.Name, $"the value {value} instead of {expected} means {feature}, which QED models do not have", key);
    }

    /// <summary>Refuses what files of these architectures may ask for beyond QED's structure: each key must be missing or have the value that asks for nothing.</summary>
    private static void RefuseFeatures(GgufFile file, string architecture)
    {
        Neutral("rope.scaling.type", "none");
        Neutral("rope.scaling.factor", "1");
        Neutral("rope.scaling.attn_factor", "1");
        Neutral("rope.scale_linear", "1");
        Neutral("attention.sliding_window", "0");
        Neutral("attention.causal", "true");
        Neutral("attention.scale", "0");
        Neutral("attention.clamp_kqv", "0");
        Neutral("attention.max_alibi_bias", "0");
        Neutral("embedding_scale", "0");
        Neutral("expert_count", "0");

        void Neutral(string name, string neutral)
        {
            string key = $"{architecture}.{name}";
            if (file.Metadata.Contains(key) && file.Metadata.Describe(key) is var value && value != neutral)
                throw new ModelFormatException(ModelFault.Unsupported, file.Name, $"QED models have '{neutral}' there, not '{ModelFormatException.OneLine(value)}'", key);
        }
    }

    private static void CheckAdded(GgufFile file, string flag, string id)
    {
        if (file.Metadata.FindBool(flag) == true && !file.Metadata.Contains(id))
            throw Wrong(file, flag, $"the token is to be added, but '{id}' is missing");
    }

    private static ModelFormatException Wrong(GgufFile file, string key, string problem) =>
        new(ModelFault.Damaged, file.Name, problem, key);
}
