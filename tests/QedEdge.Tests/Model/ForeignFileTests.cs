using QedEdge.Conversion;
using QedEdge.Gguf;
using QedEdge.Quantization;
using QedEdge.Quantization.Formats;

namespace QedEdge.Tests.Model;

/// <summary>Files of the architectures "qwen2" and "llama" with QED's structure give the logits of the "qed" file with the same values, to the bit.</summary>
public sealed class ForeignFileTests : IDisposable
{
    private static readonly RandomShape Biased = new(Layers: 2, Heads: 3, HeadSize: 24, Inner: 40, Vocab: 50, Bias: true, Tied: false, Theta: 10_000f, Deviation: 0.12f, Seed: 3);
    private static readonly int[] Prompt = [1, 5, 7, 11, 13, 2, 48, 31, 17, 9, 0, 22];

    private readonly string _folder = Directory.CreateTempSubdirectory("qed").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void Qwen2File_OfQedConvert_GivesTheLogitsOfTheQedFile()
    {
        foreach (BlockFormat format in BlockFormats.Written)
        {
            string qed = Path.Combine(_folder, "qed.gguf"), qwen2 = Path.Combine(_folder, "qwen2.gguf");
            CheckpointConverter.Convert(TestData.TinyQed, qed, new ConversionOptions { Type = format, Overwrite = true });
            CheckpointConverter.Convert(TestData.TinyQed, qwen2, new ConversionOptions { Type = format, Layout = FileLayout.Plain, Architecture = FileArchitecture.Qwen2, Overwrite = true });
            Assert.Equal(Logits(qed), Logits(qwen2));
            using QedModel model = QedModel.Open(qwen2);
            Assert.Equal(model.Config.VocabSize, model.Tokenizer!.VocabSize);
            Assert.Null(model.TokenizerProblem);
        }
    }

    [Theory]
    [InlineData("qwen2", true)]
    [InlineData("qwen2", false)]
    [InlineData("llama", true)]
    [InlineData("llama", false)]
    public void File_OfAnotherArchitecture_GivesTheLogitsOfTheQedFile(string architecture, bool wide)
    {
        // Widths that are multiples of 32 take block formats, and heads of 24 rows begin within a row group.
        RandomShape shape = wide ? Biased with { Heads = 3, HeadSize = 32, Inner = 64, Tied = true } : Biased;
        foreach (BlockFormat format in BlockFormats.Written)
        {
            string qed = shape.Write(_folder, format, FileLayout.Plain);
            using (GgufFile file = GgufFile.Open(qed))
            {
                Assert.NotNull(file.Find("blk.1.attn_k.bias"));
                Assert.True(!wide || file.Find("blk.1.attn_k.weight")!.Type == TensorTypes.Of(format, packed: false));
            }
            Assert.Equal(Logits(qed), Logits(ForeignFiles.Write(qed, architecture)));
        }
    }

    [Fact]
    public void RowOrder_Matters()
    {
        string qed = Source(), llama = ForeignFiles.Write(qed, "llama");
        Assert.NotEqual(Logits(qed), Logits(ForeignFiles.Write(llama, "qwen2", from: "llama")));
    }

    [Fact]
    public void Keys_ThatMayBeMissing_FollowFromTheOthers()
    {
        string qed = Source();
        string path = ForeignFiles.Write(qed, "llama", new() { ["llama.rope.freq_base"] = null, ["llama.vocab_size"] = null, ["llama.attention.head_count_kv"] = null, ["llama.rope.dimension_count"] = null });
        Assert.Equal(Logits(qed), Logits(path));
        using QedModel model = QedModel.Open(path);
        Assert.Equal((50, 10_000f, false), (model.Config.VocabSize, model.Config.RopeTheta, model.Config.TiedHead));
    }

