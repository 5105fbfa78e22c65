namespace QedEdge.Model;

/// <summary>Consecutive tokens of one sequence in a batch.</summary>
/// <param name="Sequence">Whose they are.</param>
/// <param name="Row">The batch row of the first.</param>
/// <param name="Count">How many.</param>
internal readonly record struct Segment(Sequence Sequence, int Row, int Count)
{
    /// <summary>The first token's index in its sequence: how many were stored before.</summary>
    public int Begin => Sequence.Count;
}

/// <summary>Queries of a segment that attend together.</summary>
/// <param name="Segment">The segment's number in its batch.</param>
/// <param name="First">The first query, counted from the segment's first token.</param>
/// <param name="Count">How many.</param>
internal readonly record struct QueryTile(int Segment, int First, int Count);

/// <summary>Tokens that go through the layers together, of one sequence or of several: each weight is read once for all.</summary>
/// <param name="group">Heads that share a key-value head: so many fewer tokens share a pass over its keys.</param>
/// <param name="relative">Whether only distances between positions count; else those of a masked sequence are counted from its first token that is not masked.</param>
internal sealed class Batch(int group, bool relative)
{
    private readonly int _tileTokens = Math.Max(1, WorkerSpace.Rows / group);
    private readonly int[] _tokens = new int[Workspace.BatchSize];
    private readonly int[] _positions = new int[Workspace.BatchSize];
    private readonly Segment[] _segments = new Segment[Workspace.BatchSize];
    private readonly QueryTile[] _tiles = new QueryTile[Workspace.BatchSize];
    private int _segmentCount;
    private int _tileCount;

    /// <summary>Tokens in the batch.</summary>
    public int Count { get; private set; }

    /// <summary>Ids [Count].</summary>
    public ReadOnlySpan<int> Tokens => _tokens.AsSpan(0, Count);

    /// <summary>Positions for the rotary embedding [Count].</summary>
    public ReadOnlySpan<int> Positions => _positions.AsSpan(0, Count);

    /// <summary>Whose tokens they are, in order of their rows.</summary>
    public ReadOnlySpan<Segment> Segments => _segments.AsSpan(0, _segmentCount);

    /// <summary>All queries, in tiles that do not cross segments.</summary>
    public ReadOnlySpan<QueryTile> Tiles => _tiles.AsSpan(0, _tileCount);

    /// <summary>Tokens that can still be added.</summary>
    public int Room => Workspace.BatchSize - Count;

    /// <summary>Empties the batch.</summary>
    public void Clear()
    {
        Count = _segmentCount = _tileCount = 0;
    }

    /// <summary>Adds the next tokens of a sequence that is not in the batch yet.</summary>
    /// <param name="sequence">The sequence; the tokens follow those it has.</param>
    /// <param name="tokens">Ids, not more than <see cref="Room"/>.</param>
    /// <param name="positions">Their positions, or empty: those that follow.</param>
    public void Add(Sequence sequence, ReadOnlySpan<int> tokens, ReadOnlySpan<int> positions)
    {
        tokens.CopyTo(_tokens.AsSpan(Count));
        Span<int> own = _positions.AsSpan(Count, tokens.Length);
        if (!positions.IsEmpty)
        {
            positions.CopyTo(own);
        }
        else
        {
            int before = sequence.Count;
            for (int i = 0; i < own.Length; i++)
                own[i] = relative || !sequence.Masked ? before + i : Math.Max(0, before + i - sequence.Mask[..(before + i + 1)].Count((byte)0));
        }
        for (int first = 0; first < tokens.Length; first += _tileTokens)
            _tiles[_tileCount++] = new QueryTile(_segmentCount, first, Math.Min(_tileTokens, tokens.Length - first));
        _segments[_segmentCount++] = new Segment(sequence, Count, tokens.Length);
        Count += tokens.Length;
    }
}
