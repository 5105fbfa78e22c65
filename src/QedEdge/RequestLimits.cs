namespace QedEdge;

/// <summary>
/// What a request may give: a line of a batch, a command line, options of the library and of the C functions. One table for all of them (docs/limits.md, which a test
/// compares): what is not bounded by the model's context or vocabulary is bounded here, so that memory stays in proportion to what was given.
/// </summary>
internal static class RequestLimits
{
    /// <summary>Bytes of a JSON text: a line of a batch, of questions or of texts; a file of default options is shorter.</summary>
    public const int JsonBytes = 64 << 20;

    /// <summary>Arrays and objects within each other.</summary>
    public const int JsonDepth = 64;

    /// <summary>Members of one object, those of <c>logit_bias</c> too.</summary>
    public const int JsonMembers = 1 << 20;

    /// <summary>Token ids of one list; the context is shorter.</summary>
    public const int Ids = 1 << 24;

    /// <summary>Messages of a conversation.</summary>
    public const int Messages = 1 << 14;

    /// <summary>Texts to choose from.</summary>
    public const int Choices = 1 << 12;

    /// <summary>Bytes of a text from a file or standard input.</summary>
    public const int TextBytes = 64 << 20;

    /// <summary>Bytes of the lines that <c>qed chat</c> keeps for other sessions.</summary>
    public const int HistoryBytes = 1 << 20;

    /// <summary>New tokens; what ends them before is the context, unless it slides.</summary>
    public const int MaxTokens = int.MaxValue;

    /// <summary>Tokens that top-k keeps; more than the vocabulary has are all of it.</summary>
    public const int TopK = int.MaxValue;

    /// <summary>Last tokens that the penalties look at.</summary>
    public const int PenaltyWindow = 1 << 20;

    /// <summary>Tokens with a logit bias.</summary>
    public const int LogitBiases = 1 << 20;

    /// <summary>Texts that end generation, those of the chat format included.</summary>
    public const int Stops = 256;

    /// <summary>UTF-16 units of one of them.</summary>
    public const int StopLength = 1024;

    /// <summary>Most likely tokens that are reported in a token's place.</summary>
    public const int LikelyTokens = 100;
}