    [Fact]
    public void Keys_ThatAskForNothing_AreTaken()
    {
        string qed = Source();
        Assert.Equal(Logits(qed), Logits(ForeignFiles.Write(qed, "llama", new()
        {
            ["llama.attention.key_length"] = 24u,
            ["llama.attention.value_length"] = 24u,
            ["llama.rope.scaling.type"] = "none",
            ["llama.rope.scaling.factor"] = 1f,
            ["llama.expert_count"] = 0u,
            ["llama.attention.causal"] = true,
            ["llama.tensor_data_layout"] = "Meta AI original pth",
        })));
    }

    [Theory]
    [InlineData("rope.dimension_count", 12u)]
    [InlineData("attention.value_length", 32u)]
    [InlineData("rope.scaling.type", "longrope")]
    [InlineData("something.new", 1u)]
    [InlineData("rope.scaling.attn_factor", 2f)]
    [InlineData("rope.scale_linear", 2f)]
    [InlineData("attention.sliding_window", 32u)]
    [InlineData("attention.causal", false)]
    [InlineData("attention.scale", 0.5f)]
    [InlineData("attention.clamp_kqv", 8f)]
    [InlineData("attention.max_alibi_bias", 8f)]
    [InlineData("embedding_scale", 12f)]
    [InlineData("expert_count", 8u)]
    public void Feature_ThatTheFamilyDoesNotHave_IsRefused(string name, object value)
    {
        string qed = Source();
        foreach (string architecture in (string[])["qwen2", "llama"])
        {
            string key = $"{architecture}.{name}", path = ForeignFiles.Write(qed, architecture, new() { [key] = value });
            ModelFormatException error = Refuse(path);
            Assert.Equal((ModelFault.Unsupported, key), (error.Fault, error.Key));
            using GgufFile file = GgufFile.Open(path);
            Assert.Null(MemoryNeed.Of(file)); // it can still be inspected
        }
    }

    [Theory]
    [InlineData("embedding_length", null)]
    [InlineData("attention.layer_norm_rms_epsilon", null)]
    [InlineData("rope.freq_base", 0f)]
    [InlineData("vocab_size", 0u)]
    [InlineData("attention.head_count", 5u)]
    [InlineData("attention.head_count_kv", 2u)] // of three heads
    [InlineData("attention.head_count_kv", 0u)]
    [InlineData("rope.scaling.factor", -1f)]
    public void Value_ThatIsWrong_NamesTheFilesOwnKey(string name, object? value)
    {
        ModelFormatException error = Refuse(ForeignFiles.Write(Source(), "llama", new() { [$"llama.{name}"] = value }));
        Assert.Equal((ModelFault.Damaged, $"llama.{name}"), (error.Fault, error.Key));
    }

    [Theory]
    [InlineData("blk.1.attn_q_norm.weight", TensorType.F32, new long[] { 24 }, "no such tensor")]
    [InlineData("blk.2.attn_norm.weight", TensorType.F32, new long[] { 72 }, "no such tensor")]
    [InlineData("token_embd.weight", TensorType.I8, new long[] { 50, 72 }, "quantize the model again as Q8_0 or Q4_K_M, or convert the checkpoint with qed-convert")]
    [InlineData("blk.0.attn_norm.weight", TensorType.F16, new long[] { 72 }, "must be F32")]
    public void Tensor_ThatTheFamilyDoesNotHave_IsRefused(string name, TensorType type, long[] shape, string says)
    {
        ModelFormatException error = Refuse(ForeignFiles.Write(Source(), "llama", extra: (name, type, shape)));
        Assert.Equal((ModelFault.Unsupported, name), (error.Fault, error.Tensor));
        Assert.Contains(says, error.Message);
        Assert.DoesNotContain('\n', error.Message);
    }

    [Fact]
    public void RotaryFactors_OfZero_AreRefused()
    {
        ModelFormatException error = Refuse(ForeignFiles.Write(Source(), "llama", extra: ("rope_freqs.weight", TensorType.F32, [12])));
        Assert.Equal((ModelFault.Damaged, "rope_freqs.weight"), (error.Fault, error.Tensor));
        Assert.Contains("must be positive", error.Message);
    }

