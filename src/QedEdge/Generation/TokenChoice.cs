using System.Numerics;
using QedEdge.Constraints;
using QedEdge.Sampling;
using QedEdge.Text;

namespace QedEdge.Generation;

/// <summary>Chooses a text's tokens: what the sampler draws from what the constraint leaves of the logits. Nothing is allocated per token.</summary>
internal sealed class TokenChoice
{
    /// <summary>What <see cref="Next"/> returns where the text ends.</summary>
    public const int End = -1;

    private readonly Session _session;
    private readonly GenerationOptions _options;
    private readonly Sampler _sampler;
    private readonly int[] _ends;
    private readonly TokenMasks? _masks;
    private ConstraintState? _text;
    private readonly float[] _masked = []; // logits of the tokens that can follow, else negative infinity [vocabulary]

    /// <summary>Chooses tokens of a session.</summary>
    /// <param name="session">The session.</param>
    /// <param name="options">How tokens are chosen.</param>
    /// <exception cref="InvalidOptionException">An option is out of range, or contradicts the constraint.</exception>
    public TokenChoice(Session session, GenerationOptions options)
    {
        // Of a session that does not slide the tokens are not more than it holds.
        _sampler = new Sampler(options.Sampling, session.VocabSize, session.Overflow == ContextOverflow.Slide ? int.MaxValue : session.Capacity + 1);
        (_session, _options, _ends) = (session, options, options.Ends(session.Model));
        if (options.Constraint is null)
            return;
        options.CheckConstraint();
        _masks = options.Constraint.MasksFor(session.Model.RequireTokenizer().Trie);
        _masked = new float[session.VocabSize];
    }

    /// <summary>Begins a text; of one without a constraint nothing need be known.</summary>
    /// <param name="prompt">The tokens before it.</param>
    /// <param name="fed">How many of them the session holds.</param>
    /// <exception cref="InvalidOptionException">The constraint cannot be met with the tokens that there can be.</exception>
    public void Begin(ReadOnlySpan<int> prompt, int fed)
    {
        if (_masks is null)
            return;
        Tokenizer tokenizer = _masks.Trie.Tokenizer;
        _text = new ConstraintState(_masks, dropsSpace: tokenizer.Rules.StripsSpace && !tokenizer.HasText(prompt));
        int left = Left(_options.MaxTokens, prompt.Length - fed);
        if (_text.TokensToEnd > left)
            throw new InvalidOptionException(_text.TokensToEnd == Distances.Infinite
                ? "the constraint cannot be met: it allows no text, or none that this vocabulary's tokens of one byte spell"
                : $"the constraint may need {_text.TokensToEnd} tokens, and there can be {Math.Max(0, left)}: allow more new tokens, or a longer context");
    }

    /// <summary>Chooses the next token, or <see cref="End"/>.</summary>
    /// <param name="logits">Logits [vocabulary].</param>
    /// <param name="tokensLeft">New tokens that are wanted at most, the next one included; at least 1.</param>
    public int Next(ReadOnlySpan<float> logits, int tokensLeft)
    {
        if (_text is not null)
        {
            ReadOnlySpan<ulong> mask = _text.Mask(Left(tokensLeft, 0), out int count);
            if (count == 0)
                return End;
            Apply(mask, logits);
            logits = _masked;
        }
        int id = _sampler.Next(logits);
        if (Array.IndexOf(_ends, id) >= 0)
            return End;
        _text?.Accept(id);
        return id;
    }

    /// <summary>Tells the penalties of a token that is fed.</summary>
    public void Accept(int id) => _sampler.Accept(id);

    /// <summary>New tokens that there can be: the last one wants no place in the context.</summary>
    private int Left(int wanted, int unfed) =>
        _session.Overflow == ContextOverflow.Slide ? wanted : Math.Min(wanted, _session.Capacity - _session.Position - unfed + 1);

    private void Apply(ReadOnlySpan<ulong> mask, ReadOnlySpan<float> logits)
    {
        Array.Fill(_masked, float.NegativeInfinity);
        for (int i = 0; i < mask.Length; i++)
        {
            int first = 64 * i;
            if (mask[i] == ulong.MaxValue)
            {
                logits.Slice(first, 64).CopyTo(_masked.AsSpan(first));
                continue;
            }
            for (ulong bits = mask[i]; bits != 0; bits &= bits - 1)
            {
                int id = first + BitOperations.TrailingZeroCount(bits);
                _masked[id] = logits[id];
            }
        }
        foreach (int end in _ends)
        {
            if ((uint)end < (uint)_masked.Length)
                _masked[end] = _text!.MayEnd ? logits[end] : float.NegativeInfinity;
        }
    }
}
