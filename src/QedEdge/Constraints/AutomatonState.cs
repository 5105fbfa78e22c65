namespace QedEdge.Constraints;

/// <summary>The rest of the calls that a text is in: where the innermost goes on, and what it was called from.</summary>
internal sealed class CallStack(int node, CallStack? outer, int id)
{
    /// <summary>The node behind the call.</summary>
    public readonly int Node = node;

    /// <summary>The calls around it, or null.</summary>
    public readonly CallStack? Outer = outer;

    /// <summary>Its number among those of the automaton.</summary>
    public readonly int Id = id;

    /// <summary>Calls within each other.</summary>
    public readonly int Depth = (outer?.Depth ?? 0) + 1;

    /// <summary>Bytes from its node on to the end of the text, by tokens of one byte.</summary>
    public int Bytes;

    /// <summary>Stacks that are one call deeper, and the next of those that this one is among.</summary>
    public CallStack? Deeper, Sibling;
}

/// <summary>Where a text can stand in a grammar: all nodes that its bytes can have led to, each with its calls. What follows it is found once.</summary>
internal sealed class AutomatonState(int[] nodes, CallStack?[] stacks, bool mayEnd, int bytesToEnd, int classes)
{
    public readonly int[] Nodes = nodes; // those that take bytes
    public readonly CallStack?[] Stacks = stacks;
    public readonly AutomatonState?[] Next = new AutomatonState?[classes]; // by class of the next byte

    /// <summary>Whether the text is whole.</summary>
    public readonly bool MayEnd = mayEnd;

    /// <summary>Bytes after which the text can be whole, each of them a token: so many tokens are enough.</summary>
    public readonly int BytesToEnd = bytesToEnd;

    /// <summary>The tokens that can follow, once they are known.</summary>
    public TokenMask? Mask;

    /// <summary>The next state of the same slot in the automaton's table.</summary>
    public AutomatonState? Chained;

    /// <summary>Whether nothing can follow, and the text is not whole.</summary>
    public bool IsDead => Nodes.Length == 0 && !MayEnd;
}

/// <summary>Tokens that can follow a state.</summary>
/// <param name="bits">A bit each [vocabulary].</param>
/// <param name="count">How many they are.</param>
/// <param name="most">The most bytes that are missing behind any of them.</param>
internal sealed class TokenMask(ulong[] bits, int count, int most)
{
    public readonly ulong[] Bits = bits;
    public readonly int Count = count, Most = most;
}
