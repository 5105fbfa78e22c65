using QedEdge.Model;

namespace QedEdge;

/// <summary>
/// Several sessions that are fed together: each weight is read once for all their tokens. Everything a session can do its members can do,
/// one call at a time for the whole batch, and a member's results are those of a session of its own, to the bit.
/// </summary>
public sealed class SessionBatch : IDisposable
{
    private readonly Engine _engine;
    private readonly Session[] _sessions;
    private readonly Sequence[] _sequences;
    private readonly FeedOptions[] _plain;

    internal SessionBatch(QedModel model, int count, SessionOptions options)
    {
        if (count is < 1 or > Workspace.BatchSize)
            throw new InvalidOptionException($"a batch has 1 to {Workspace.BatchSize} sequences, got {count}");
        _engine = new Engine(model, options, count);
        _sessions = new Session[count];
        try
        {
            for (int i = 0; i < count; i++)
                _sessions[i] = new Session(_engine, ownsEngine: false);
        }
        catch // memory is short
        {
            Dispose();
            throw;
        }
        _sequences = [.. _sessions.Select(session => session.Sequence)];
        _plain = [.. Enumerable.Repeat(FeedOptions.Plain, count)];
    }

    /// <summary>The members.</summary>
    public IReadOnlyList<Session> Sessions => _sessions;

    /// <summary>Appends tokens to the members and computes the logits after each one's last.</summary>
    /// <param name="tokens">The tokens of all members, one member after another.</param>
    /// <param name="lengths">How many belong to each member, 0 for none [members].</param>
    /// <param name="options">What goes with each member's tokens [members]; null for nothing.</param>
    /// <param name="cancellation">Stops within a layer's time; what was done before stays. That of <paramref name="options"/> is not looked at.</param>
    /// <exception cref="ContextLengthException">One does not fit; nothing was computed or stored.</exception>
    /// <exception cref="InvalidOptionException">An id, a length, a mask or a position is not usable; nothing was computed or stored.</exception>
    /// <exception cref="NotFiniteException">Results of some members are not finite numbers; these keep what was done before, the others were fed to their ends.</exception>
    /// <exception cref="OperationCanceledException">Cancelled.</exception>
    public void Feed(ReadOnlySpan<int> tokens, ReadOnlySpan<int> lengths, FeedOptions[]? options = null, CancellationToken cancellation = default)
    {
        options ??= _plain;
        using Engine.Use use = _engine.Enter();
        if (lengths.Length != _sessions.Length || options.Length != _sessions.Length)
            throw new InvalidOptionException($"a batch of {_sessions.Length} sequences needs as many lengths and options; got {lengths.Length} and {options.Length}");
        long total = 0;
        foreach (int length in lengths)
            total += length >= 0 ? length : throw new InvalidOptionException($"a length cannot be {length}");
        if (total != tokens.Length)
            throw new InvalidOptionException($"the lengths make {total} tokens, and there are {tokens.Length}");
        for (int i = 0, start = 0; i < lengths.Length; start += lengths[i++])
        {
            if (lengths[i] > 0)
                _sessions[i].Check(tokens.Slice(start, lengths[i]), options[i]);
        }
        for (int i = 0; i < lengths.Length; i++)
            _sessions[i].Begin(lengths[i], options[i]);
        _engine.Feed(_sequences, lengths, tokens, options, cancellation);
    }

    /// <summary>Frees the memory and ends the threads; the members are closed with it. What happens to a call that is under way is as for <see cref="Session.Dispose"/>. Never throws.</summary>
    public void Dispose()
    {
        _engine.Dispose(); // first, so that a call ends as cancelled, not at a member that is gone
        foreach (Session? session in _sessions)
            session?.Dispose(); // there is none where the constructor failed
    }

    /// <summary>As <see cref="Engine.Hold"/>.</summary>
    internal Engine.Use Hold() => _engine.Hold();
}
