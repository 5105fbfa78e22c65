using QedEdge.Conversion;
using QedEdge.Conversion.Checkpoints;
using QedEdge.Fuzz.Mutation;

namespace QedEdge.Fuzz.Targets;

/// <summary>A LoRA adapter's folder, read for a checkpoint and merged into rows of its matrices.</summary>
internal sealed class AdapterTarget : Target
{
    private string _folder = "";
    private Checkpoint _checkpoint = null!;

    public override int Share => 5;

    public override IEnumerable<byte[]> Seeds(string folder)
    {
        string model = Path.Combine(folder, "model");
        Samples.Checkpoint(model);
        _checkpoint = Checkpoint.Open(model);
        _folder = Path.Combine(folder, "adapter");
        Samples.Adapter(_folder);
        yield return FileSet.Of(_folder).ToArray();
    }

    public override byte[] Mutate(Random random, byte[] input, byte[] other) => FileSet.Mutate(random, input, other);

    public override string Execute(Input input)
    {
        FileSet.Read(input.Bytes).Write(_folder);
        LoraAdapter adapter = LoraAdapter.Read(_folder, _checkpoint);
        var plan = new TensorPlan(_checkpoint, new ConversionOptions { Threads = 1 });
        plan.Merge(adapter);
        foreach (PlannedTensor tensor in plan.Tensors)
            tensor.Update?.AddTo(tensor.Rows - 1, new float[tensor.Cols]);
        return $"merges into {plan.Tensors.Count(static tensor => tensor.Update is not null)} matrices";
    }
}