    // Only qed-convert writes packed matrices, and its header has a checksum.
    [Fact]
    public void PackedMatrices_InAHeaderWithoutChecksum_AreRefused() => Assert.Equal(GgufKeys.HeaderChecksum,
        Refuse(ForeignFiles.Write(Source(), "llama", extra: ("blk.0.attn_q.weight", TensorType.PackedQ4_0, [72, 72]))).Key);

    [Fact]
    public void Tensor_ThatIsMissing_IsNamed()
    {
        ModelFormatException error = Refuse(ForeignFiles.Write(Source(), "llama", without: "blk.1.ffn_up.weight"));
        Assert.Equal((ModelFault.MissingTensor, "blk.1.ffn_up.weight"), (error.Fault, error.Tensor));
    }

    [Theory]
    [InlineData("bert", null, GgufKeys.TokenizerModel)]
    [InlineData("gpt2", "deepseek-llm", GgufKeys.TokenizerPre)]
    [InlineData("gpt2", "llama-bpe", GgufKeys.Tokens)] // these are known, and the file has no tokens
    [InlineData("llama", null, GgufKeys.Tokens)]
    [InlineData("gpt2", null, GgufKeys.TokenizerPre)]
    [InlineData("no_vocab", null, null)]
    public void Tokenizer_ThatCannotBeUsed_LeavesTokenIds(string tokenizer, string? pre, string? key)
    {
        string qed = Source(), path = ForeignFiles.Write(qed, "llama", new()
        {
            [GgufKeys.TokenizerModel] = tokenizer,
            [GgufKeys.TokenizerPre] = pre,
            [GgufKeys.AddBosToken] = true,
        });
        Assert.Equal(Logits(qed), Logits(path));
        using QedModel model = QedModel.Open(path);
        Assert.Null(model.Tokenizer);
        Assert.Null(model.Tokenizer);
        Assert.Equal(key, model.TokenizerProblem?.Key);
    }

    [Fact]
    public void BakedPrefixAndSession_OfAFileWithoutChecksums_AreTheOnesOfTheFile()
    {
        string qed = Source(), baked = Path.Combine(_folder, "baked.gguf"), saved = Path.Combine(_folder, "saved");
        using QedModel llama = QedModel.Open(ForeignFiles.Write(qed, "llama"));
        using QedModel other = QedModel.Open(ForeignFiles.Write(qed, "qwen2", new() { ["qwen2.rope.freq_base"] = 20_000f }));
        PrefixBaker.Bake(llama, Prompt.AsSpan(0, 8), baked, new BakeOptions());
        using QedModel model = QedModel.Open(baked);
        using Session session = model.CreateSession();
        Assert.Equal(8, session.TakeBaked(Prompt));
        session.Feed(Prompt.AsSpan(8));
        Assert.Equal(Logits(qed), session.Logits.ToArray());
        session.Save(saved);
        using Session restored = llama.CreateSession(), wrong = other.CreateSession();
        restored.Restore(saved);
        Assert.Equal(Logits(qed), restored.Logits.ToArray());
        Assert.ThrowsAny<QedException>(() => wrong.Restore(saved));
    }

    [Fact]
    public void Fingerprint_SaysWhatTheRowsMeanAndWhichPositions()
    {
        string qed = Source(), llama = ForeignFiles.Write(qed, "llama");
        string[] files = [ForeignFiles.Write(qed, "qwen2"), llama, ForeignFiles.Write(llama, "qwen2", new() { ["qwen2.rope.freq_base"] = 20_000f }, from: "llama"), qed];
        Assert.Equal(files.Length, files.Select(Fingerprint).Distinct().Count());
        Assert.NotEqual(Fingerprint(llama), Fingerprint(ForeignFiles.Write(llama, "qwen2", from: "llama")));
    }

