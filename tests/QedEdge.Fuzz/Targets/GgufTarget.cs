using QedEdge.Fuzz.Mutation;
using QedEdge.Gguf;

namespace QedEdge.Fuzz.Targets;

/// <summary>A model file, in memory: looked at, verified, opened, run.</summary>
internal sealed class GgufTarget : Target
{
    private const string FileName = "model.gguf";

    public override int Share => 15;

    public override IEnumerable<byte[]> Seeds(string folder) => Samples.Models(folder);

    public override byte[] Mutate(Random random, byte[] input, byte[] other) => GgufChanges.Mutate(random, input, other);

    public override string Execute(Input input)
    {
        using (GgufFile file = GgufFile.Open(input.Stream(), FileName))
            Inspect(file);
        return Runs.Model(options => QedModel.Open(input.Stream(), FileName, options));
    }

    /// <summary>What <c>qed inspect</c> and <c>qed verify</c> ask for.</summary>
    private static void Inspect(GgufFile file)
    {
        foreach (string key in file.Metadata.Keys)
            Refused(() => file.Metadata.Describe(key));
        foreach (GgufTensorInfo tensor in file.Tensors)
            _ = tensor.ToString();
        Refused(() => ModelCard.Of(file));
        Refused(() => MemoryNeed.Of(file));
        if (GgufChecksums.Present(file))
            Refused(() => GgufChecksums.Verify(file));
    }

    /// <summary>A file that cannot be described can be opened all the same.</summary>
    private static void Refused(Func<object?> look)
    {
        try
        {
            look();
        }
        catch (ModelFormatException exception) when (Judge.Problem(exception) is null)
        {
            // As documented.
        }
    }
}
