using QedEdge.Architectures;
using QedEdge.Architectures.Families;
using QedEdge.Gguf;

namespace QedEdge.Model;

/// <summary>
/// A model's hyperparameters, read from a file's metadata and checked against each other, so that code behind them needs no
/// checks of its own: every product of two of them fits 64 bits, and so does the size of a full key-value cache.
/// </summary>
public sealed record ModelConfig
{
    private ModelConfig() { }

    /// <summary>The model's name, or null where the file does not give one.</summary>
    public string? Name { get; private init; }

    /// <summary>The family that it is of, <c>general.architecture</c> (docs/families.md).</summary>
    public string Family { get; private init; } = "";

    /// <summary>Width of the residual stream, in values.</summary>
    public int HiddenSize { get; private init; }

    /// <summary>Transformer layers.</summary>
    public int LayerCount { get; private init; }

    /// <summary>Attention heads.</summary>
    public int HeadCount { get; private init; }

    /// <summary>Key-value heads, each shared by as many heads: <see cref="HeadCount"/> or a divisor of it.</summary>
    public int KeyValueHeadCount { get; private init; }

    /// <summary>Values in a head; even, because RoPE rotates pairs.</summary>
    public int HeadSize { get; private init; }

    /// <summary>Inner width of the feed-forward part, in values.</summary>
    public int FeedForwardSize { get; private init; }

    /// <summary>Tokens that the model was trained to see at once; past and new ones together may not exceed it.</summary>
    public int ContextLength { get; private init; }

    /// <summary>Rows of the embedding and output matrices; the tokenizer has as many tokens.</summary>
    public int VocabSize { get; private init; }

    /// <summary>Added to the mean square in RMSNorm, to the variance in LayerNorm; finite and positive.</summary>
    public float NormEpsilon { get; private init; }

    /// <summary>How many tokens one sees, itself the last, in the layers that have a window; null where all see all before them.</summary>
    public int? Window { get; private init; }

    /// <summary>The base of RoPE's frequencies (split-half pairing), finite and positive; 0 where the first layer has no rotary positions.</summary>
    public float RopeTheta { get; private init; }

    /// <summary>The token that starts a text, or null where the file names none.</summary>
    public int? BosId { get; private init; }

    /// <summary>The token that is put behind a text, or null.</summary>
    public int? EosId { get; private init; }

    /// <summary>The tokens that end a text, <see cref="EosId"/> first where there is one.</summary>
    public IReadOnlyList<int> EndIds { get; private init; } = [];

    /// <summary>The padding token, or null.</summary>
    public int? PadId { get; private init; }

    /// <summary>The token for bytes outside the vocabulary, or null.</summary>
    public int? UnkId { get; private init; }

    /// <summary>Whether the head's matrix is the embedding's.</summary>
    public bool TiedHead { get; private init; }

    /// <summary>What the model computes.</summary>
    internal Architecture Architecture { get; private init; } = null!;

    /// <summary>Whether matrices in the plain layout hold the rows of queries and keys in another order (<see cref="InterleavedRows"/>).</summary>
    internal bool HasInterleavedRows { get; private init; }

    /// <summary>Reads and checks a file's hyperparameters.</summary>
    /// <param name="file">A file of a family that is supported (docs/families.md).</param>
    /// <exception cref="ModelFormatException">
    /// Another architecture; a key is missing, of a wrong type or out of range; values contradict each other or ask for what the family does not
    /// have; the header of a file that only qed-convert writes carries no checksum.
    /// </exception>
    public static ModelConfig Read(GgufFile file)
    {
        var metadata = file.Metadata;
        ForeignFile.RefuseParts(file);
        string name = metadata.GetString(GgufKeys.Architecture);
        Family family = FamilyRegistry.Find(name) ?? throw new ModelFormatException(ModelFault.UnknownArchitecture, file.Name,
            $"the model's architecture is '{ModelFormatException.OneLine(name)}', and QedEdge runs {FamilyRegistry.Names}; convert a checkpoint of one of these with qed-convert",
            GgufKeys.Architecture);
        if (file.IsOwn && !file.HasHeaderChecksum)
            throw Wrong(file, GgufKeys.HeaderChecksum, "the header's checksum is missing: the file is damaged or was not written by qed-convert; convert it again");

        var source = new GgufHyperparameters(file, name);
        Architecture architecture = family.Describe(new Hyperparameters(source));
        source.RefuseUnread();
        return Of(file, architecture, family.InterleavesRows);
    }

    /// <summary>A file's hyperparameters where its description is known already.</summary>
    /// <param name="file">The file.</param>
    /// <param name="architecture">What its tensors are the weights of.</param>
    /// <param name="interleaved">Whether it has interleaved rows.</param>
    /// <exception cref="ModelFormatException">What else the metadata say contradicts it.</exception>
    internal static ModelConfig Of(GgufFile file, Architecture architecture, bool interleaved)
    {
        var metadata = file.Metadata;
        int vocabSize = architecture.VocabSize;
        if (metadata.FindArray(GgufKeys.Tokens) is { } tokens && tokens.Count != vocabSize)
            throw Wrong(file, GgufKeys.Tokens, $"{tokens.Count} tokens for a vocabulary of {vocabSize}");
        if (file.IsOwn)
        {
            // Another tool's file that does not say what to add runs with token ids (QedModel.TokenizerProblem).
            CheckAdded(file, GgufKeys.AddBosToken, GgufKeys.BosTokenId);
            CheckAdded(file, GgufKeys.AddEosToken, GgufKeys.EosTokenId);
        }

        AttentionShape attention = architecture.Layers[0].Attention;
        return new ModelConfig
        {
            Name = metadata.FindString(GgufKeys.Name),
            Architecture = architecture,
            Family = architecture.Name,
            HiddenSize = architecture.Width,
            LayerCount = architecture.Layers.Length,
            HeadCount = attention.Heads,
            KeyValueHeadCount = attention.KvHeads,
            HeadSize = attention.HeadSize,
            FeedForwardSize = architecture.Inner,
            ContextLength = architecture.ContextLength,
            VocabSize = vocabSize,
            NormEpsilon = architecture.OutputNorm.Epsilon,
            Window = Array.Find(architecture.Layers, static layer => layer.Attention.Window is not null)?.Attention.Window,
            RopeTheta = attention.Rotary?.Theta ?? 0f,
            BosId = Token(file, GgufKeys.BosTokenId, vocabSize),
            EosId = Token(file, GgufKeys.EosTokenId, vocabSize),
            EndIds = EndTokens.Of(file, vocabSize),
            PadId = Token(file, GgufKeys.PaddingTokenId, vocabSize),
            UnkId = Token(file, GgufKeys.UnknownTokenId, vocabSize),
            TiedHead = architecture.TiedHead,
            HasInterleavedRows = interleaved,
        };
    }

    private static int? Token(GgufFile file, string key, int vocabSize)
    {
        if (file.Metadata.FindUInt32(key) is not uint id)
            return null;
        return id < (uint)vocabSize ? (int)id : throw Wrong(file, key, $"token {id} is outside the vocabulary of {vocabSize}");
    }

    private static void CheckAdded(GgufFile file, string flag, string id)
    {
        if (file.Metadata.FindBool(flag) == true && !file.Metadata.Contains(id))
            throw Wrong(file, flag, $"the token is to be added, but '{id}' is missing");
    }

    private static ModelFormatException Wrong(GgufFile file, string key, string problem) =>
        new(ModelFault.Damaged, file.Name, problem, key);
}
