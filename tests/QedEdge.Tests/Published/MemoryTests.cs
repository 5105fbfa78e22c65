using System.Text.Json.Nodes;
using QedEdge.Cli;
using QedEdge.Conversion;
using QedEdge.Gguf;
using QedEdge.Quantization;

namespace QedEdge.Tests.Published;

/// <summary>What is said of memory before a run, and what the run takes.</summary>
public sealed class MemoryTests : IDisposable
{
    private const string Shape = """{"vocab_size":4096,"d_model":384,"n_layers":12,"n_heads":6,"ffn_hidden_dim":1024,"max_seq_len":1024,"tie_word_embeddings":true}""";

    private readonly string _folder = Directory.CreateTempSubdirectory("qed").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Theory]
    [InlineData("packed", "map")]
    [InlineData("packed", "ram")]
    [InlineData("plain", "map")]
    [InlineData("plain", "ram")]
    public void AFullContext_TakesWhatThePlanSays(string layout, string load)
    {
        string model = Model(layout);
        string tokens = string.Join(',', Enumerable.Range(1, 900));
        foreach (string type in new[] { "q8_0", "f32" })
        {
            JsonNode plan = JsonNode.Parse(PublishedPrograms.Run("qed", "x64", "plan", "-m", model, "--ram", "1G", "--ctx", "900", "-t", "1", "--json").Output)!;
            long planned = (long)plan["kv_types"]!.AsArray().Single(row => (string)row!["kv_type"]! == type)!["peak"]!;
            (ProgramResult result, long taken) = PeakMemory.Run(PublishedPrograms.File("qed", "x64"), "generate", "-m", model, "-c", "900", "--tokens", tokens, "-n", "1", "--kv-type", type, "-t", "1", "--load", load);
            Assert.Equal((0, ""), (result.ExitCode, result.Error));
            Assert.InRange(taken, planned * 0.75, planned);
        }
    }

    [Fact]
    public void ReadingIntoMemory_GivesTheSameBits()
    {
        foreach (string layout in new[] { "packed", "plain" })
        {
            string model = Model(layout);
            string[] arguments = ["logits", "-m", model, "--tokens", "1,5,7"];
            Assert.Equal(PublishedPrograms.Run("qed", "x64", arguments), PublishedPrograms.Run("qed", "x64", [.. arguments, "--load", "ram"]));
        }
    }

    [Fact]
    public void AWarning_SaysHowMuchFits()
    {
        using GgufFile file = GgufFile.Open(Model("packed"));
        MemoryNeed need = MemoryNeed.Of(file)!;
        Assert.Null(FreeMemory.Warning("m", need, KvCacheType.Auto, 1, need.Peak(KvCacheType.Auto)));
        long free = need.Fixed + need.Kv(KvCacheType.F16) / 2 + 1;
        Assert.Contains("enough for 512;", FreeMemory.Warning("m", need, KvCacheType.F16, 1, free));
        Assert.Equal(512, need.LongestContext(KvCacheType.F16, free));
        Assert.Contains("enough for 256;", FreeMemory.Warning("m", need, KvCacheType.F16, 2, free));
        Assert.Contains("besides keys and values", FreeMemory.Warning("m", need, KvCacheType.F16, 1, need.Fixed - 1));
        Assert.InRange(FreeMemory.Bytes(), 1, long.MaxValue);
    }

    [Theory]
    [InlineData("300M", 300_000_000)]
    [InlineData("1.5G", 1_500_000_000)]
    [InlineData("512MiB", 512 << 20)]
    [InlineData("64ki", 64 << 10)]
    [InlineData("1000", 1000)]
    public void Sizes_AreReadAsPeopleWriteThem(string text, long expected) => Assert.Equal(expected, FreeMemory.Parse("--ram", text));

    [Theory]
    [InlineData("")]
    [InlineData("M")]
    [InlineData("-5M")]
    [InlineData("5X")]
    [InlineData("1e30G")]
    public void OtherTexts_AreNone(string text) => OneLine.AssertError(2, PublishedPrograms.Run("qed", "x64", "plan", $"--ram={text}"));

    private string Model(string layout)
    {
        string config = Path.Combine(_folder, "config.json"), checkpoint = Path.Combine(_folder, "random"), model = Path.Combine(_folder, layout + ".gguf");
        if (!Directory.Exists(checkpoint))
        {
            File.WriteAllText(config, Shape);
            RandomCheckpoint.Write(config, checkpoint, 1, CheckpointType.F16, overwrite: false);
        }
        if (!File.Exists(model))
            CheckpointConverter.Convert(checkpoint, model, new ConversionOptions { Type = BlockFormat.Q8_0, Layout = layout == "plain" ? FileLayout.Plain : FileLayout.Packed });
        return model;
    }
}
