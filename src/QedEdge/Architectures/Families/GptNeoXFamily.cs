using QedEdge.Gguf;

namespace QedEdge.Architectures.Families;

/// <summary>GPT-NeoX (Black et al. 2022) and Pythia: LayerNorm, rotary positions on a part of each head, both halves of a layer side by side; checkpoints braid queries, keys and values.</summary>
internal sealed class GptNeoXFamily() : Family("gptneox", "gpt_neox")
{
    public override Activation Activation => Activation.GeluErf;

    public override Architecture Describe(Hyperparameters h)
    {
        Norm norm = h.LayerNorm(absent: 1e-5f);
        int size = h.SharedHeadSize;
        var attention = new AttentionShape(norm, h.Heads, h.OwnKvHeads, size) { Rotary = h.PartialRotary(size, absent: 0.25f), Scale = Hyperparameters.RootScale(size) };
        var layer = new LayerShape(attention, h.FeedForward(norm, Activation, isGated: false))
        {
            Parallel = h.Flag(GgufKeys.ParallelResidual, true),
            Biases = h.Biases(SlotSet.Attention, SlotSet.Of(Slot.Up, Slot.Down), absent: true),
        };
        return h.Decoder(Name, norm, layer);
    }

    public override CheckpointNames Names { get; } = new("gpt_neox.", "embed_in", "final_layer_norm", "embed_out", "layers.{0}.",
        (Slot.AttentionNorm, "input_layernorm"), (Slot.AttentionOutput, "attention.dense"),
        (Slot.FeedForwardNorm, "post_attention_layernorm"), (Slot.Up, "mlp.dense_h_to_4h"), (Slot.Down, "mlp.dense_4h_to_h"))
    {
        Fused = "attention.query_key_value",
        IsBraided = true,
        Buffers = ["attention.bias", "attention.masked_bias", "attention.rotary_emb.inv_freq"],
    };
}
