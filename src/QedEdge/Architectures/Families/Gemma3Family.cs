using QedEdge.Gguf;

namespace QedEdge.Architectures.Families;

/// <summary>
/// Gemma 3, text (Gemma Team 2025): RMSNorm before and behind both halves and of queries and keys, GELU with a gate, embeddings times √width; of six layers five see
/// a window and rotate with another base.
/// </summary>
internal sealed class Gemma3Family() : Family("gemma3", "gemma3_text")
{
    private const int LargestLayers = 62; // the 27B model

    public override Activation Activation => Activation.GeluTanh;

    public override string? Larger => "gemma3";

    // A larger model's text_config leaves out what is usual.
    public override int? Usual(string key) => key switch
    {
        GgufKeys.EmbeddingLength => 2304,
        GgufKeys.FeedForwardLength => 9216,
        GgufKeys.BlockCount => 26,
        GgufKeys.HeadCount => 8,
        GgufKeys.HeadCountKv => 4,
        GgufKeys.VocabSize => 262_208,
        GgufKeys.ContextLength => 131_072,
        _ => null,
    };

    /// <summary>What scores are scaled by the root of in files that do not say it: other tools know the largest model, whose scale is its own, by its layers.</summary>
    public static float UsualQueryScalar(int layers, int width, AttentionShape attention) => layers == LargestLayers ? width / attention.Heads : attention.HeadSize;

    public override Architecture Describe(Hyperparameters h)
    {
        Norm norm = h.RmsNorm(absent: 1e-6f);
        int size = h.HeadSize(absent: 256), pattern = h.Number(GgufKeys.WindowInterval, 6);
        int? window = h.Window(absent: 4096);
        bool[] local = h.Marked(GgufKeys.WindowLayers, i => (i + 1) % pattern != 0);
        Rotary rotary = h.Rotary(size, usual: 1e6f);
        var attention = new AttentionShape(norm, h.Heads, h.KvHeads, size) { QueryKeyNorm = norm, PostNorm = norm, Rotary = rotary, Scale = 1f };
        attention = attention with { Scale = 1f / MathF.Sqrt(h.Real(GgufKeys.QueryScalar, 256f, inFile: UsualQueryScalar(h.LayerCount, h.Width, attention))) };
        var wide = new LayerShape(attention, h.FeedForward(norm, Activation, isGated: true) with { PostNorm = norm }) { Biases = h.Biases(SlotSet.Attention) };
        LayerShape narrow = wide with
        {
            Attention = attention with { Window = window, Rotary = new Rotary(size, h.Real(GgufKeys.RopeLocalBase, 10_000f), 1f, HasFactors: false, null) },
        };
        return h.Decoder(Name, norm, i => local[i] && window is not null ? narrow : wide, tied: true) with { EmbeddingScale = MathF.Sqrt(h.Width) };
    }

    public override CheckpointNames Names { get; } = new("model.", "embed_tokens", "norm", "lm_head", "layers.{0}.",
        (Slot.AttentionNorm, "input_layernorm"), (Slot.Query, "self_attn.q_proj"), (Slot.Key, "self_attn.k_proj"), (Slot.Value, "self_attn.v_proj"),
        (Slot.QueryNorm, "self_attn.q_norm"), (Slot.KeyNorm, "self_attn.k_norm"), (Slot.AttentionOutput, "self_attn.o_proj"), (Slot.AttentionPostNorm, "post_attention_layernorm"),
        (Slot.FeedForwardNorm, "pre_feedforward_layernorm"), (Slot.Gate, "mlp.gate_proj"), (Slot.Up, "mlp.up_proj"), (Slot.Down, "mlp.down_proj"), (Slot.FeedForwardPostNorm, "post_feedforward_layernorm"))
    {
        NormsPlusOne = true,
        OtherPrefixes = ["language_model.model.", "model.language_model.", "language_model."],
        OtherParts = ["vision_tower.", "multi_modal_projector.", "model.vision_tower.", "model.multi_modal_projector."],
    };
}
