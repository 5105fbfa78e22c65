namespace QedEdge.Constraints;

/// <summary>
/// A grammar's deterministic automaton, made state by state as texts need them. No state is a dead end: what cannot be finished any more, also for too many calls within each other, is
/// left out of it. What is made is kept until it is too much; then all is forgotten, and made anew where it is needed. For one thread at a time.
/// </summary>
internal sealed class Automaton
{
    private const int MostWords = 4 << 20;  // of 8 bytes, in all that is kept
    private const int Slots = 4096;

    private readonly GrammarProgram _program;
    private readonly Distances _alive, _spelled;
    private readonly byte[] _classOf = new byte[256];
    private readonly byte[] _member; // a byte of each class
    private readonly AutomatonState?[] _slots = new AutomatonState?[Slots];
    private readonly AutomatonState _dead;
    private CallStack? _outermost; // the first of the stacks of one call
    private int _stackCount;
    private long _words;

    // What one step reaches: nodes with their stacks, in a table by both, and those still to be looked at.
    private readonly Reached _reached = new();

    /// <summary>An automaton for texts that tokens spell.</summary>
    /// <param name="program">The grammar.</param>
    /// <param name="bytes">The bytes that are a token each [256]: by those alone a text can surely be finished.</param>
    public Automaton(GrammarProgram program, ReadOnlySpan<bool> bytes)
    {
        _program = program;
        Span<bool> all = stackalloc bool[256];
        all.Fill(true);
        _alive = new Distances(program, all);
        _spelled = bytes.Contains(false) ? new Distances(program, bytes) : _alive;
        ClassCount = program.Classes(_classOf);
        _member = new byte[ClassCount];
        for (int value = 0; value < 256; value++)
            _member[_classOf[value]] = (byte)value;
        _dead = new AutomatonState([], [], false, Distances.Infinite, ClassCount);
        Add(program.Rules[0], null);
        Start = Intern();
    }

    /// <summary>Classes of bytes that the grammar does not tell apart.</summary>
    public int ClassCount { get; }

    /// <summary>The empty text.</summary>
    public AutomatonState Start { get; }

    /// <summary>The empty text where a space that begins it does not count: decoders of some vocabularies leave it out.</summary>
    /// <param name="bytes">The bytes that are a token each [256].</param>
    public AutomatonState StartBeforeSpace(ReadOnlySpan<bool> bytes)
    {
        int toEnd = Start.MayEnd ? 0 : Distances.Infinite;
        for (int value = 0; value < 256; value++)
        {
            if (bytes[value])
                toEnd = Math.Min(toEnd, 1 + (value == ' ' ? Start : Next(Start, (byte)value)).BytesToEnd);
        }
        var start = new AutomatonState(Start.Nodes, Start.Stacks, Start.MayEnd, Math.Min(toEnd, Distances.Infinite), ClassCount);
        start.Next[_classOf[' ']] = Start;
        return start;
    }

    /// <summary>States that are known at the moment.</summary>
    public int StateCount { get; private set; }

    /// <summary>The state behind another byte.</summary>
    public AutomatonState Next(AutomatonState state, byte value) => state.Next[_classOf[value]] ?? Make(state, _classOf[value]);

    /// <summary>Counts what is kept with a state, and forgets all where it is too much.</summary>
    public void Count(long words)
    {
        _words += words;
        if (_words > MostWords)
            Forget();
    }

    private AutomatonState Make(AutomatonState state, byte @class)
    {
        byte value = _member[@class];
        for (int i = 0; i < state.Nodes.Length; i++)
        {
            foreach (Edge edge in _program.EdgesOf(state.Nodes[i]))
            {
                if (edge.Low <= value && value <= edge.High)
                    Add(edge.Target, state.Stacks[i]);
            }
        }
        return state.Next[@class] = Intern();
    }

