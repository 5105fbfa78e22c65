namespace QedEdge.Architectures.Families;

/// <summary>Llama (Touvron et al. 2023) and what has its shape, SmolLM2 and TinyLlama: RMSNorm, rotary positions, SwiGLU, key-value heads that several heads share.</summary>
internal sealed class LlamaFamily() : Family("llama", "llama")
{
    public override bool InterleavesRows => true;

    public override Architecture Describe(Hyperparameters h)
    {
        Norm norm = h.RmsNorm(absent: 1e-6f);
        int size = h.HeadSize();
        var attention = new AttentionShape(norm, h.Heads, h.KvHeads, size) { Rotary = h.Rotary(size), Scale = Hyperparameters.RootScale(size) };
        var layer = new LayerShape(attention, h.FeedForward(norm, Activation, isGated: true)) { Biases = h.Biases(SlotSet.FeedForward, h.Biases(SlotSet.Attention)) };
        return h.Decoder(Name, norm, layer);
    }

    public override CheckpointNames Names => CheckpointNames.Llama;
}
