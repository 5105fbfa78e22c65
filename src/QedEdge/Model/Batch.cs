namespace QedEdge.Model;

/// <summary>Tokens that go through the layers together.</summary>
/// <param name="Tokens">Ids [count].</param>
/// <param name="FirstSlot">The cache slot of the first; the others follow.</param>
/// <param name="Mask">A byte per slot up to the last token's (0: padding, not attended to), or empty where all count.</param>
internal readonly record struct Batch(ReadOnlyMemory<int> Tokens, int FirstSlot, ReadOnlyMemory<byte> Mask)
{
    /// <summary>Tokens in the batch.</summary>
    public int Count => Tokens.Length;
}
