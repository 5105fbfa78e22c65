using System.Diagnostics;

namespace QedEdge.Generation;

/// <summary>Continues a session token by token. Nothing is allocated per token.</summary>
public sealed class Generator
{
    private readonly Session _session;
    private readonly GenerationOptions _options;
    private readonly TokenChoice _choice;
    private readonly int[] _next = new int[1];

    /// <summary>A generator for a session.</summary>
    /// <param name="session">What it continues; one generator at a time.</param>
    /// <param name="options">What to generate.</param>
    /// <exception cref="InvalidOptionException">An option is out of range.</exception>
    public Generator(Session session, GenerationOptions options)
    {
        Check(options);
        _session = session;
        _options = options;
        _choice = new TokenChoice(session, options);
    }

    internal static void Check(GenerationOptions options)
    {
        if (options.MaxTokens is < 0 or > RequestLimits.MaxTokens)
            throw new InvalidOptionException($"the number of tokens must be 0 or more, got {options.MaxTokens}");
    }

    /// <summary>Feeds a prompt and generates until an end token, the largest number of tokens, a full context, or the receiver's word.</summary>
    /// <param name="prompt">Token ids; may be empty when the session has logits.</param>
    /// <param name="onToken">Receives every new token except the one that ends the text.</param>
    /// <param name="cancellation">Ends the run between tokens, or within the prompt.</param>
    /// <param name="fed">How many of the prompt's tokens the session holds already; an empty one takes over what is baked into the model.</param>
    /// <exception cref="ContextLengthException">The prompt does not fit.</exception>
    /// <exception cref="InvalidOptionException">The constraint cannot be met with the tokens that there can be: nothing was fed; or biases forbid every token.</exception>
    /// <remarks>Where the session is disposed meanwhile, the run ends as cancelled.</remarks>
    public GenerationResult Run(ReadOnlySpan<int> prompt, TokenHandler onToken, CancellationToken cancellation = default, int fed = 0)
    {
        using Engine.Use hold = _session.Hold();
        long start = Stopwatch.GetTimestamp();
        if (fed == 0)
            fed = _session.TakeBaked(prompt);
        _choice.Begin(prompt, fed);
        try
        {
            int total = prompt.Length;
            _options.OnPrefill?.Invoke(fed, total);
            _session.Feed(prompt[fed..], new FeedOptions
            {
                Cancellation = cancellation,
                OnChunk = _options.OnPrefill is { } report ? done => report(fed + done, total) : null,
            });
        }
        catch (OperationCanceledException)
        {
            return new GenerationResult(FinishReason.Cancelled, prompt.Length, fed, 0, Stopwatch.GetElapsedTime(start), default);
        }
        foreach (int id in _options.Sampling.PenalizesPrompt ? prompt : default)
            _choice.Accept(id);
        _options.OnLogits?.Invoke(0, _session.Held);
        TimeSpan prefill = Stopwatch.GetElapsedTime(start);
        _options.OnPrompt?.Invoke();

        start = Stopwatch.GetTimestamp();
        int generated = 0;
        FinishReason finish = FinishReason.Length;
        while (generated < _options.MaxTokens)
        {
            if (cancellation.IsCancellationRequested || _session.IsClosing)
            {
                finish = FinishReason.Cancelled;
                break;
            }
            ReadOnlySpan<float> logits = _session.Held;
            int id = _choice.Next(logits, _options.MaxTokens - generated);
            if (id == TokenChoice.End)
            {
                finish = FinishReason.Eos;
                break;
            }
            generated++;
            if (!onToken(id, logits))
            {
                finish = FinishReason.Stop;
                break;
            }
            // The last token wanted needs no logits after it.
            if (generated == _options.MaxTokens || _session.IsFull)
                break;
            _choice.Accept(id);
            _next[0] = id;
            if (!Feed())
            {
                finish = FinishReason.Cancelled;
                break;
            }
            _options.OnLogits?.Invoke(generated, _session.Held);
        }
        return new GenerationResult(finish, prompt.Length, fed, generated, prefill, Stopwatch.GetElapsedTime(start));
    }

    /// <summary>Feeds the token that was chosen; false where the session was closed meanwhile.</summary>
    private bool Feed()
    {
        try
        {
            _session.Feed(_next);
            return true;
        }
        catch (OperationCanceledException) when (_session.IsClosing)
        {
            return false;
        }
    }
}
