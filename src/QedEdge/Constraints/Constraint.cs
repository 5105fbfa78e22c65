using System.Text;
using QedEdge.Text;

namespace QedEdge.Constraints;

/// <summary>What a generated text must be: all of it, and always. Immutable, for any number of sessions and threads.</summary>
public sealed class Constraint
{
    private readonly GrammarProgram _program;
    private TokenMasks? _masks; // of the vocabulary last used

    private Constraint(params ReadOnlySpan<Expression> rules) => _program = ProgramBuilder.Build(rules);

    /// <summary>Texts that a regular expression matches as a whole: the syntax and meaning of ECMAScript's, without look-around, back-references, word boundaries and Unicode properties.</summary>
    /// <param name="pattern">The regular expression.</param>
    /// <exception cref="InvalidOptionException">It is none, has something that is not supported, or is too large; the message says where.</exception>
    public static Constraint Regex(string pattern) => new(RegexParser.Parse(pattern));

    /// <summary>One of several texts.</summary>
    /// <param name="texts">The texts, at least one.</param>
    /// <exception cref="InvalidOptionException">There are none, too many, or too much text; or one is no well-formed UTF-16.</exception>
    public static Constraint Choice(IReadOnlyList<string> texts)
    {
        if (texts.Count is 0 or > RequestLimits.Choices)
            throw new InvalidOptionException($"there must be 1 to {RequestLimits.Choices} texts to choose from, got {texts.Count}");
        var parts = new Expression[texts.Count];
        for (int i = 0; i < parts.Length; i++)
        {
            byte[] bytes = Encoding.UTF8.GetBytes(texts[i]);
            if (Encoding.UTF8.GetString(bytes) != texts[i])
                throw new InvalidOptionException("a text to choose from has half of a surrogate pair");
            parts[i] = Expression.Bytes(bytes);
        }
        return new Constraint(Expression.Choice(parts));
    }

    /// <summary>Its masks for a vocabulary, made on first use.</summary>
    internal TokenMasks MasksFor(TokenTrie trie)
    {
        if (_masks is { } known && known.Trie == trie)
            return known;
        return _masks = new TokenMasks(_program, trie);
    }

    /// <summary>The automaton without a vocabulary.</summary>
    internal Automaton Automaton()
    {
        Span<bool> bytes = stackalloc bool[256];
        bytes.Fill(true);
        return new Automaton(_program, bytes);
    }
}
