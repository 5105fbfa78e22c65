namespace QedEdge.Model;

/// <summary>
/// The order of the rows of queries and keys in files of architecture "llama", whose rotary positions turn neighbours (2j, 2j + 1) where QED's
/// turn halves (j, j + size/2): within each head, row j of the first half stands at 2j and row j of the second at 2j + 1.
/// </summary>
internal static class InterleavedRows
{
    /// <summary>Where such a file has the row (of a weight or a bias) that belongs at <paramref name="row"/>.</summary>
    public static int Source(int row, int headSize)
    {
        int inHead = row % headSize, half = headSize / 2;
        return row - inHead + (inHead < half ? 2 * inHead : 2 * (inHead - half) + 1);
    }

    /// <summary>The row of ours that such a file has at <paramref name="row"/>: the other way round.</summary>
    public static int Target(int row, int headSize)
    {
        int inHead = row % headSize;
        return row - inHead + inHead / 2 + inHead % 2 * (headSize / 2);
    }
}
