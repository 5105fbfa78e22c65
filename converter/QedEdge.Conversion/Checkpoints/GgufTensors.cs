using QedEdge.Architectures;
using QedEdge.Gguf;
using QedEdge.Quantization.Formats;

namespace QedEdge.Conversion.Checkpoints;

/// <summary>The tensors of a GGUF file as those of a checkpoint.</summary>
internal static class GgufTensors
{
    /// <summary>What the file calls its tensors: as every GGUF file does, some families having queries, keys and values in one.</summary>
    public static CheckpointNames Names(GgufFile file)
    {
        bool fused = file.Find(FusedRows.NameIn(0) + ".weight") is not null;
        var slots = new List<(Slot Slot, string Name)>();
        foreach (Slot slot in Enum.GetValues<Slot>())
        {
            if (!fused || !FusedRows.Slots.Contains(slot))
                slots.Add((slot, TensorSlots.NameOf(slot)));
        }
        return new CheckpointNames("", WithoutEnd(TensorSlots.Embedding), TensorSlots.OutputNorm, WithoutEnd(TensorSlots.Head), "blk.{0}.", [.. slots])
        {
            Positions = WithoutEnd(TensorSlots.Positions),
            Fused = fused ? FusedRows.Name : null,
        };
    }

    /// <summary>The tensors, without the factors of rotary positions, which belong to the configuration.</summary>
    /// <exception cref="ModelFormatException">The file's layout is packed.</exception>
    public static List<SafetensorsTensor> Of(GgufFile file)
    {
        var tensors = new List<SafetensorsTensor>();
        foreach (GgufTensorInfo tensor in file.Tensors)
        {
            if (tensor.IsBaked || tensor.Name == TensorSlots.RotaryFactors)
                continue;
            if (TensorTypes.IsPacked(tensor.Type))
                throw new ModelFormatException(ModelFault.Unsupported, file.Name, "the weights lie in QedEdge's packed order; convert the checkpoint or the file that this one was made from", tensor: tensor.Name);
            tensors.Add(new SafetensorsTensor(tensor.Name, (tensor.Part ?? file).Name, TensorTypes.Name(tensor.Type), [.. tensor.Dimensions], tensor.Offset, tensor.Bytes)
            {
                Blocks = TensorTypes.PlainFormat(tensor.Type) is { } format && format.Info().HasScales ? format.Info() : null,
            });
        }
        return tensors;
    }

    /// <summary>The factors of rotary positions, or null.</summary>
    public static float[]? RotaryFactors(GgufFile file) =>
        file.Find(TensorSlots.RotaryFactors) is { } tensor ? file.Data(tensor).Span<float>(0, (int)tensor.ElementCount).ToArray() : null;

    private static string WithoutEnd(string name) => name[..^".weight".Length];
}
