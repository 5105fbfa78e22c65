using QedEdge.Text;

namespace QedEdge.Constraints;

/// <summary>Where a text that is generated stands in its constraint. For one thread at a time; nothing is allocated per token, once the states and masks that it needs are there.</summary>
internal sealed class ConstraintState
{
    private readonly TokenMasks _masks;
    private readonly byte[] _piece;
    private AutomatonState _state;
    private ulong[]? _near; // the mask near the last token that there can be

    /// <summary>Starts a text.</summary>
    /// <param name="masks">The constraint's, for the model's vocabulary.</param>
    /// <param name="dropsSpace">Whether a space that begins it is not shown (<see cref="StreamingDecoder"/>).</param>
    public ConstraintState(TokenMasks masks, bool dropsSpace)
    {
        _masks = masks;
        _state = masks.Start(dropsSpace);
        _piece = new byte[masks.Trie.Tokenizer.Pieces.LongestPiece];
    }

    /// <summary>Whether the text is whole.</summary>
    public bool MayEnd => _state.MayEnd;

    /// <summary>Tokens after which the text can be whole: a number that is enough, <see cref="Distances.Infinite"/> where none is known to be.</summary>
    public int TokensToEnd => _state.BytesToEnd;

    /// <summary>Adds a token, one of those that can follow.</summary>
    public void Accept(int token) => _state = _masks.Next(_state, _piece.AsSpan(0, _masks.Trie.Tokenizer.Pieces.Copy(token, _piece)));

    /// <summary>The tokens that can follow, so that the text can be whole with the last token that there can be.</summary>
    /// <param name="left">Tokens that there can be, the next one included; at least 1, and <see cref="TokensToEnd"/>.</param>
    /// <param name="count">How many can follow; none only where the text is whole.</param>
    /// <returns>A bit each [vocabulary].</returns>
    public ReadOnlySpan<ulong> Mask(int left, out int count)
    {
        TokenMask mask = _masks.Of(_state);
        if (mask.Most < left)
        {
            count = mask.Count;
            return mask.Bits;
        }
        count = _masks.Of(_state, left - 1, _near ??= new ulong[_masks.Words]);
        return _near;
    }
}
