namespace QedEdge.Architectures;

/// <summary>The places of a layer that weights stand in, in the order of a file and of the forward pass.</summary>
internal enum Slot
{
    /// <summary>The norm before attention.</summary>
    AttentionNorm,
    /// <summary>Queries.</summary>
    Query,
    /// <summary>Keys.</summary>
    Key,
    /// <summary>Values.</summary>
    Value,
    /// <summary>The queries' norm.</summary>
    QueryNorm,
    /// <summary>The keys' norm.</summary>
    KeyNorm,
    /// <summary>The matrix behind attention.</summary>
    AttentionOutput,
    /// <summary>The norm of attention's branch.</summary>
    AttentionPostNorm,
    /// <summary>The norm before the feed-forward part.</summary>
    FeedForwardNorm,
    /// <summary>The gate.</summary>
    Gate,
    /// <summary>What the gate lets through.</summary>
    Up,
    /// <summary>Back to the residual stream's width.</summary>
    Down,
    /// <summary>The norm of the feed-forward part's branch.</summary>
    FeedForwardPostNorm,
}

/// <summary>Some of a layer's slots.</summary>
/// <param name="Bits">Bit s: slot s is in it.</param>
internal readonly record struct SlotSet(uint Bits)
{
    /// <summary>Queries, keys, values and the matrix behind attention.</summary>
    public static ReadOnlySpan<Slot> Attention => [Slot.Query, Slot.Key, Slot.Value, Slot.AttentionOutput];

    /// <summary>The matrices of the feed-forward part.</summary>
    public static ReadOnlySpan<Slot> FeedForward => [Slot.Gate, Slot.Up, Slot.Down];

    /// <summary>All matrices.</summary>
    public static SlotSet Everywhere { get; } = Of([.. Attention, .. FeedForward]);

    /// <summary>The set of some slots.</summary>
    public static SlotSet Of(params ReadOnlySpan<Slot> slots)
    {
        SlotSet set = default;
        foreach (Slot slot in slots)
            set = set.With(slot);
        return set;
    }

    /// <summary>The set with one more.</summary>
    public SlotSet With(Slot slot) => new(Bits | 1u << (int)slot);

    /// <summary>Whether a slot is in it.</summary>
    public bool Contains(Slot slot) => (Bits >> (int)slot & 1) != 0;
}

/// <summary>Which matrices of a layer an input belongs to.</summary>
internal enum MatrixInput
{
    /// <summary>Query, key and value.</summary>
    Attention,
    /// <summary>The matrix behind attention.</summary>
    AttentionOutput,
    /// <summary>Gate and up.</summary>
    FeedForward,
    /// <summary>Down.</summary>
    Down,
}

/// <summary>A tensor of a layer: a matrix [Rows, Cols], or a norm [Cols].</summary>
/// <param name="Slot">Its place.</param>
/// <param name="Rows">Rows of a matrix; 0 for a norm.</param>
/// <param name="Cols">Columns of a matrix, values of a norm.</param>
/// <param name="HasBias">Whether a bias goes with it.</param>
internal sealed record TensorSlot(Slot Slot, int Rows, int Cols, bool HasBias = false)
{
    /// <summary>Which norm, or null for a matrix.</summary>
    public Norm? Norm { get; init; }

    /// <summary>Whether it is a matrix.</summary>
    public bool IsMatrix => Rows > 0;

    /// <summary>Values of its bias.</summary>
    public int BiasSize => IsMatrix ? Rows : Cols;

    /// <summary>Whether rows belong to heads that are rotated.</summary>
    public bool IsRotated => Slot is Slot.Query or Slot.Key;

    /// <summary>What a matrix multiplies.</summary>
    public MatrixInput Input => Slot switch
    {
        Slot.Query or Slot.Key or Slot.Value => MatrixInput.Attention,
        Slot.AttentionOutput => MatrixInput.AttentionOutput,
        Slot.Down => MatrixInput.Down,
        _ => MatrixInput.FeedForward,
    };

    /// <summary>Its weight's name in a GGUF file.</summary>
    public string WeightIn(int layer) => NameIn(layer) + ".weight";

