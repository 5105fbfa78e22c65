using QedEdge.Architectures;
using QedEdge.Gguf;

namespace QedEdge.Model;

/// <summary>Queries, keys and values of a layer that a file has in one matrix, as other tools write some families.</summary>
internal static class FusedTensors
{
    /// <summary>The matrix that has a slot's rows, and which they are; null where the file has the slot's own.</summary>
    /// <param name="file">The file.</param>
    /// <param name="attention">The layer's shape.</param>
    /// <param name="slot">A matrix of the layer.</param>
    /// <param name="layer">The layer.</param>
    public static (GgufTensorInfo Tensor, FusedRows Rows)? Find(GgufFile file, AttentionShape attention, TensorSlot slot, int layer) =>
        file.Find(slot.WeightIn(layer)) is null && FusedRows.Of(attention, slot.Slot) is { } rows && file.Find(FusedRows.NameIn(layer) + ".weight") is { } tensor ? (tensor, rows) : null;
}
