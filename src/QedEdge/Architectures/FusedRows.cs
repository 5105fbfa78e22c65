namespace QedEdge.Architectures;

/// <summary>Where queries, keys or values stand in a matrix that holds all of them, one after another.</summary>
/// <param name="First">The first row.</param>
/// <param name="Count">How many rows.</param>
/// <param name="All">Rows of the matrix.</param>
internal sealed record FusedRows(int First, int Count, int All)
{
    /// <summary>The matrix's name in GGUF files, within a layer.</summary>
    public const string Name = "attn_qkv";

    /// <summary>The matrix's name in a layer, without <c>.weight</c>.</summary>
    public static string NameIn(int layer) => $"blk.{layer}.{Name}";

    /// <summary>What the matrix holds, in its order.</summary>
    public static Slot[] Slots { get; } = [Slot.Query, Slot.Key, Slot.Value];

    /// <summary>A slot's rows, or null where it is none of the three.</summary>
    public static FusedRows? Of(AttentionShape attention, Slot slot)
    {
        int all = attention.QueryWidth + 2 * attention.KvWidth;
        return slot switch
        {
            Slot.Query => new(0, attention.QueryWidth, all),
            Slot.Key => new(attention.QueryWidth, attention.KvWidth, all),
            Slot.Value => new(attention.QueryWidth + attention.KvWidth, attention.KvWidth, all),
            _ => null,
        };
    }
}
