namespace QedEdge.Text;

/// <summary>A token that is recognised in text as a whole.</summary>
/// <param name="Id">Its id.</param>
/// <param name="IsNormalized">Whether it is looked for in normalized text, behind the others; its own text is normalized then.</param>
/// <param name="StripsLeft">Whether white space before it belongs to it.</param>
/// <param name="StripsRight">Whether white space behind it does.</param>
internal sealed record AddedToken(int Id, bool IsNormalized = false, bool StripsLeft = false, bool StripsRight = false);

/// <summary>What a tokenizer consists of, as read from a model file or a checkpoint. Immutable and checked: every id is in range.</summary>
internal sealed record TokenizerData
{
    /// <summary>The vocabulary.</summary>
    public required TokenTable Tokens { get; init; }

    /// <summary>The merges.</summary>
    public required MergeTable Merges { get; init; }

    /// <summary>The pipeline.</summary>
    public required TokenizerRules Rules { get; init; }

    /// <summary>The tokens that are recognised in text as a whole: those of types that say so.</summary>
    public required AddedToken[] Added { get; init; }

    /// <summary>The id that begins a text, or -1.</summary>
    public int BosId { get; init; } = -1;

    /// <summary>The id that is put behind a text, or -1.</summary>
    public int EosId { get; init; } = -1;

    /// <summary>All ids that end a text, where a file is written from this.</summary>
    public int[] EndIds { get; init; } = [];

    /// <summary>The id that stands for what is outside the vocabulary, or -1: that vanishes.</summary>
    public int UnkId { get; init; } = -1;

    /// <summary>The id that fills a batch's short rows, or -1.</summary>
    public int PadId { get; init; } = -1;

    /// <summary>Whether a prompt begins with <see cref="BosId"/>.</summary>
    public bool AddBos { get; init; }

    /// <summary>Whether a prompt ends with <see cref="EosId"/>.</summary>
    public bool AddEos { get; init; }

    /// <summary>Whether a document ends with <see cref="EosId"/> where text is measured, as in QED's training.</summary>
    public bool EndsDocuments { get; init; }

    /// <summary>The chat template as the file has it, or null.</summary>
    public string? ChatTemplate { get; init; }
}
