using System.Globalization;

namespace QedEdge.Architectures;

/// <summary>What the checkpoints of a family call their tensors. Weights end in ".weight", biases in ".bias".</summary>
/// <param name="Prefix">What names of the base model may begin with; heads never do.</param>
/// <param name="Embedding">The embedding.</param>
/// <param name="OutputNorm">The last norm.</param>
/// <param name="Head">The head.</param>
/// <param name="Layer">What names of a layer begin with; {0} is its number.</param>
/// <param name="Slots">The names within a layer.</param>
internal sealed record CheckpointNames(string Prefix, string Embedding, string OutputNorm, string Head, string Layer, params (Slot Slot, string Name)[] Slots)
{
    /// <summary>What names may begin with where the decoder is a part of a larger model, longest first.</summary>
    public string[] OtherPrefixes { get; init; } = [];

    /// <summary>What the names of the larger model's other parts begin with.</summary>
    public string[] OtherParts { get; init; } = [];

    /// <summary>Learned positions, or null.</summary>
    public string? Positions { get; init; }

    /// <summary>Queries, keys and values in one tensor, within a layer; null: each has its own.</summary>
    public string? Fused { get; init; }

    /// <summary>Whether the fused tensor goes head by head, and in a head through query, key and value; else all queries come first.</summary>
    public bool IsBraided { get; init; }

    /// <summary>Whether matrices of layers are stored [inputs, outputs] (Conv1D).</summary>
    public bool IsTransposed { get; init; }

    /// <summary>Whether norms are stored less 1.</summary>
    public bool NormsPlusOne { get; init; }

    /// <summary>Tensors within a layer that are no weights and are passed over unread.</summary>
    public string[] Buffers { get; init; } = [];

    /// <summary>Llama's names, which most families with RMSNorm and a gate have.</summary>
    public static CheckpointNames Llama { get; } = new("model.", "embed_tokens", "norm", "lm_head", "layers.{0}.",
        (Slot.AttentionNorm, "input_layernorm"),
        (Slot.Query, "self_attn.q_proj"), (Slot.Key, "self_attn.k_proj"), (Slot.Value, "self_attn.v_proj"),
        (Slot.QueryNorm, "self_attn.q_norm"), (Slot.KeyNorm, "self_attn.k_norm"), (Slot.AttentionOutput, "self_attn.o_proj"),
        (Slot.FeedForwardNorm, "post_attention_layernorm"),
        (Slot.Gate, "mlp.gate_proj"), (Slot.Up, "mlp.up_proj"), (Slot.Down, "mlp.down_proj"));

    /// <summary>A layer's tensor, without ".weight" or ".bias"; the fused one for its parts.</summary>
    public string NameOf(Slot slot, int layer) => LayerPrefix(layer) + (Array.Find(Slots, entry => entry.Slot == slot).Name ?? Fused);

    /// <summary>A name without what may stand before it.</summary>
    public string WithoutPrefix(string name)
    {
        string prefix = Array.Find(OtherPrefixes, other => name.StartsWith(other, StringComparison.Ordinal)) ?? Prefix;
        return name.StartsWith(prefix, StringComparison.Ordinal) ? name[prefix.Length..] : name;
    }

    /// <summary>Whether a tensor belongs to another part of a larger model.</summary>
    public bool IsOfAnotherPart(string name) => Array.Exists(OtherParts, part => name.StartsWith(part, StringComparison.Ordinal));

    /// <summary>Whether a tensor, without the base model's prefix, belongs to a layer.</summary>
    public bool IsInLayer(string name) => name.StartsWith(Layer[..Layer.IndexOf('{')], StringComparison.Ordinal);

    /// <summary>Where a slot stands in the fused tensor, before it is unbraided; null where it has a tensor of its own.</summary>
    public FusedRows? FusedOf(AttentionShape attention, Slot slot) => Fused is null ? null : FusedRows.Of(attention, slot);

    /// <summary>What names of a layer begin with.</summary>
    private string LayerPrefix(int layer) => Layer.Replace("{0}", layer.ToString(CultureInfo.InvariantCulture), StringComparison.Ordinal);
}