    [Fact]
    public void WhatQedEdgeSaysOfAFile_IsForgottenWhenAnotherToolRewroteIt()
    {
        string qed = Source(), path = ForeignFiles.Write(qed, "qwen2", new() { ["general.name"] = "before", ["qed.conversion.recipe"] = "type f16" }, checksums: true);
        using (GgufFile file = GgufFile.Open(path))
            Assert.True(file.HasHeaderChecksum);
        byte[] bytes = File.ReadAllBytes(path);
        "behind"u8.CopyTo(bytes.AsSpan(bytes.AsSpan().IndexOf("before"u8)));
        File.WriteAllBytes(path, bytes);
        Assert.Equal(Logits(qed), Logits(path));
        using (GgufFile file = GgufFile.Open(path))
        {
            Assert.False(file.HasHeaderChecksum || GgufChecksums.Present(file));
            Assert.DoesNotContain(file.Metadata.Keys, static key => key.StartsWith("qed.", StringComparison.Ordinal));
            Assert.Equal("behind", file.Metadata.GetString(GgufKeys.Name));
        }
    }

    [Fact]
    public void MemoryNeed_IsThatOfTheQedFile()
    {
        string qed = Source();
        using GgufFile expected = GgufFile.Open(qed), actual = GgufFile.Open(ForeignFiles.Write(qed, "llama"));
        (MemoryNeed theirs, MemoryNeed ours) = (MemoryNeed.Of(actual, 64)!, MemoryNeed.Of(expected, 64)!);
        Assert.Equal((ours.Context, ours.LargestContext, ours.Weights, ours.Workspace, ours.AutoKvType), (theirs.Context, theirs.LargestContext, theirs.Weights, theirs.Workspace, theirs.AutoKvType));
        Assert.All(Enum.GetValues<KvCacheType>(), type => Assert.Equal(ours.Peak(type), theirs.Peak(type)));
    }

    [Fact]
    public void Repack_GivesTheLogitsOfTheFile()
    {
        string qed = Source();
        foreach (string architecture in (string[])["llama", "qwen2"])
        {
            string foreign = ForeignFiles.Write(qed, architecture), packed = Path.Combine(_folder, "packed.gguf"), plain = Path.Combine(_folder, "again.gguf");
            FileRepacker.Repack(foreign, packed, FileLayout.Packed, 2, overwrite: true);
            Assert.Equal(Logits(qed), Logits(packed));
            FileRepacker.Repack(packed, plain, FileLayout.Plain, 2, overwrite: true);
            using GgufFile before = GgufFile.Open(foreign), after = GgufFile.Open(plain);
            foreach (GgufTensorInfo tensor in before.Tensors)
                Assert.True(before.Data(tensor).Span(0, (int)tensor.Bytes).SequenceEqual(after.Data(after.Find(tensor.Name)!).Span(0, (int)tensor.Bytes)), tensor.Name);
        }
    }

    [Fact]
    public void Repack_MatrixOfAWrongShape_IsRefusedByName()
    {
        string path = ForeignFiles.Write(Source(), "llama", extra: ("blk.0.attn_k.weight", TensorType.F32, [70, 72])), output = Path.Combine(_folder, "out.gguf");
        var error = Assert.Throws<ModelFormatException>(() => FileRepacker.Repack(path, output, FileLayout.Packed, 1, overwrite: false));
        Assert.Equal((ModelFault.Damaged, "blk.0.attn_k.weight"), (error.Fault, error.Tensor));
        Assert.False(File.Exists(output));
    }

    private string Source() => Biased.Write(_folder, BlockFormat.Q8_0, FileLayout.Plain);

    private static float[] Logits(string path)
    {
        using QedModel model = QedModel.Open(path);
        using Session session = model.CreateSession(new SessionOptions { ContextLength = 64, Threads = 1 });
        session.Feed(Prompt);
        return session.Logits.ToArray();
    }

    private static ulong Fingerprint(string path)
    {
        using QedModel model = QedModel.Open(path);
        return model.Fingerprint;
    }

    private static ModelFormatException Refuse(string path) => Assert.Throws<ModelFormatException>(() => QedModel.Open(path).Dispose());
}
