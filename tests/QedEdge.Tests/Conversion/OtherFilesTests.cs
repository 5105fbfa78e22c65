using System.Globalization;
using QedEdge.Conversion;
using QedEdge.Gguf;
using QedEdge.Quantization;

#pragma warning disable xUnit1051 // every call here takes milliseconds; none needs to be cancelled

namespace QedEdge.Tests.Conversion;

/// <summary>GGUF files of other tools, packed for good and quantized anew.</summary>
public sealed class OtherFilesTests : IDisposable
{
    private readonly CheckpointFolder _folder = new();

    public static TheoryData<string> Files => [.. Directory.EnumerateDirectories(Path.Combine(TestData.Root, "tests", "types")).Order(StringComparer.Ordinal).Select(static folder => Path.GetFileName(folder))];

    public void Dispose() => _folder.Dispose();

    [Theory]
    [MemberData(nameof(Files))]
    public void Repack_ChangesNoValue_AndSaysWhereTheWeightsAreFrom(string name)
    {
        string source = Source(name);
        ConversionReport report = FileRepacker.Repack(source, _folder["packed"], FileLayout.Packed, threads: 2, overwrite: false);
        Assert.Equal(Logits(source), Logits(_folder["packed"]));
        using GgufFile file = GgufFile.Open(_folder["packed"]), original = GgufFile.Open(source);
        GgufChecksums.Verify(file);
        Assert.All(file.Tensors.Where(static tensor => tensor.Dimensions.Count == 2 && tensor.Type != TensorType.F32), static tensor => Assert.True(TensorTypes.IsPacked(tensor.Type), tensor.ToString()));
        Assert.Equal("model.gguf", file.Metadata.GetString(GgufKeys.SourceFile));
        Assert.Equal(Texts.ChecksumOf(source), file.Metadata.GetUInt64(GgufKeys.SourceFileChecksum));
        foreach (string key in original.Metadata.Keys.Where(static key => key.StartsWith("general.", StringComparison.Ordinal) || key.StartsWith("quantize.", StringComparison.Ordinal)))
        {
            if (key != GgufKeys.Alignment)
                Assert.Equal(original.Metadata.Describe(key), file.Metadata.Describe(key));
        }
        Assert.Equal(file.Length, report.FileBytes);

        // Once more changes nothing; back there is a way only for what we write too.
        FileRepacker.Repack(_folder["packed"], _folder["again"], FileLayout.Packed, threads: 1, overwrite: false);
        Assert.Equal(File.ReadAllBytes(_folder["packed"]), File.ReadAllBytes(_folder["again"]));
        if (original.Tensors.Any(static tensor => tensor.Type is TensorType.Q4_K or TensorType.Q6_K or TensorType.Q5_0))
            Assert.Contains("no way back to the plain layout", Assert.Throws<ModelFormatException>(() => FileRepacker.Repack(_folder["packed"], _folder["plain"], FileLayout.Plain, 1, overwrite: false)).Message);
    }

    [Theory]
    [InlineData("llama-smol-tied-bf16")]
    [InlineData("qwen2-tied-f32")]
    [InlineData("gemma3-window8-bf16")]
    [InlineData("gpt2-buffers-f32")]
    [InlineData("gpt_neox-parallel-f16")]
    [InlineData("llama-rope3-untied-bias-f32")]
    public void QuantizingAPlainFloatFile_IsConvertingItsCheckpoint(string golden)
    {
        CheckpointConverter.Convert(CheckpointFolder.Golden(golden), _folder["plain.gguf"], new() { Type = BlockFormat.F32, Layout = FileLayout.Plain });
        foreach (BlockFormat type in new[] { BlockFormat.Q8_0, BlockFormat.Q4_0, BlockFormat.IQ4_NL })
        {
            foreach (FileLayout layout in new[] { FileLayout.Packed, FileLayout.Plain })
            {
                var options = new ConversionOptions { Type = type, Layout = layout, Overwrite = true };
                CheckpointConverter.Convert(CheckpointFolder.Golden(golden), _folder["direct.gguf"], options);
                CheckpointConverter.Convert(_folder["plain.gguf"], _folder["anew.gguf"], options);
                using GgufFile direct = GgufFile.Open(_folder["direct.gguf"]), anew = GgufFile.Open(_folder["anew.gguf"]);
                Assert.Equal(direct.Tensors.Select(static tensor => tensor.ToString()), anew.Tensors.Select(static tensor => tensor.ToString()));
                foreach (GgufTensorInfo tensor in direct.Tensors)
                    Assert.True(direct.Data(tensor).Span(0, (int)tensor.Bytes).SequenceEqual(anew.Data(anew.Find(tensor.Name)!).Span(0, (int)tensor.Bytes)), tensor.Name);
                Assert.Equal(direct.Metadata.FindString("qed.digest.value"), anew.Metadata.FindString("qed.digest.value"));
            }
        }
    }

