namespace QedEdge.Architectures.Families;

/// <summary>Qwen2 and Qwen2.5 (Yang et al. 2024): Llama with biases of queries, keys and values.</summary>
internal sealed class Qwen2Family() : Family("qwen2", "qwen2")
{
    /// <summary>What always has biases.</summary>
    public static SlotSet Biases { get; } = SlotSet.Of(Slot.Query, Slot.Key, Slot.Value);

    public override Architecture Describe(Hyperparameters h)
    {
        Norm norm = h.RmsNorm(absent: 1e-6f);
        int size = h.HeadSize();
        var attention = new AttentionShape(norm, h.Heads, h.KvHeads, size) { Rotary = h.Rotary(size), Scale = Hyperparameters.RootScale(size) };
        return h.Decoder(Name, norm, new LayerShape(attention, h.FeedForward(norm, Activation, isGated: true)) { Biases = h.Biases(SlotSet.FeedForward, h.Biases(SlotSet.Attention, Biases)) });
    }

    public override CheckpointNames Names => CheckpointNames.Llama;
}
