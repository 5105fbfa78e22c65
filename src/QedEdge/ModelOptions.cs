namespace QedEdge;

/// <summary>How a model is opened.</summary>
public sealed record ModelOptions
{
    /// <summary>A kernel set by name (<c>scalar</c>, <c>avx2</c>, <c>avx512</c>, <c>avxvnni</c>, <c>neon</c>, <c>neon-dp</c>), or null for the fastest. All give the same bits.</summary>
    public string? InstructionSet { get; init; }

    /// <summary>How a file is read.</summary>
    public ModelLoading Loading { get; init; }

    /// <summary>Is told, while the weights of another tool's file are repacked, the share that is done, 0 to 1; called by the thread that opens the model.</summary>
    public Action<double>? OnProgress { get; init; }
}

/// <summary>How a model file is read.</summary>
public enum ModelLoading
{
    /// <summary>Mapped: pages are read when they are touched, shared with other processes, and dropped when memory is short.</summary>
    Map,
    /// <summary>Read into memory from beginning to end, faster on slow storage; a file of plain layout is mapped all the same, since its weights are repacked into memory.</summary>
    Memory,
}

/// <summary>How a session is opened.</summary>
public sealed record SessionOptions
{
    /// <summary>Positions the session can hold; null for the model's context length. Memory is touched only as it fills.</summary>
    public int? ContextLength { get; init; }

    /// <summary>Threads, the caller's included; null for one per physical core. The number never changes a result.</summary>
    public int? Threads { get; init; }

    /// <summary>How keys and values are stored.</summary>
    public KvCacheType KvType { get; init; }

    /// <summary>What happens to tokens beyond the context length.</summary>
    public ContextOverflow Overflow { get; init; }

    /// <summary>With <see cref="ContextOverflow.Slide"/>, how many of the first tokens stay in view; null for 4. At most half the context length, and 64.</summary>
    public int? Sinks { get; init; }

    internal const int DefaultSinks = 4;
}

/// <summary>What a session does with tokens beyond its context length.</summary>
public enum ContextOverflow
{
    /// <summary>The reference's way: they are refused (<see cref="ContextLengthException"/>).</summary>
    Stop,
    /// <summary>They take the place of the oldest, the sinks excepted; each token sees a window of the context length. It ends after 2^31 tokens.</summary>
    Slide,
}

/// <summary>Receives the logits of one fed token.</summary>
/// <param name="index">The token's index in the span that was fed.</param>
/// <param name="logits">One value per vocabulary entry; valid only during the call.</param>
public delegate void LogitsHandler(int index, ReadOnlySpan<float> logits);

/// <summary>What goes with the tokens of one <see cref="Session.Feed(ReadOnlySpan{int}, FeedOptions)"/>.</summary>
public sealed record FeedOptions
{
    /// <summary>A byte per past and new token, 1 real and 0 padding that is never attended to; empty for all real.</summary>
    public ReadOnlyMemory<byte> AttentionMask { get; init; }

    /// <summary>The new tokens' positions for the rotary embedding; empty for past, past + 1, ….</summary>
    public ReadOnlyMemory<int> PositionIds { get; init; }

    /// <summary>Receives the logits of the new tokens in order, those of a chunk that is then cancelled too; null computes only the last token's.</summary>
    public LogitsHandler? OnLogits { get; init; }

    /// <summary>Which of the new tokens <see cref="OnLogits"/> receives the logits of, ascending indices; empty for all.</summary>
    public ReadOnlyMemory<int> LogitsAt { get; init; }

    /// <summary>At most this many tokens at a time, for tests; 0 for the best size. The number never changes a result.</summary>
    public int ChunkSize { get; init; }

    /// <summary>Called after each chunk of these tokens with how many of them are done.</summary>
    public Action<int>? OnChunk { get; init; }

    /// <summary>Stops within a layer's time; the chunks done before stay in the session.</summary>
    public CancellationToken Cancellation { get; init; }

    internal static FeedOptions Plain { get; } = new();

    internal bool Wants(int index) => OnLogits is not null && (LogitsAt.IsEmpty || LogitsAt.Span.BinarySearch(index) >= 0);
}
