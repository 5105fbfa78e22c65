namespace QedEdge.Architectures.Families;

/// <summary>Qwen3 (Yang et al. 2025): Llama with a norm of each query and key before rotation, and heads that together are wider than the residual stream.</summary>
internal sealed class Qwen3Family() : Family("qwen3", "qwen3")
{
    private const int UsualHeadSize = 128;

    public override Architecture Describe(Hyperparameters h)
    {
        Norm norm = h.RmsNorm(absent: 1e-6f);
        int size = h.HeadSize(absent: UsualHeadSize);
        var attention = new AttentionShape(norm, h.Heads, h.KvHeads, size) { QueryKeyNorm = norm, Rotary = h.Rotary(size), Scale = Hyperparameters.RootScale(size) };
        return h.Decoder(Name, norm, new LayerShape(attention, h.FeedForward(norm, Activation, isGated: true)) { Biases = h.Biases(SlotSet.Attention) });
    }

    public override CheckpointNames Names => CheckpointNames.Llama;
}