    /// <summary>Its name in a GGUF file, without ".weight" or ".bias".</summary>
    public string NameIn(int layer) => $"blk.{layer}.{TensorSlots.NameOf(Slot)}";
}

/// <summary>Which tensors a model has. The only list of them: loading, converting, calibrating, inventing and planning all read it.</summary>
internal static class TensorSlots
{
    /// <summary>The embedding [VocabSize, Width].</summary>
    public const string Embedding = "token_embd.weight";

    /// <summary>Learned positions [PositionTable, Width].</summary>
    public const string Positions = "position_embd.weight";

    /// <summary>The last norm [Width], without ".weight" or ".bias".</summary>
    public const string OutputNorm = "output_norm";

    /// <summary>The head [VocabSize, Width]; absent where it is the embedding.</summary>
    public const string Head = "output.weight";

    /// <summary>The head's bias [VocabSize].</summary>
    public const string HeadBias = "output.bias";

    /// <summary>What each frequency of rotary positions is divided by [HeadSize / 2].</summary>
    public const string RotaryFactors = "rope_freqs.weight";

    /// <summary>Number of slots.</summary>
    public const int Count = (int)Slot.FeedForwardPostNorm + 1;

    /// <summary>The tensors of a layer, in a file's order.</summary>
    /// <param name="layer">The layer.</param>
    /// <param name="width">Width of the residual stream.</param>
    public static List<TensorSlot> Of(LayerShape layer, int width)
    {
        AttentionShape attention = layer.Attention;
        FeedForwardShape feedForward = layer.FeedForward;
        var slots = new List<TensorSlot>();
        Norm(Slot.AttentionNorm, attention.Norm, width);
        Matrix(Slot.Query, attention.QueryWidth, width);
        Matrix(Slot.Key, attention.KvWidth, width);
        Matrix(Slot.Value, attention.KvWidth, width);
        Norm(Slot.QueryNorm, attention.QueryKeyNorm, attention.HeadSize);
        Norm(Slot.KeyNorm, attention.QueryKeyNorm, attention.HeadSize);
        Matrix(Slot.AttentionOutput, width, attention.QueryWidth);
        Norm(Slot.AttentionPostNorm, attention.PostNorm, width);
        Norm(Slot.FeedForwardNorm, feedForward.Norm, width);
        if (feedForward.IsGated)
            Matrix(Slot.Gate, feedForward.Inner, width);
        Matrix(Slot.Up, feedForward.Inner, width);
        Matrix(Slot.Down, width, feedForward.Inner);
        Norm(Slot.FeedForwardPostNorm, feedForward.PostNorm, width);
        return slots;

        void Norm(Slot slot, Norm? norm, int size)
        {
            if (norm is not null)
                slots.Add(new TensorSlot(slot, 0, size, norm.Kind == NormKind.Layer) { Norm = norm });
        }

        void Matrix(Slot slot, int rows, int cols) => slots.Add(new TensorSlot(slot, rows, cols, layer.Biases.Contains(slot)));
    }

    /// <summary>The matrices of a layer, in the order in which a token meets them.</summary>
    /// <param name="layer">The layer.</param>
    /// <param name="width">Width of the residual stream.</param>
    public static List<TensorSlot> MatricesOf(LayerShape layer, int width) => Of(layer, width).FindAll(static slot => slot.IsMatrix);

    /// <summary>A slot's name in a GGUF file within its layer.</summary>
    public static string NameOf(Slot slot) => slot switch
    {
        Slot.Query => "attn_q",
        Slot.Key => "attn_k",
        Slot.Value => "attn_v",
        Slot.AttentionOutput => "attn_output",
        Slot.Gate => "ffn_gate",
        Slot.Up => "ffn_up",
        Slot.Down => "ffn_down",
        Slot.AttentionNorm => "attn_norm",
        Slot.FeedForwardNorm => "ffn_norm",
        Slot.QueryNorm => "attn_q_norm",
        Slot.KeyNorm => "attn_k_norm",
        Slot.AttentionPostNorm => "post_attention_norm",
        _ => "post_ffw_norm",
    };
}