    [Fact]
    public void QuantizingWhatWasQuantized_WarnsOfIt_AndComesNear()
    {
        ConversionReport report = CheckpointConverter.Convert(Source("llama-q4_k_m-256"), _folder["anew.gguf"], new() { Type = BlockFormat.Q8_0 });
        Assert.InRange(report.RelativeError, 0.001, 0.02); // eight bits
        Assert.Contains(report.Warnings, warning => warning.Contains("were quantized before (Q4_K, Q6_K)") && warning.Contains(string.Create(CultureInfo.InvariantCulture, $"moved them by {report.RelativeError:P1} of")));
        ConversionReport coarse = CheckpointConverter.Convert(Source("llama-q4_k_m-256"), _folder["coarse.gguf"], new() { Type = BlockFormat.Q4_0 });
        Assert.InRange(coarse.RelativeError, 0.03, 0.2); // four
        float[] before = Logits(Source("llama-q4_k_m-256")), after = Logits(_folder["anew.gguf"]);
        Assert.InRange(before.Zip(after, static (a, b) => Math.Abs(a - b)).Average(), 1e-6, 0.2);
        using GgufFile file = GgufFile.Open(_folder["anew.gguf"]);
        Assert.NotNull(QedEdge.Text.Tokenizer.Open(file));
    }

    [Fact]
    public void APackedFile_OrAnAdapter_IsRefused()
    {
        CheckpointConverter.Convert(CheckpointFolder.Golden("tied-f32"), _folder["packed.gguf"], new());
        Assert.Contains("packed order", Assert.Throws<ModelFormatException>(() => CheckpointConverter.Convert(_folder["packed.gguf"], _folder["out"], new())).Message);
        Assert.Contains("MODEL_DIR", Assert.Throws<QedException>(() => CheckpointConverter.Convert(Source("llama-q8_0-96"), _folder["out"], new() { LoraFolder = _folder.Path })).Message);
        Assert.False(File.Exists(_folder["out"]));
    }

    /// <summary>Weights of quantization-aware training: rounding them anew would move those of blocks whose largest value is not −8 times the scale.</summary>
    [Fact]
    public void WeightsOnTheGridOfQ4_0_AreStoredAsTheyAre_WhateverTheMethod()
    {
        CheckpointConverter.Convert(Source("llama-q4_0-256"), _folder["floats.gguf"], new() { Type = BlockFormat.F32, Layout = FileLayout.Plain });
        foreach (QuantizationMethod method in new[] { QuantizationMethod.Nearest, QuantizationMethod.Search })
        {
            ConversionReport report = CheckpointConverter.Convert(_folder["floats.gguf"], _folder["q4.gguf"], new() { Type = BlockFormat.Q4_0, Method = method, Overwrite = true });
            TypeReport type = report.Types.Single(static type => type.Type == TensorType.PackedQ4_0);
            Assert.Equal((type.TensorCount, 0f), (type.ExactCount, type.LargestError));
            report = CheckpointConverter.Convert(_folder["floats.gguf"], _folder["q8.gguf"], new() { Type = BlockFormat.Q8_0, Method = method, Overwrite = true });
            TypeReport bytes = report.Types.Single(static type => type.Type == TensorType.PackedQ8_0);
            Assert.Equal((type.TensorCount, bytes.TensorCount - 1), (bytes.ExactCount, bytes.ExactCount)); // all but the embedding, which was Q6_K
        }
        ConversionReport other = CheckpointConverter.Convert(CheckpointFolder.Golden("llama-smol-tied-bf16"), _folder["other.gguf"], new() { Type = BlockFormat.Q4_0 });
        Assert.All(other.Types, static type => Assert.Equal(0, type.ExactCount));
    }

    private static string Source(string name) => Path.Combine(TestData.Root, "tests", "types", name, "model.gguf");

    private static float[] Logits(string path)
    {
        using QedModel model = QedModel.Open(path);
        using Session session = model.CreateSession();
        session.Feed([5, 6, 7, 8]);
        return session.Logits.ToArray();
    }
}
