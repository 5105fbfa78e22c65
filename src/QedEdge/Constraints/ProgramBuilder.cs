namespace QedEdge.Constraints;

/// <summary>Turns expressions into a <see cref="GrammarProgram"/>. Each is written before what follows it, so nodes are made from the end on.</summary>
internal sealed class ProgramBuilder
{
    private const int SharedNodes = 32; // those looked at for one that can be used again: a character's last bytes

    private const int MostWork = 8 * ConstraintLimits.States; // expressions written, also those that need no node

    private readonly List<Node> _nodes = [];
    private readonly List<Edge> _edges = [];
    private int _work;

    /// <summary>Makes a program.</summary>
    /// <param name="rules">The rules; the text is the first one's.</param>
    /// <exception cref="InvalidOptionException">It has too many states.</exception>
    public static GrammarProgram Build(params ReadOnlySpan<Expression> rules)
    {
        var builder = new ProgramBuilder();
        var starts = new int[rules.Length];
        for (int i = 0; i < rules.Length; i++)
            starts[i] = builder.Write(rules[i], builder.Add(NodeKind.End, 0, 0));
        return new GrammarProgram([.. builder._nodes], [.. builder._edges], starts);
    }

    /// <summary>Writes an expression before a node, and returns where it begins.</summary>
    private int Write(Expression expression, int next)
    {
        Spend(); // also where no node is made: an empty group can be repeated too
        Expression[] parts = expression.Parts;
        switch (expression.Kind)
        {
            case ExpressionKind.Bytes:
                for (int i = expression.Text.Length - 1; i >= 0; i--)
                    next = Single(expression.Text[i], expression.Text[i], next);
                return next;
            case ExpressionKind.Character:
                return Character(expression.Characters!, next);
            case ExpressionKind.Sequence:
                for (int i = parts.Length - 1; i >= 0; i--)
                    next = Write(parts[i], next);
                return next;
            case ExpressionKind.Choice:
                var targets = new int[parts.Length];
                for (int i = 0; i < parts.Length; i++)
                    targets[i] = Write(parts[i], next);
                return Split(targets);
            case ExpressionKind.Repeat:
                return Repeat(expression, next);
            default:
                return Add(NodeKind.Call, expression.Rule, next);
        }
    }

    private int Repeat(Expression expression, int next)
    {
        Expression part = expression.Parts[0];
        if (expression.Most == Expression.Endless)
        {
            int loop = Split([next, next]);
            _edges[_nodes[loop].First] = new Edge(0, 0, Write(part, loop));
            next = loop;
        }
        else
        {
            int end = next;
            for (int i = expression.Least; i < expression.Most; i++)
                next = Split([Write(part, next), end]);
        }
        for (int i = 0; i < expression.Least; i++)
            next = Write(part, next);
        return next;
    }

    private int Split(ReadOnlySpan<int> targets)
    {
        int first = _edges.Count;
        foreach (int target in targets)
            _edges.Add(new Edge(0, 0, target));
        return Add(NodeKind.Split, first, _edges.Count);
    }

    /// <summary>A character's bytes in UTF-8.</summary>
    private int Character(ScalarSet set, int next)
    {
        var edges = new List<Edge>();
        for (int i = 0; i < set.Count; i++)
        {
            (int begin, int last) = set[i];
            foreach ((int first, int end, int length) in new[] { (0, 0x7F, 1), (0x80, 0x7FF, 2), (0x800, 0xD7FF, 3), (0xE000, 0xFFFF, 3), (0x10000, 0x10FFFF, 4) })
            {
                if (begin <= end && last >= first)
                    Range(Math.Max(begin, first), Math.Min(last, end), length, next, edges);
            }
        }
        int at = _edges.Count;
        _edges.AddRange(edges);
        return Add(NodeKind.Bytes, at, _edges.Count);
    }

    /// <summary>Scalar values whose encodings have one length: parted until each byte but the first has all its values or the same for all.</summary>
    private void Range(int first, int last, int length, int next, List<Edge> edges)
    {
        for (int i = 1; i < length; i++)
        {
            int mask = (1 << (6 * i)) - 1;
            if ((first & ~mask) == (last & ~mask))
                continue;
            int border = (first & mask) != 0 ? (first | mask) + 1 : (last & mask) != mask ? last & ~mask : 0;
            if (border == 0)
                continue;
            Range(first, border - 1, length, next, edges);
            Range(border, last, length, next, edges);
            return;
        }
        for (int i = 0; i < length - 1; i++)
            next = Single((byte)(0x80 | first >> (6 * i) & 0x3F), (byte)(0x80 | last >> (6 * i) & 0x3F), next);
        int lead = length == 1 ? 0 : 0xF00 >> length & 0xFF, shift = 6 * (length - 1);
        edges.Add(new Edge((byte)(lead | first >> shift), (byte)(lead | last >> shift), next));
    }

    /// <summary>A node of one edge; the same one again where it was made not long ago.</summary>
    private int Single(byte low, byte high, int next)
    {
        for (int node = _nodes.Count - 1; node >= Math.Max(0, _nodes.Count - SharedNodes); node--)
        {
            if (_nodes[node] is { Kind: NodeKind.Bytes } same && same.Second == same.First + 1 && _edges[same.First] is var edge && edge.Target == next && edge.Low == low && edge.High == high)
                return node;
        }
        _edges.Add(new Edge(low, high, next));
        return Add(NodeKind.Bytes, _edges.Count - 1, _edges.Count);
    }

    private int Add(NodeKind kind, int first, int second)
    {
        Spend();
        _nodes.Add(new Node(kind, first, second));
        return _nodes.Count - 1;
    }

    private void Spend()
    {
        if (++_work > MostWork || _nodes.Count >= ConstraintLimits.States)
            throw new InvalidOptionException($"the constraint is too large: with its repetitions written out it has more than {ConstraintLimits.States} states");
    }
}
