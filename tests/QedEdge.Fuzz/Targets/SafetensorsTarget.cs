using QedEdge.Conversion.Checkpoints;
using QedEdge.Fuzz.Mutation;

namespace QedEdge.Fuzz.Targets;

/// <summary>The header of a safetensors file.</summary>
internal sealed class SafetensorsTarget : Target
{
    private string _file = "";

    public override IEnumerable<byte[]> Seeds(string folder)
    {
        _file = Path.Combine(folder, "model.safetensors");
        Samples.Checkpoint(folder, tied: false, bias: true);
        yield return File.ReadAllBytes(_file);
        Samples.Checkpoint(folder, type: Conversion.CheckpointType.BF16);
        yield return File.ReadAllBytes(_file);
        Samples.Adapter(folder);
        yield return File.ReadAllBytes(Path.Combine(folder, "adapter_model.safetensors"));
    }

    public override byte[] Mutate(Random random, byte[] input, byte[] other) => SafetensorsChanges.Mutate(random, input, other);

    public override string Execute(Input input)
    {
        File.WriteAllBytes(_file, input.Bytes);
        foreach (SafetensorsTensor tensor in SafetensorsHeader.Read(_file))
        {
            if (tensor.Offset < 8 || tensor.Bytes < 0 || tensor.Bytes > input.Bytes.Length - tensor.Offset)
                throw new FaultException("a tensor lies outside its file");
        }
        return "read";
    }
}
