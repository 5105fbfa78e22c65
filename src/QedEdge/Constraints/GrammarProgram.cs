namespace QedEdge.Constraints;

/// <summary>What a node of a <see cref="GrammarProgram"/> does.</summary>
internal enum NodeKind : byte
{
    /// <summary>Takes a byte, and goes to where an edge that has it leads.</summary>
    Bytes,
    /// <summary>Goes on at the targets of all its edges.</summary>
    Split,
    /// <summary>Runs a rule, and goes on behind it.</summary>
    Call,
    /// <summary>Ends the rule.</summary>
    End,
}

/// <summary>A node: of edges the first and one past the last; of a call the rule and the node behind it.</summary>
internal readonly struct Node(NodeKind kind, int first, int second)
{
    public readonly NodeKind Kind = kind;
    public readonly int First = first, Second = second;
}

/// <summary>Bytes, their ends included, and the node that they lead to.</summary>
internal readonly struct Edge(byte low, byte high, int target)
{
    public readonly byte Low = low, High = high;
    public readonly int Target = target;
}

/// <summary>A grammar as a nondeterministic automaton over bytes, with calls of rules. Immutable.</summary>
/// <param name="nodes">All nodes.</param>
/// <param name="edges">All edges, those of a node together.</param>
/// <param name="rules">Where the rules begin; the text is the first one's.</param>
internal sealed class GrammarProgram(Node[] nodes, Edge[] edges, int[] rules)
{
    public Node[] Nodes { get; } = nodes;

    public int[] Rules { get; } = rules;

    /// <summary>The edges of a node.</summary>
    public ReadOnlySpan<Edge> EdgesOf(int node) => edges.AsSpan(Nodes[node].First, Nodes[node].Second - Nodes[node].First);

    /// <summary>The number of all edges.</summary>
    public int EdgeCount => edges.Length;

    /// <summary>An edge of any node.</summary>
    public Edge Edge(int index) => edges[index];

    /// <summary>
    /// Parts the bytes into classes that no edge tells apart; the space has one of its own, since decoders may drop it. Returns the number of classes.
    /// </summary>
    /// <param name="classes">Receives each byte's class [256].</param>
    public int Classes(Span<byte> classes)
    {
        var begins = new bool[257];
        begins[' '] = begins[' ' + 1] = true;
        for (int node = 0; node < Nodes.Length; node++)
        {
            if (Nodes[node].Kind != NodeKind.Bytes)
                continue;
            foreach (Edge edge in EdgesOf(node))
                begins[edge.Low] = begins[edge.High + 1] = true;
        }
        int count = 0;
        for (int value = 0; value < 256; value++)
        {
            count += value > 0 && begins[value] ? 1 : 0;
            classes[value] = (byte)count;
        }
        return count + 1;
    }
}
