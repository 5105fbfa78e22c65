namespace QedEdge.Architectures.Families;

/// <summary>QED: RMSNorm, rotary positions, SwiGLU, all heads with keys of their own; biases everywhere or nowhere, and always one of the logits.</summary>
internal sealed class QedFamily() : Family("qed", "qed")
{
    public override Architecture Describe(Hyperparameters h)
    {
        Norm norm = h.RmsNorm(absent: 1e-5f);
        int size = h.SharedHeadSize;
        var attention = new AttentionShape(norm, h.Heads, h.OwnKvHeads, size) { Rotary = h.Rotary(size, isNamed: true), Scale = Hyperparameters.RootScale(size) };
        var layer = new LayerShape(attention, h.FeedForward(norm, Activation, isGated: true)) { Biases = h.Biases(SlotSet.FeedForward, h.Biases(SlotSet.Attention)) };
        return h.Decoder(Name, norm, layer, tied: true, headBias: true);
    }

    public override CheckpointNames Names { get; } = new("model.", "embed_tokens", "norm", "lm_head", "layers.{0}.",
        (Slot.AttentionNorm, "input_norm"),
        (Slot.Query, "attention.q_proj"), (Slot.Key, "attention.k_proj"), (Slot.Value, "attention.v_proj"), (Slot.AttentionOutput, "attention.o_proj"),
        (Slot.FeedForwardNorm, "post_attn_norm"),
        (Slot.Gate, "mlp.gate_proj"), (Slot.Up, "mlp.up_proj"), (Slot.Down, "mlp.down_proj"));
}
