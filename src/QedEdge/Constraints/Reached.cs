namespace QedEdge.Constraints;

/// <summary>A set of nodes with their calls, in the order in which they came. Kept for many steps: nothing is allocated once it is large enough.</summary>
internal sealed class Reached
{
    private int[] _table = new int[64]; // a place + 1, or 0; a power of two, at most half full

    /// <summary>How many there are.</summary>
    public int Count { get; private set; }

    /// <summary>The nodes; the first <see cref="Count"/> count.</summary>
    public int[] Nodes { get; private set; } = new int[32];

    /// <summary>Their calls.</summary>
    public CallStack?[] Stacks { get; private set; } = new CallStack?[32];

    /// <summary>A number that is likely to be another for another pair.</summary>
    public static uint Hash(int node, CallStack? stack)
    {
        uint mixed = (uint)node * 0x9E3779B1 ^ (uint)(stack?.Id ?? 0) * 0x85EBCA77;
        return (mixed ^ mixed >> 15) * 0xC2B2AE3D;
    }

    public bool Contains(int node, CallStack? stack) => _table[Find(node, stack)] > 0;

    public void Add(int node, CallStack? stack)
    {
        int slot = Find(node, stack);
        if (_table[slot] > 0)
            return;
        if (Count == Nodes.Length)
        {
            Grow();
            slot = Find(node, stack);
        }
        (Nodes[Count], Stacks[Count]) = (node, stack);
        _table[slot] = ++Count;
    }

    public void Clear()
    {
        for (int i = 0; i < Count; i++)
            _table[Slot(i)] = 0;
        Count = 0;
    }

    private void Grow()
    {
        int[] nodes = new int[2 * Count];
        var stacks = new CallStack?[2 * Count];
        Nodes.CopyTo(nodes, 0);
        Stacks.CopyTo(stacks, 0);
        (Nodes, Stacks, _table) = (nodes, stacks, new int[4 * Count]);
        for (int i = 0; i < Count; i++)
            _table[Find(Nodes[i], Stacks[i])] = i + 1;
    }

    private int Slot(int place)
    {
        int slot = (int)Hash(Nodes[place], Stacks[place]) & _table.Length - 1;
        while (_table[slot] != place + 1)
            slot = slot + 1 & _table.Length - 1;
        return slot;
    }

    private int Find(int node, CallStack? stack)
    {
        int slot = (int)Hash(node, stack) & _table.Length - 1;
        while (_table[slot] is > 0 and var place && !(Nodes[place - 1] == node && Stacks[place - 1] == stack))
            slot = slot + 1 & _table.Length - 1;
        return slot;
    }
}
