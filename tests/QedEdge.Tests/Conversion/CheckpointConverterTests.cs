using System.Text;
using QedEdge.Conversion;
using QedEdge.Conversion.Checkpoints;
using QedEdge.Gguf;
using QedEdge.Quantization;
using QedEdge.Quantization.Formats;

#pragma warning disable xUnit1051 // every call here takes milliseconds; none needs to be cancelled

namespace QedEdge.Tests.Conversion;

public class CheckpointConverterTests
{
    public static TheoryData<string> Goldens => [.. TestData.GoldenCases.Select(folder => Path.GetFileName(folder))];

    [Theory]
    [MemberData(nameof(Goldens))]
    public void Convert_EveryTypeAndLayout_OpensAndRepacksToTheSameBytes(string golden)
    {
        using var folder = new CheckpointFolder();
        foreach (var type in BlockFormats.Written)
        {
            string packed = folder[$"{type}-packed.gguf"], plain = folder[$"{type}-plain.gguf"], other = folder[$"{type}-other.gguf"];
            CheckpointConverter.Convert(CheckpointFolder.Golden(golden), packed, new() { Type = type, Threads = 2 });
            var report = CheckpointConverter.Convert(CheckpointFolder.Golden(golden), plain, new() { Type = type, Layout = FileLayout.Plain, Threads = 2 });
            using (var model = QedModel.Open(packed))
                Assert.Empty(GgufChecksums.Verify(model.File));
            using (var model = QedModel.Open(plain))
                Assert.Empty(GgufChecksums.Verify(model.File));

            FileRepacker.Repack(packed, other, FileLayout.Packed, 1, overwrite: false);
            Assert.Equal(File.ReadAllBytes(packed), File.ReadAllBytes(other));
            if (report.Warnings.Any(static warning => warning.Contains("F16")))
                continue; // values were rounded to F16
            FileRepacker.Repack(plain, other, FileLayout.Packed, 2, overwrite: true);
            Assert.Equal(File.ReadAllBytes(packed), File.ReadAllBytes(other));
            FileRepacker.Repack(packed, other, FileLayout.Plain, 2, overwrite: true);
            Assert.Equal(File.ReadAllBytes(plain), File.ReadAllBytes(other));
        }
    }

    [Fact]
    public void Convert_OddWidths_FallBackToF16InPlainLayoutOnly()
    {
        using var folder = new CheckpointFolder();
        string golden = CheckpointFolder.Golden("width-80-head-40");
        var report = CheckpointConverter.Convert(golden, folder["plain"], new() { Layout = FileLayout.Plain });
        Assert.Contains(report.Warnings, static warning => warning.Contains("F16") && warning.Contains("token_embd.weight"));
        report = CheckpointConverter.Convert(golden, folder["packed"], new());
        Assert.DoesNotContain(report.Warnings, static warning => warning.Contains("F16"));
        using var file = GgufFile.Open(folder["packed"]);
        Assert.Equal(TensorType.PackedQ8_0, file.Find("token_embd.weight")!.Type);
    }

    [Fact]
    public void Convert_AnyNumberOfThreads_GivesTheSameBytes()
    {
        using var folder = new CheckpointFolder();
        foreach (int threads in (int[])[1, 2, 5])
            CheckpointConverter.Convert(CheckpointFolder.Golden("tied-f32"), folder[$"{threads}"], new() { Type = BlockFormat.Q4_0, Threads = threads });
        Assert.Equal(File.ReadAllBytes(folder["1"]), File.ReadAllBytes(folder["2"]));
        Assert.Equal(File.ReadAllBytes(folder["1"]), File.ReadAllBytes(folder["5"]));
    }

