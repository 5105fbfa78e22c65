using QedEdge.Conversion;

namespace QedEdge.Tests.Conversion;

/// <summary>Allocations are counted for the whole process: no other test may run meanwhile.</summary>
[CollectionDefinition(nameof(ConversionAllocationTests), DisableParallelization = true)]
[Collection(nameof(ConversionAllocationTests))]
public sealed class ConversionAllocationTests
{
    [Fact]
    public void Convert_LargerCheckpoint_KeepsItsMemory()
    {
        using var folder = new CheckpointFolder();
        File.WriteAllText(folder["c.json"], """{"model_type":"qed","vocab_size":8192,"d_model":256,"n_layers":24,"n_heads":4,"ffn_hidden_dim":1024,"max_seq_len":256}""");
        long bytes = RandomCheckpoint.Write(folder["c.json"], folder["model"], 1, CheckpointType.F32, overwrite: false);
        Assert.True(bytes > 100_000_000);
        long before = GC.GetTotalAllocatedBytes(precise: true);
        CheckpointConverter.Convert(folder["model"], folder["out"], new() { Threads = 2 });
        Assert.InRange(GC.GetTotalAllocatedBytes(precise: true) - before, 0, 64 << 20);
    }
}
