using QedEdge.Text;

namespace QedEdge.Constraints;

/// <summary>
/// What tokens can follow in the texts of a constraint, for one vocabulary: its tree of bytes and the automaton are walked together, once for each state. For any number of threads.
/// </summary>
internal sealed class TokenMasks
{
    private readonly Automaton _automaton;
    private readonly AutomatonState[] _path; // behind each byte of a token
    private readonly Lock _gate = new();
    private AutomatonState? _beforeSpace;

    /// <summary>The masks of a grammar.</summary>
    public TokenMasks(GrammarProgram program, TokenTrie trie)
    {
        Trie = trie;
        _automaton = new Automaton(program, trie.SingleBytes);
        _path = new AutomatonState[trie.LongestToken + 1];
    }

    /// <summary>The vocabulary.</summary>
    public TokenTrie Trie { get; }

    /// <summary>Words of a mask: a bit for each token.</summary>
    public int Words => (Trie.Tokenizer.VocabSize + 63) / 64;

    /// <summary>The state of the empty text.</summary>
    /// <param name="dropsSpace">Whether a space that begins the text is left out of it.</param>
    public AutomatonState Start(bool dropsSpace)
    {
        lock (_gate)
            return dropsSpace ? _beforeSpace ??= _automaton.StartBeforeSpace(Trie.SingleBytes) : _automaton.Start;
    }

    /// <summary>The state behind a token's bytes, or behind any others.</summary>
    public AutomatonState Next(AutomatonState state, ReadOnlySpan<byte> bytes)
    {
        lock (_gate)
        {
            foreach (byte value in bytes)
                state = _automaton.Next(state, value);
            return state;
        }
    }

    /// <summary>The tokens behind which a text can still be finished, however long that takes.</summary>
    public TokenMask Of(AutomatonState state)
    {
        lock (_gate)
        {
            if (state.Mask is { } known)
                return known;
            var bits = new ulong[Words];
            (int count, int most) = Walk(state, Distances.Infinite - 1, bits);
            _automaton.Count(bits.Length);
            return state.Mask = new TokenMask(bits, count, most);
        }
    }

    /// <summary>The tokens behind which a text can be finished with a number of further ones; returns how many they are.</summary>
    /// <param name="state">Where the text stands.</param>
    /// <param name="tokensLeft">Tokens that can be there behind the next.</param>
    /// <param name="bits">Receives a bit each [<see cref="Words"/>].</param>
    public int Of(AutomatonState state, int tokensLeft, ulong[] bits)
    {
        lock (_gate)
            return Walk(state, tokensLeft, bits).Count;
    }

    private (int Count, int Most) Walk(AutomatonState state, int mostBytes, ulong[] bits)
    {
        Array.Clear(bits);
        int count = 0, most = 0;
        byte[] bytes = Trie.Bytes;
        _path[0] = state;
        for (int node = 0; node < bytes.Length;)
        {
            int depth = Trie.Depths[node];
            AutomatonState next = _automaton.Next(_path[depth], bytes[node]);
            if (next.IsDead)
            {
                node = Trie.Ends[node];
                continue;
            }
            _path[depth + 1] = next;
            if (next.BytesToEnd <= mostBytes)
            {
                int end = Trie.FirstToken[node + 1];
                for (int i = Trie.FirstToken[node]; i < end; i++)
                {
                    int token = Trie.Tokens[i];
                    bits[token >> 6] |= 1ul << token;
                    count++;
                    most = Math.Max(most, next.BytesToEnd);
                }
            }
            node++;
        }
        return (count, most);
    }
}