    [Theory]
    [InlineData("tied-f32")]
    [InlineData("sharded-f16-model-prefix")]
    public void Convert_FolderOfSymbolicLinks_GivesTheSameBytes(string golden)
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "links need a privilege there");
        using var folder = new CheckpointFolder();
        Directory.CreateDirectory(folder["links"]);
        foreach (string file in Directory.GetFiles(CheckpointFolder.Golden(golden)))
        {
            // Twice removed, as a cache whose folder was moved.
            string name = Path.GetFileName(file), blob = folder[$"blob-{name}"];
            File.CreateSymbolicLink(blob, file);
            File.CreateSymbolicLink(Path.Combine(folder["links"], name), Path.GetRelativePath(folder["links"], blob));
        }
        CheckpointConverter.Convert(folder["links"], folder["a"], new());
        CheckpointConverter.Convert(CheckpointFolder.Golden(golden), folder["b"], new());
        Assert.Equal(File.ReadAllBytes(folder["b"]), File.ReadAllBytes(folder["a"]));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Convert_ExportWithPrefixesAndBuffers_GivesTheSameBytes(bool everywhere)
    {
        using var folder = new CheckpointFolder();
        string golden = CheckpointFolder.Golden("tied-f32");
        Directory.CreateDirectory(folder["export"]);
        File.Copy(Path.Combine(golden, "config.json"), Path.Combine(folder["export"], "config.json"));
        byte[] source = File.ReadAllBytes(Path.Combine(golden, "model.safetensors"));
        var header = new StringBuilder("{");
        var data = new MemoryStream();
        foreach (var tensor in SafetensorsHeader.Read(Path.Combine(golden, "model.safetensors")))
        {
            var bytes = source.AsSpan((int)tensor.Offset, (int)tensor.Bytes);
            Add((everywhere || tensor.Name.StartsWith("layers.", StringComparison.Ordinal) ? "model." : "") + tensor.Name, tensor.Type, string.Join(',', tensor.Shape), bytes);
            if (tensor.Name == "embed_tokens.weight")
                Add("lm_head.weight", tensor.Type, string.Join(',', tensor.Shape), bytes);
        }
        Add("model.layers.0.attention.rotary.cos_cached", "F32", "1,2", new byte[8]);
        Add("layers.1.rope.sin_cached", "BF16", "2", new byte[4]);
        Add("inv_freq", "F64", "1", new byte[8]);
        Add("layers.2.attention.causal_mask", "BOOL", "2,2", new byte[4]);
        Add("model.layers.2.attention.attention_mask", "U8", "3", new byte[3]);
        byte[] json = Encoding.UTF8.GetBytes(header.ToString()[..^1] + "}");
        File.WriteAllBytes(Path.Combine(folder["export"], "model.safetensors"), [.. BitConverter.GetBytes((long)json.Length), .. json, .. data.ToArray()]);

        CheckpointConverter.Convert(golden, folder["a"], new());
        CheckpointConverter.Convert(folder["export"], folder["b"], new());
        Assert.Equal(File.ReadAllBytes(folder["a"]), File.ReadAllBytes(folder["b"]));

        void Add(string name, string type, string shape, ReadOnlySpan<byte> bytes)
        {
            header.Append($"\"{name}\":").Append($$"""{"dtype":"{{type}}","shape":[{{shape}}],"data_offsets":[{{data.Length}},{{data.Length + bytes.Length}}]}""").Append(',');
            data.Write(bytes);
        }
    }

    [Fact]
    public void Repack_DamagedTensor_IsRefusedByName()
    {
        using var folder = new CheckpointFolder();
        CheckpointConverter.Convert(CheckpointFolder.Golden("tied-f32"), folder["good"], new());
        byte[] bytes = File.ReadAllBytes(folder["good"]);
        using (var file = GgufFile.Open(folder["good"]))
            bytes[file.Find("blk.1.ffn_up.weight")!.Offset + 100] ^= 1;
        File.WriteAllBytes(folder["bad"], bytes);
        foreach (var layout in Enum.GetValues<FileLayout>())
        {
            var refused = Assert.Throws<ModelFormatException>(() => FileRepacker.Repack(folder["bad"], folder["out"], layout, 2, overwrite: false));
            Assert.Equal(("blk.1.ffn_up.weight", ModelFault.Damaged), (refused.Tensor, refused.Fault));
            Assert.False(File.Exists(folder["out"]));
        }
    }

    [Fact]
    public void Convert_Interrupted_LeavesNothing()
    {
        using var folder = new CheckpointFolder();
        using var source = new CancellationTokenSource();
        Assert.Throws<OperationCanceledException>(() => CheckpointConverter.Convert(CheckpointFolder.Golden("tied-f32"), folder["out"], new(),
            (_, name) => { if (name.StartsWith("blk.1", StringComparison.Ordinal)) source.Cancel(); }, source.Token));
        Assert.Throws<InvalidOperationException>(() => CheckpointConverter.Convert(CheckpointFolder.Golden("tied-f32"), folder["out"], new(),
            static (_, name) => { if (name == "output.bias") throw new InvalidOperationException(); }));
        Assert.Empty(Directory.GetFileSystemEntries(folder.Path));
    }

    [Fact]
    public void Convert_ExistingOutput_IsReplacedOnlyWhenAsked()
    {
        using var folder = new CheckpointFolder();
        File.WriteAllText(folder["out"], "kept");
        Assert.Throws<QedException>(() => CheckpointConverter.Convert(CheckpointFolder.Golden("tied-f32"), folder["out"], new()));
        Assert.Equal("kept", File.ReadAllText(folder["out"]));
        CheckpointConverter.Convert(CheckpointFolder.Golden("tied-f32"), folder["out"], new() { Overwrite = true });
        Assert.NotEqual(4, new FileInfo(folder["out"]).Length);
    }

    [Fact]
    public void Convert_Qwen2_HasItsKeysAndZeroBiases()
    {
        using var folder = new CheckpointFolder();
        CheckpointConverter.Convert(CheckpointFolder.Golden("tied-f32"), folder["out"], new() { Architecture = FileArchitecture.Qwen2, Layout = FileLayout.Plain });
        using var file = GgufFile.Open(folder["out"]);
        Assert.Equal("qwen2", file.Metadata.GetString(GgufKeys.Architecture));
        Assert.Equal(128u, file.Metadata.GetUInt32("qwen2.embedding_length"));
        var bias = file.Find("blk.2.attn_k.bias")!;
        Assert.Equal((TensorType.F32, 128L), (bias.Type, bias.ElementCount));
        Assert.Equal(new byte[512], file.Data(bias).Span(0, 512).ToArray());
        Assert.NotNull(file.Find("output.bias"));

        var refused = Assert.Throws<ModelFormatException>(() => CheckpointConverter.Convert(CheckpointFolder.Golden("untied-bias-bf16"), folder["no"], new() { Architecture = FileArchitecture.Qwen2, Layout = FileLayout.Plain }));
        Assert.Equal("layers.0.attention.o_proj.bias", refused.Tensor);
    }

    [Theory]
    [InlineData(CheckpointType.F32)]
    [InlineData(CheckpointType.F16)]
    [InlineData(CheckpointType.BF16)]
    internal void Random_SameSeed_SameBytesThatConvert(CheckpointType type)
    {
        using var folder = new CheckpointFolder();
        string config = Path.Combine(CheckpointFolder.Golden("untied-bias-bf16"), "config.json");
        foreach (var (name, seed) in new[] { ("a", 1ul), ("b", 1ul), ("c", 2ul) })
            RandomCheckpoint.Write(config, folder[name], seed, type, overwrite: false);
        byte[] Weights(string name) => File.ReadAllBytes(Path.Combine(folder[name], "model.safetensors"));
        Assert.Equal(Weights("a"), Weights("b"));
        Assert.NotEqual(Weights("a"), Weights("c"));
        CheckpointConverter.Convert(folder["a"], folder["out"], new());
        using var model = QedModel.Open(folder["out"]);
    }
}
