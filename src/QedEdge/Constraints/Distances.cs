namespace QedEdge.Constraints;

/// <summary>
/// How far each node is from the end of its rule: first the fewest calls within each other, then the fewest bytes among the ways with so few. The way that has them leads, byte by
/// byte, over nodes that are nearer and nearer, and never deeper.
/// </summary>
internal sealed class Distances
{
    /// <summary>No end can be reached.</summary>
    public const int Infinite = int.MaxValue / 2;

    /// <summary>Finds the distances.</summary>
    /// <param name="program">The grammar.</param>
    /// <param name="bytes">Which bytes there are [256].</param>
    public Distances(GrammarProgram program, ReadOnlySpan<bool> bytes)
    {
        Levels = new int[program.Nodes.Length];
        Bytes = new int[program.Nodes.Length];
        Array.Fill(Levels, Infinite);
        Array.Fill(Bytes, Infinite);
        var usable = new bool[program.EdgeCount];
        for (int i = 0; i < usable.Length; i++)
        {
            Edge edge = program.Edge(i);
            for (int value = edge.Low; value <= edge.High; value++)
                usable[i] |= bytes[value];
        }
        // Targets are made before most nodes that lead to them: a pass or two are enough, but for loops.
        for (bool changed = true; changed;)
        {
            changed = false;
            for (int node = 0; node < Levels.Length; node++)
                changed |= Lower(ref Levels[node], LevelsOf(program, usable, node));
        }
        for (bool changed = true; changed;)
        {
            changed = false;
            for (int node = 0; node < Bytes.Length; node++)
                changed |= Lower(ref Bytes[node], BytesOf(program, usable, node));
        }
    }

    /// <summary>Calls within each other that the node's rule needs to its end.</summary>
    public int[] Levels { get; }

    /// <summary>Bytes to the end of the node's rule.</summary>
    public int[] Bytes { get; }

    private static bool Lower(ref int value, int candidate)
    {
        if (candidate >= value)
            return false;
        value = candidate;
        return true;
    }

    private int LevelsOf(GrammarProgram program, bool[] usable, int index)
    {
        Node node = program.Nodes[index];
        if (node.Kind == NodeKind.End)
            return 0;
        if (node.Kind == NodeKind.Call)
            return Math.Max(Levels[program.Rules[node.First]] + 1, Levels[node.Second]);
        int least = Infinite;
        for (int i = node.First; i < node.Second; i++)
        {
            if (usable[i] || node.Kind == NodeKind.Split)
                least = Math.Min(least, Levels[program.Edge(i).Target]);
        }
        return least;
    }

    private int BytesOf(GrammarProgram program, bool[] usable, int index)
    {
        Node node = program.Nodes[index];
        if (Levels[index] >= Infinite)
            return Infinite;
        if (node.Kind == NodeKind.End)
            return 0;
        if (node.Kind == NodeKind.Call)
            return Math.Min(Infinite, Bytes[program.Rules[node.First]] + Bytes[node.Second]);
        int least = Infinite;
        for (int i = node.First; i < node.Second; i++)
        {
            int target = program.Edge(i).Target;
            if ((usable[i] || node.Kind == NodeKind.Split) && Levels[target] <= Levels[index])
                least = Math.Min(least, Bytes[target] + (node.Kind == NodeKind.Bytes ? 1 : 0));
        }
        return least;
    }
}