    /// <summary>Adds a node and all that is reached from it without a byte.</summary>
    private void Add(int from, CallStack? calls)
    {
        int next = _reached.Count;
        Reach(from, calls);
        for (; next < _reached.Count; next++)
        {
            (int index, CallStack? stack) = (_reached.Nodes[next], _reached.Stacks[next]);
            Node node = _program.Nodes[index];
            switch (node.Kind)
            {
                case NodeKind.Split:
                    foreach (Edge edge in _program.EdgesOf(index))
                        Reach(edge.Target, stack);
                    break;
                case NodeKind.Call:
                    // A rule's last call needs no return.
                    Reach(_program.Rules[node.First], _program.Nodes[node.Second].Kind == NodeKind.End ? stack : Push(node.Second, stack));
                    break;
                case NodeKind.End when stack is not null:
                    Reach(stack.Node, stack.Outer);
                    break;
            }
        }
    }

    /// <summary>Adds one node, unless no end can be reached from it.</summary>
    private void Reach(int node, CallStack? stack)
    {
        if (_alive.Levels[node] + (stack?.Depth ?? 0) <= RequestLimits.JsonDepth)
            _reached.Add(node, stack);
    }

    private CallStack Push(int node, CallStack? outer)
    {
        ref CallStack? first = ref outer is null ? ref _outermost : ref outer.Deeper;
        for (CallStack? known = first; known is not null; known = known.Sibling)
        {
            if (known.Node == node)
                return known;
        }
        Count(8);
        bool spelled = _spelled.Levels[node] + (outer?.Depth ?? 0) <= RequestLimits.JsonDepth;
        return first = new CallStack(node, outer, ++_stackCount)
        {
            Sibling = first,
            Bytes = spelled ? Math.Min(Distances.Infinite, _spelled.Bytes[node] + (outer?.Bytes ?? 0)) : Distances.Infinite,
        };
    }

    /// <summary>The state of what was reached, which is forgotten.</summary>
    private AutomatonState Intern()
    {
        int count = 0, toEnd = Distances.Infinite;
        bool mayEnd = false;
        uint hash = 0;
        for (int i = 0; i < _reached.Count; i++)
        {
            (int node, CallStack? stack) = (_reached.Nodes[i], _reached.Stacks[i]);
            if (_spelled.Levels[node] + (stack?.Depth ?? 0) <= RequestLimits.JsonDepth)
                toEnd = Math.Min(toEnd, _spelled.Bytes[node] + (stack?.Bytes ?? 0));
            NodeKind kind = _program.Nodes[node].Kind;
            mayEnd |= kind == NodeKind.End && stack is null;
            if (kind != NodeKind.Bytes)
                continue;
            count++;
            hash += Reached.Hash(node, stack); // in any order
        }
        ref AutomatonState? slot = ref _slots[(hash ^ hash >> 16) % Slots];
        AutomatonState? state = count == 0 && !mayEnd ? _dead : slot;
        while (state is not null && !(state == _dead || Is(state, count, mayEnd)))
            state = state.Chained;
        if (state is null)
        {
            (int[] nodes, CallStack?[] stacks) = (new int[count], new CallStack?[count]);
            for (int i = 0, at = 0; i < _reached.Count; i++)
            {
                if (_program.Nodes[_reached.Nodes[i]].Kind == NodeKind.Bytes)
                    (nodes[at], stacks[at++]) = (_reached.Nodes[i], _reached.Stacks[i]);
            }
            Count(16 + ClassCount + 2 * count);
            state = new AutomatonState(nodes, stacks, mayEnd, toEnd, ClassCount) { Chained = slot };
            slot = state;
            StateCount++;
        }
        _reached.Clear();
        return state;
    }

    private bool Is(AutomatonState state, int count, bool mayEnd)
    {
        if (state.Nodes.Length != count || state.MayEnd != mayEnd)
            return false;
        for (int i = 0; i < count; i++)
        {
            if (!_reached.Contains(state.Nodes[i], state.Stacks[i]))
                return false;
        }
        return true;
    }

    /// <summary>Forgets all states, and what those know that someone still holds.</summary>
    private void Forget()
    {
        foreach (AutomatonState? slot in _slots)
        {
            for (AutomatonState? state = slot, next; state is not null; state = next)
            {
                Array.Clear(state.Next);
                foreach (CallStack? stack in state.Stacks)
                {
                    for (CallStack? calls = stack; calls is not null; calls = calls.Outer)
                        calls.Deeper = null;
                }
                (next, state.Mask, state.Chained) = (state.Chained, null, null);
            }
        }
        Array.Clear(_slots);
        _outermost = null;
        (_words, StateCount) = (0, 0);
    }
}
