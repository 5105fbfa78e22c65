namespace QedEdge.Text;

/// <summary>What a tokenizer consists of, as read from a model file or a checkpoint. Immutable and checked: every id is in range.</summary>
internal sealed class TokenizerData
{
    /// <summary>The vocabulary.</summary>
    public required TokenTable Tokens { get; init; }

    /// <summary>The merges.</summary>
    public required MergeTable Merges { get; init; }

    /// <summary>How text is cut into words.</summary>
    public required PreTokenizer PreTokenizer { get; init; }

    /// <summary>The id that begins a text, or -1.</summary>
    public int BosId { get; init; } = -1;

    /// <summary>The id that ends a text, or -1.</summary>
    public int EosId { get; init; } = -1;

    /// <summary>The id that stands for a byte outside the vocabulary, or -1: such bytes vanish.</summary>
    public int UnkId { get; init; } = -1;

    /// <summary>The id that fills a batch's short rows, or -1.</summary>
    public int PadId { get; init; } = -1;

    /// <summary>Whether a prompt begins with <see cref="BosId"/>.</summary>
    public bool AddBos { get; init; }

    /// <summary>Whether a prompt ends with <see cref="EosId"/>.</summary>
    public bool AddEos { get; init; }

    /// <summary>The chat template as the file has it, or null.</summary>
    public string? ChatTemplate { get; init; }
}
