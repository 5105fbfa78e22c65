using QedEdge.Sampling;

namespace QedEdge.Generation;

/// <summary>Receives a new token of one sequence.</summary>
/// <param name="sequence">Which.</param>
/// <param name="id">The token.</param>
/// <param name="logits">What it was chosen from [VocabSize]; valid only during the call.</param>
/// <returns>Whether that sequence goes on.</returns>
public delegate bool BatchTokenHandler(int sequence, int id, ReadOnlySpan<float> logits);

/// <summary>
/// Continues the sequences of a batch together, each to its own end. Every sequence gets the tokens that <see cref="Generator"/> would choose
/// for it alone. Nothing is allocated per token.
/// </summary>
public sealed class BatchGenerator
{
    private readonly SessionBatch _batch;
    private readonly GenerationOptions[] _options;
    private readonly Sampler[] _samplers;
    private readonly int?[] _ends;
    private readonly int[] _next;    // tokens of the sequences that go on, in order
    private readonly int[] _lengths; // 1 for those, 0 for the others
    private readonly int[] _generated;
    private readonly FinishReason?[] _finish;

    /// <summary>A generator for a batch; <paramref name="options"/> of each sequence.</summary>
    /// <exception cref="InvalidOptionException">An option is out of range or for a lone session, or there is not one for each sequence.</exception>
    public BatchGenerator(SessionBatch batch, IReadOnlyList<GenerationOptions> options)
    {
        int count = batch.Sessions.Count;
        if (options.Count != count)
            throw new InvalidOptionException($"a batch of {count} sequences needs as many options, got {options.Count}");
        _batch = batch;
        _options = [.. options];
        _ends = [.. options.Select(one => one.End(batch.Sessions[0].Model))];
        _samplers = new Sampler[count];
        for (int i = 0; i < count; i++)
        {
            Generator.Check(options[i]);
            if (options[i].OnLogits is not null || options[i].OnPrompt is not null)
                throw new InvalidOptionException("a batch takes neither OnLogits nor OnPrompt");
            _samplers[i] = new Sampler(options[i].Sampling, batch.Sessions[i].VocabSize);
        }
        _next = new int[count];
        _lengths = new int[count];
        _generated = new int[count];
        _finish = new FinishReason?[count];
    }

    /// <summary>Feeds the prompts and generates until every sequence has ended.</summary>
    /// <param name="prompts">Token ids of each sequence; one that is empty and has no logits yet generates nothing.</param>
    /// <param name="onToken">Receives every new token except end tokens.</param>
    /// <param name="cancellation">Ends the run between tokens, or within the prompts.</param>
    /// <returns>Why each sequence ended, in order.</returns>
    /// <exception cref="ContextLengthException">A prompt does not fit; nothing was fed.</exception>
    public FinishReason[] Run(IReadOnlyList<int[]> prompts, BatchTokenHandler onToken, CancellationToken cancellation = default)
    {
        if (prompts.Count != _next.Length)
            throw new InvalidOptionException($"a batch of {_next.Length} sequences needs as many prompts, got {prompts.Count}");
        Array.Clear(_generated);
        Array.Clear(_finish);
        try
        {
            for (int i = 0; i < prompts.Count; i++)
                _batch.Sessions[i].Check(prompts[i], FeedOptions.Plain); // before any takes over what is baked
            int[] fed = [.. prompts.Select((prompt, i) => _batch.Sessions[i].TakeBaked(prompt))];
            _batch.Feed([.. prompts.SelectMany((prompt, i) => prompt[fed[i]..])], [.. prompts.Select((prompt, i) => prompt.Length - fed[i])], cancellation: cancellation);
            for (int i = 0; i < prompts.Count; i++)
            {
                foreach (int id in prompts[i])
                    _samplers[i].Accept(id);
                if (!_batch.Sessions[i].HasLogits || _options[i].MaxTokens == 0)
                    _finish[i] = FinishReason.Length;
            }
            int going;
            while ((going = Choose(onToken)) > 0)
                _batch.Feed(_next.AsSpan(0, going), _lengths, cancellation: cancellation);
        }
        catch (OperationCanceledException)
        {
            // What was chosen so far was received.
        }
        return [.. _finish.Select(finish => finish ?? FinishReason.Cancelled)];
    }

    /// <summary>Chooses a token for each sequence that has not ended; returns how many are to be fed.</summary>
    private int Choose(BatchTokenHandler onToken)
    {
        int going = 0;
        for (int i = 0; i < _finish.Length; i++)
        {
            _lengths[i] = 0;
            if (_finish[i] is not null)
                continue;
            Session session = _batch.Sessions[i];
            ReadOnlySpan<float> logits = session.Logits;
            int id = _samplers[i].Next(logits);
            if (id == _ends[i])
            {
                _finish[i] = FinishReason.Eos;
                continue;
            }
            _generated[i]++;
            if (!onToken(i, id, logits))
            {
                _finish[i] = FinishReason.Stop;
                continue;
            }
            // The last token wanted needs no logits after it.
            if (_generated[i] == _options[i].MaxTokens || session.IsFull)
            {
                _finish[i] = FinishReason.Length;
                continue;
            }
            _samplers[i].Accept(id);
            _next[going++] = id;
            _lengths[i] = 1;
        }
        return going;
    }
}
