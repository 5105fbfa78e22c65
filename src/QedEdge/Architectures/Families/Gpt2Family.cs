namespace QedEdge.Architectures.Families;

/// <summary>GPT-2 (Radford et al. 2019): LayerNorm, learned positions, GELU without a gate; checkpoints have queries, keys and values in one transposed matrix.</summary>
internal sealed class Gpt2Family() : Family("gpt2", "gpt2")
{
    public override Activation Activation => Activation.GeluTanh;

    public override Architecture Describe(Hyperparameters h)
    {
        Norm norm = h.LayerNorm(absent: 1e-5f);
        int size = h.SharedHeadSize;
        var attention = new AttentionShape(norm, h.Heads, h.OwnKvHeads, size) { Scale = Hyperparameters.RootScale(size) };
        var layer = new LayerShape(attention, h.FeedForward(norm, Activation, isGated: false)) { Biases = SlotSet.Everywhere };
        return h.Decoder(Name, norm, layer, tied: true) with { PositionTable = h.ContextLength };
    }

    public override CheckpointNames Names { get; } = new("transformer.", "wte", "ln_f", "lm_head", "h.{0}.",
        (Slot.AttentionNorm, "ln_1"), (Slot.AttentionOutput, "attn.c_proj"), (Slot.FeedForwardNorm, "ln_2"), (Slot.Up, "mlp.c_fc"), (Slot.Down, "mlp.c_proj"))
    {
        Positions = "wpe",
        Fused = "attn.c_attn",
        IsTransposed = true,
        Buffers = ["attn.bias", "attn.masked_bias"],
    };
}
