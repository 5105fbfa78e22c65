using QedEdge.Gguf;

namespace QedEdge.Architectures.Families;

/// <summary>GPT-Neo (Black et al. 2021): GPT-2 with scores that are not scaled, windows in every other layer, and no biases of queries, keys and values.</summary>
internal sealed class GptNeoFamily() : Family("gptneo", "gpt_neo")
{
    public override Activation Activation => Activation.GeluTanh;

    public override Architecture Describe(Hyperparameters h)
    {
        Norm norm = h.LayerNorm(absent: 1e-5f);
        bool[] local = h.Marked(GgufKeys.WindowLayers, static i => i % 2 == 1);
        var attention = new AttentionShape(norm, h.Heads, h.OwnKvHeads, h.SharedHeadSize) { Scale = 1f };
        SlotSet biases = SlotSet.Of(Slot.AttentionOutput, Slot.Up, Slot.Down);
        var wide = new LayerShape(attention, h.FeedForward(norm, Activation, isGated: false)) { Biases = biases };
        int? window = h.Window(absent: 256);
        LayerShape narrow = wide with { Attention = attention with { Window = window } };
        return h.Decoder(Name, norm, i => local[i] && window is not null ? narrow : wide, tied: true) with { PositionTable = h.ContextLength };
    }

    public override CheckpointNames Names { get; } = new("transformer.", "wte", "ln_f", "lm_head", "h.{0}.",
        (Slot.AttentionNorm, "ln_1"),
        (Slot.Query, "attn.attention.q_proj"), (Slot.Key, "attn.attention.k_proj"), (Slot.Value, "attn.attention.v_proj"), (Slot.AttentionOutput, "attn.attention.out_proj"),
        (Slot.FeedForwardNorm, "ln_2"), (Slot.Up, "mlp.c_fc"), (Slot.Down, "mlp.c_proj"))
    {
        Positions = "wpe",
        Buffers = ["attn.attention.bias", "attn.attention.masked_bias"],
    };
}
