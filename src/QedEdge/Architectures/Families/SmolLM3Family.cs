using QedEdge.Gguf;

namespace QedEdge.Architectures.Families;

/// <summary>SmolLM3 (Hugging Face 2025): Llama with layers, every fourth unless a list says otherwise, that have no positions at all.</summary>
internal sealed class SmolLM3Family() : Family("smollm3", "smollm3")
{
    /// <summary>One layer of so many does not rotate, unless a list says otherwise.</summary>
    public const int UsualInterval = 4;

    public override bool InterleavesRows => true;

    public override Architecture Describe(Hyperparameters h)
    {
        Norm norm = h.RmsNorm(absent: 1e-6f);
        int size = h.HeadSize(), interval = h.Number(GgufKeys.RotatedInterval, UsualInterval);
        bool[] rotated = h.Marked(GgufKeys.RotatedLayers, i => (i + 1) % interval != 0);
        var attention = new AttentionShape(norm, h.Heads, h.KvHeads, size) { Rotary = h.Rotary(size, usual: 2e6f), Scale = Hyperparameters.RootScale(size) };
        var rotating = new LayerShape(attention, h.FeedForward(norm, Activation, isGated: true)) { Biases = h.Biases(SlotSet.FeedForward, h.Biases(SlotSet.Attention)) };
        LayerShape still = rotating with { Attention = attention with { Rotary = null } };
        return h.Decoder(Name, norm, i => rotated[i] ? rotating : still, tied: true);
    }

    public override CheckpointNames Names => CheckpointNames.Llama;
}
