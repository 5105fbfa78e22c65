using System.Runtime.InteropServices;

namespace QedEdge.Generation;

/// <summary>A prompt to continue, among others.</summary>
public sealed record GenerationRequest
{
    /// <summary>Token ids; an empty one generates nothing.</summary>
    public required int[] Prompt { get; init; }

    /// <summary>What to generate; none of the calls of <see cref="GenerationOptions"/>.</summary>
    public GenerationOptions Options { get; init; } = new();

    /// <summary>Receives every new token except end tokens.</summary>
    public required TokenHandler OnToken { get; init; }

    /// <summary>Called once when it has ended.</summary>
    public Action<FinishReason>? OnEnd { get; init; }

    /// <summary>
    /// Called instead where it cannot be begun (the prompt does not fit, an id or an option is out of range) or cannot go on (its results are not finite numbers, no token is
    /// left to draw). The others go on. Without it that ends the run.
    /// </summary>
    public Action<QedException>? OnError { get; init; }
}

/// <summary>
/// Continues any number of prompts with the sessions of a batch: each takes the next request as soon as it has ended one. Every request gets the tokens that
/// <see cref="Generator"/> would choose for it alone. Nothing is allocated per token.
/// </summary>
/// <param name="batch">Its sessions are filled with one request after another.</param>
public sealed class BatchGenerator(SessionBatch batch)
{
    private readonly Member[] _members = [.. batch.Sessions.Select(session => new Member(session))];
    private readonly int[] _lengths = new int[batch.Sessions.Count];
    private readonly List<int> _tokens = []; // to be fed, one member's after another

    /// <summary>Generates until every request has ended. What the sessions held is forgotten.</summary>
    /// <param name="requests">Asked for the next one when a session is free.</param>
    /// <param name="cancellation">Ends the run between tokens, or within prompts.</param>
    /// <exception cref="QedException">A request cannot be begun and has no <see cref="GenerationRequest.OnError"/>.</exception>
    public void Run(IEnumerable<GenerationRequest> requests, CancellationToken cancellation = default)
    {
        using Engine.Use hold = batch.Hold();
        using IEnumerator<GenerationRequest> queue = requests.GetEnumerator();
        bool more = true;
        try
        {
            do
            {
                _tokens.Clear();
                for (int i = 0; i < _members.Length; i++)
                {
                    int before = _tokens.Count;
                    _members[i].Choose(_tokens);
                    while (_members[i].IsFree && more && !cancellation.IsCancellationRequested && (more = queue.MoveNext()))
                        _members[i].Begin(queue.Current, _tokens);
                    _lengths[i] = _tokens.Count - before;
                }
                Feed(cancellation);
            }
            while (_tokens.Count > 0);
        }
        catch (OperationCanceledException)
        {
            foreach (Member member in _members)
                member.End(FinishReason.Cancelled);
        }
        finally
        {
            foreach (Member member in _members)
                member.Forget();
        }
    }

    private void Feed(CancellationToken cancellation)
    {
        try
        {
            batch.Feed(CollectionsMarshal.AsSpan(_tokens), _lengths, cancellation: cancellation);
        }
        catch (NotFiniteException e) when (TakeErrors(e.Members))
        {
            foreach (int member in e.Members) // the others have their tokens
                _members[member].Fail(e);
        }
    }

    private bool TakeErrors(ReadOnlySpan<int> members)
    {
        foreach (int member in members)
        {
            if (!_members[member].TakesErrors)
                return false;
        }
        return true;
    }

    /// <summary>A session of the batch and the request that it works for.</summary>
    private sealed class Member(Session session)
    {
        private GenerationRequest? _request;
        private TokenChoice? _choice;
        private int _generated;

        public bool IsFree => _request is null;

        public bool TakesErrors => _request?.OnError is not null;

        public void Begin(GenerationRequest request, List<int> tokens)
        {
            _request = request;
            try
            {
                Generator.Check(request.Options);
                if (request.Options is not { OnLogits: null, OnPrompt: null, OnPrefill: null })
                    throw new InvalidOptionException("a batch takes neither OnLogits nor OnPrompt nor OnPrefill");
                session.Rollback(0);
                int fed = session.TakeBaked(request.Prompt); // checks the prompt
                _choice = new TokenChoice(session, request.Options);
                _choice.Begin(request.Prompt, fed);
                foreach (int id in request.Options.Sampling.PenalizesPrompt ? request.Prompt : [])
                    _choice.Accept(id);
                tokens.AddRange(request.Prompt.AsSpan(fed));
            }
            catch (QedException e) when (request.OnError is not null)
            {
                Forget();
                request.OnError(e);
                return;
            }
            _generated = 0;
            if (request.Prompt.Length == 0)
                End(FinishReason.Length);
        }

        /// <summary>Chooses the next token after those that were fed, and adds it to what is fed next.</summary>
        public void Choose(List<int> tokens)
        {
            if (_request is null)
                return;
            if (_request.Options.MaxTokens == 0)
            {
                End(FinishReason.Length);
                return;
            }
            ReadOnlySpan<float> logits = session.Held;
            int id;
            try
            {
                id = _choice!.Next(logits, _request.Options.MaxTokens - _generated);
            }
            catch (InvalidOptionException e) when (TakesErrors)
            {
                Fail(e);
                return;
            }
            if (id == TokenChoice.End)
            {
                End(FinishReason.Eos);
                return;
            }
            _generated++;
            if (!_request.OnToken(id, logits))
            {
                End(FinishReason.Stop);
                return;
            }
            // The last token wanted needs no logits after it.
            if (_generated == _request.Options.MaxTokens || session.IsFull)
            {
                End(FinishReason.Length);
                return;
            }
            _choice.Accept(id);
            tokens.Add(id);
        }

        public void End(FinishReason reason)
        {
            GenerationRequest? ended = _request;
            Forget();
            ended?.OnEnd?.Invoke(reason);
        }

        /// <summary>Ends the request with an error.</summary>
        public void Fail(QedException error)
        {
            GenerationRequest? failed = _request;
            Forget();
            failed?.OnError?.Invoke(error);
        }

        public void Forget() => _request = null;
    }
}
