namespace QedEdge.Text;

/// <summary>
/// The texts of all tokens as a tree of bytes, laid out as it is walked: each node before its children, behind them the next that is no child. Special tokens, which have no text,
/// are not in it. Immutable.
/// </summary>
internal sealed class TokenTrie
{
    /// <summary>Reads all tokens of a tokenizer.</summary>
    public TokenTrie(Tokenizer tokenizer)
    {
        Tokenizer = tokenizer;
        int vocabulary = tokenizer.VocabSize;
        var tree = new Tree();
        var nodeOf = new int[vocabulary];
        var piece = new byte[tokenizer.Pieces.LongestPiece];
        for (int id = 0; id < vocabulary; id++)
        {
            int length = tokenizer.IsSpecial(id) ? 0 : tokenizer.Pieces.Copy(id, piece);
            nodeOf[id] = tree.Insert(piece.AsSpan(0, length));
            LongestToken = Math.Max(LongestToken, length);
            if (length == 1)
                SingleBytes[piece[0]] = true;
        }
        int count = tree.Count - 1; // the root has no byte
        (Bytes, Depths, Ends) = (new byte[count], new int[count], new int[count]);
        int[] placeOf = tree.Lay(Bytes, Depths, Ends);
        FirstToken = new int[count + 1];
        foreach (int node in nodeOf)
        {
            if (node > 0)
                FirstToken[placeOf[node]]++;
        }
        int total = 0;
        for (int i = 0; i <= count; i++)
            (FirstToken[i], total) = (total, total + FirstToken[i]);
        Tokens = new int[total];
        var next = FirstToken[..count];
        for (int id = 0; id < vocabulary; id++)
        {
            if (nodeOf[id] > 0)
                Tokens[next[placeOf[nodeOf[id]]]++] = id;
        }
    }

    /// <summary>The tokenizer.</summary>
    public Tokenizer Tokenizer { get; }

    /// <summary>Each node's byte.</summary>
    public byte[] Bytes { get; }

    /// <summary>How many bytes lead to a node before its own.</summary>
    public int[] Depths { get; }

    /// <summary>One past the last node of each subtree.</summary>
    public int[] Ends { get; }

    /// <summary>Where a node's tokens begin in <see cref="Tokens"/>; they end where the next node's begin.</summary>
    public int[] FirstToken { get; }

    /// <summary>Ids, those of a node together: several may have the same text.</summary>
    public int[] Tokens { get; }

    /// <summary>Bytes of the longest token.</summary>
    public int LongestToken { get; }

    /// <summary>Which bytes are a token each [256].</summary>
    public bool[] SingleBytes { get; } = new bool[256];

    /// <summary>A tree that grows: each node with its first child and its next sibling.</summary>
    private sealed class Tree
    {
        private byte[] _bytes = new byte[1024];
        private int[] _child = new int[1024], _sibling = new int[1024];

        public int Count { get; private set; } = 1;

        /// <summary>The node of a text; 0 for none.</summary>
        public int Insert(ReadOnlySpan<byte> text)
        {
            int node = 0;
            foreach (byte value in text)
            {
                int before = 0, child = _child[node];
                while (child > 0 && _bytes[child] < value)
                    (before, child) = (child, _sibling[child]);
                if (child == 0 || _bytes[child] != value)
                {
                    int added = Add(value, child);
                    (before > 0 ? ref _sibling[before] : ref _child[node]) = added;
                    child = added;
                }
                node = child;
            }
            return node;
        }

        /// <summary>Writes the nodes in the order of a walk, and returns each one's place there.</summary>
        public int[] Lay(byte[] bytes, int[] depths, int[] ends)
        {
            var placeOf = new int[Count];
            var path = new Stack<int>();
            int place = 0, node = _child[0];
            while (node > 0 || path.Count > 0)
            {
                if (node == 0)
                {
                    node = path.Pop();
                    ends[placeOf[node]] = place;
                    node = _sibling[node];
                    continue;
                }
                (placeOf[node], bytes[place], depths[place]) = (place, _bytes[node], path.Count);
                place++;
                path.Push(node);
                node = _child[node];
            }
            return placeOf;
        }

        private int Add(byte value, int sibling)
        {
            if (Count == _bytes.Length)
            {
                Array.Resize(ref _bytes, 2 * Count);
                Array.Resize(ref _child, 2 * Count);
                Array.Resize(ref _sibling, 2 * Count);
            }
            (_bytes[Count], _sibling[Count]) = (value, sibling);
            return Count++;
        }
    }
}
