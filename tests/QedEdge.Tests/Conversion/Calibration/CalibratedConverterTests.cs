using System.IO.Hashing;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using QedEdge.Conversion;
using QedEdge.Conversion.Calibration;
using QedEdge.Evaluation;
using QedEdge.Generation;
using QedEdge.Gguf;
using QedEdge.Quantization;
using QedEdge.Tests.Model;

#pragma warning disable xUnit1051 // cancellation is what some of these test

namespace QedEdge.Tests.Conversion.Calibration;

/// <summary>Conversions by a calibration text, on the sample model with a little of its text.</summary>
public sealed class CalibratedConverterTests : IDisposable
{
    private static readonly string Calibration = Path.Combine(TestData.TinyQed, "calibration.txt"), HeldOut = Path.Combine(TestData.TinyQed, "heldout.txt");
    private static readonly ConversionOptions Options = new()
    {
        Type = BlockFormat.IQ4_NL,
        Method = QuantizationMethod.ErrorFeedback,
        CalibrationText = Calibration,
        CalibrationTokens = 600,
        Threads = 2,
    };

    private readonly CheckpointFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Bytes_DependNeitherOnThreads_NorOnTheInstructionSet()
    {
        byte[] expected = Convert("a", Options);
        Assert.Equal(expected, Convert("b", Options with { Threads = 3 }));
        Assert.Equal(expected, Convert("c", Options with { Threads = 1, InstructionSet = "scalar" }));
    }

    [Fact]
    public void AStoppedCalibration_GoesOn_ToTheSameBytes()
    {
        byte[] expected = Convert("whole", Options);
        string output = _folder["stopped"], work = _folder[".stopped.work"];
        using var cancel = new CancellationTokenSource();
        Assert.Throws<ConversionPausedException>(() => CheckpointConverter.Convert(TestData.TinyQed, output, Options, (_, word) =>
        {
            if (word.StartsWith("layer 4", StringComparison.Ordinal))
                cancel.Cancel();
        }, cancel.Token));
        Assert.Equal([".stopped.work"], Directory.GetFileSystemEntries(_folder.Path, "*stopped*").Select(Path.GetFileName));

        // Killed while it wrote a record: the record is not used.
        byte[] done = File.ReadAllBytes(work);
        File.WriteAllBytes(work, done[..^100]);
        Assert.Equal(expected, Convert("stopped", Options));
        Assert.False(File.Exists(work));

        // A record under another matrix's name is damage too.
        int named = done.AsSpan().IndexOf("blk.0.attn_q"u8) + 4;
        byte[] renamed = [.. done];
        renamed[named] = (byte)'1';
        File.WriteAllBytes(work, renamed);
        Assert.Equal(expected, Convert("stopped", Options with { Overwrite = true }));

        // Damaged, of another conversion, or no such file at all: as if it were not there.
        foreach (Func<byte[]> change in (Func<byte[]>[])[() => Flipped(done, 9), () => Flipped(done, done.Length / 2), () => [1, 2, 3]])
        {
            File.WriteAllBytes(work, change());
            Assert.Equal(expected, Convert("stopped", Options with { Overwrite = true }));
        }

        static byte[] Flipped(byte[] bytes, int at)
        {
            byte[] changed = [.. bytes];
            changed[at] ^= 1;
            return changed;
        }
    }

    [Fact]
    public void AnOutputThatExists_IsRefusedBeforeTheWork()
    {
        File.WriteAllText(_folder["there"], "mine");
        Assert.Contains("--force", Assert.Throws<QedException>(() => Convert("there", Options)).Message);
        Assert.Equal("mine", File.ReadAllText(_folder["there"]));
        Assert.Contains("create it first", Assert.Throws<QedException>(() => CheckpointConverter.Convert(TestData.TinyQed, _folder["no/such"], Options)).Message);
        Assert.Contains("is a folder", Assert.Throws<QedException>(() => CheckpointConverter.Convert(TestData.TinyQed, _folder.Path, Options)).Message);
    }

    [Fact]
    public void AWorkFileThatIsWrong_IsRemoved_AndTheSameCommandBeginsAnew()
    {
        byte[] expected = Convert("whole", Options);
        string output = _folder["wrong"], work = _folder[".wrong.work"];
        using var cancel = new CancellationTokenSource();
        Assert.Throws<ConversionPausedException>(() => CheckpointConverter.Convert(TestData.TinyQed, output, Options, (_, word) =>
        {
            if (word.StartsWith("layer 1", StringComparison.Ordinal))
                cancel.Cancel();
        }, cancel.Token));

        // A sound record of a matrix that has another size.
        byte[] done = File.ReadAllBytes(work), name = done[16..(17 + done[16])]; // behind the file's head; its length before it
        byte[] record = [.. name, .. BitConverter.GetBytes(8L), .. new byte[8]];
        File.WriteAllBytes(work, [.. done[..16], .. record, .. BitConverter.GetBytes(XxHash3.HashToUInt64(record))]);
        Assert.Contains("is damaged at '", Assert.Throws<QedException>(() => CheckpointConverter.Convert(TestData.TinyQed, output, Options)).Message);
        Assert.Empty(Directory.GetFileSystemEntries(_folder.Path, "*wrong*"));
        Assert.Equal(expected, Convert("wrong", Options));
    }

    /// <summary>What overflows is called as the user calls it: the output, or the checkpoint before there is one.</summary>
    [Theory]
    [InlineData(false, null, "damaged file: {0}: ")]
    [InlineData(true, null, "what flows into a matrix is not finite")]
    [InlineData(true, 40.0, "what flows into a matrix is not finite")]
    public void AnOverflow_NamesNoTemporaryFile(bool calibrates, double? target, string words)
    {
        using var folder = new CheckpointFolder();
        File.WriteAllText(folder["c.json"], """{"model_type":"qed","vocab_size":2048,"d_model":8,"n_layers":1,"n_heads":2,"ffn_hidden_dim":8,"max_seq_len":64,"tie_word_embeddings":true}""");
        RandomCheckpoint.Write(folder["c.json"], folder["model"], 7, CheckpointType.F32, overwrite: false);
        foreach (string file in Directory.GetFiles(TestData.TinyQed, "*token*.json"))
            File.Copy(file, Path.Combine(folder["model"], Path.GetFileName(file)));
        string weights = Path.Combine(folder["model"], "model.safetensors");
        byte[] bytes = File.ReadAllBytes(weights);
        int data = 8 + (int)BitConverter.ToInt64(bytes);
        long at = (long)JsonNode.Parse(bytes.AsSpan(8, data - 8))!["norm.weight"]!["data_offsets"]![0]!;
        BitConverter.GetBytes(3e38f).CopyTo(bytes, data + at);
        File.WriteAllBytes(weights, bytes);
        ConversionOptions options = new() { Type = BlockFormat.Q4_0, Threads = 1, CalibrationText = calibrates ? Calibration : null, TargetBitsPerWeight = target, CalibrationTokens = 100 };
        if (calibrates)
            options = options with { Method = QuantizationMethod.ErrorFeedback };
        string message = Assert.ThrowsAny<QedException>(() => CheckpointConverter.Convert(folder["model"], folder["out.gguf"], options)).Message;
        Assert.StartsWith(string.Format(words, folder["out.gguf"]), message);
        Assert.Equal(["c.json", "model"], Directory.GetFileSystemEntries(folder.Path).Select(Path.GetFileName).Order());
    }

    [Fact]
    public void Threads_HaveALimit()
    {
        Assert.Contains("1 to 256", Assert.Throws<InvalidOptionException>(() => Convert("many", Options with { Threads = 257 })).Message);
        Convert("many", new ConversionOptions { Type = BlockFormat.Q8_0, Threads = 256 });
    }

    [Fact]
    public void ADigest_OfAnotherNumberOfTokens_IsComputedAsTheFileSays()
    {
        Convert("model", new ConversionOptions { Type = BlockFormat.Q4_0 });
        using QedModel model = QedModel.Open(_folder["model"]);
        GoldenDigest all = GoldenDigest.Find(model)!, few = GoldenDigest.Compute(model, all.Prompt, 16);
        Assert.Equal(16, few.Count);
        Assert.NotEqual(all.Value, few.Value);
    }

    [Fact]
    public void TheRecipe_SaysWhatWasDone_AndTheDigestIsThereForQuantizedLayers()
    {
        Convert("f16", new ConversionOptions { Type = BlockFormat.F16, Method = QuantizationMethod.Search });
        using (GgufFile file = GgufFile.Open(_folder["f16"]))
        {
            Assert.DoesNotContain("search", file.Metadata.GetString(GgufKeys.Recipe));
            Assert.False(GoldenDigest.IsIn(file));
        }
        Convert("mixed", new ConversionOptions { Type = BlockFormat.F16, TensorTypes = [new TensorTypeRule(new Regex("ffn"), BlockFormat.Q4_0)] });
        using (GgufFile file = GgufFile.Open(_folder["mixed"]))
            Assert.True(GoldenDigest.IsIn(file));
        // The other layout holds the same values: its digest stays true.
        FileRepacker.Repack(_folder["mixed"], _folder["plain"], FileLayout.Plain, 1, overwrite: false);
        using QedModel plain = QedModel.Open(_folder["plain"]);
        GoldenDigest stored = GoldenDigest.Find(plain)!;
        Assert.Equal(stored.Value, GoldenDigest.Compute(plain, stored.Prompt, stored.Count).Value);
    }

    [Fact]
    public void Texts_ThatCannotBeUsed_AreRefused_AndNothingIsLeft()
    {
        File.WriteAllBytes(_folder["binary"], [0xff, 0xfe, 0xfd, 0x80, 0x81]);
        File.WriteAllText(_folder["empty"], "");
        foreach (string text in (string[])["binary", "empty", "missing"])
        {
            Assert.Contains(text, Assert.Throws<QedException>(() => Convert("out", Options with { CalibrationText = _folder[text] })).Message);
            Assert.Contains(text, Assert.Throws<QedException>(() => Convert("out", Options with { CalibrationText = null, MeasureText = _folder[text] })).Message);
        }
        Assert.Contains("tokenizer.json", Assert.Throws<QedException>(() =>
            CheckpointConverter.Convert(CheckpointFolder.Golden("tied-f32"), _folder["out"], Options)).Message);
        Assert.Equal(["binary", "empty"], Directory.GetFileSystemEntries(_folder.Path).Select(Path.GetFileName).Order());
    }

    /// <summary>What the file says of its texts is what was read, whatever became of them meanwhile.</summary>
    [Fact]
    public void TextsThatChangeMeanwhile_AreNamedAsTheyWere()
    {
        string calibration = _folder["calibration"], measure = _folder["measure"];
        File.Copy(Path.Combine(TestData.TinyQed, "calibration.txt"), calibration);
        File.Copy(HeldOut, measure);
        ConversionOptions options = Options with { CalibrationText = calibration, CalibrationTokens = 3000, MeasureText = measure, MeasureTokens = 500 };
        CheckpointConverter.Convert(TestData.TinyQed, _folder["expected"], options);
        bool changed = false;
        CheckpointConverter.Convert(TestData.TinyQed, _folder["model"], options, (_, what) =>
        {
            if (changed || !what.StartsWith("layer", StringComparison.Ordinal))
                return;
            changed = true;
            File.WriteAllText(calibration, "Something else.");
            File.Delete(measure);
        });
        Assert.True(changed);
        Assert.Equal(File.ReadAllBytes(_folder["expected"]), File.ReadAllBytes(_folder["model"]));
    }

    [Fact]
    public void ATextThatChangesNothing_IsNotNamed_ButWarnedOf()
    {
        ConversionReport report = CheckpointConverter.Convert(TestData.TinyQed, _folder["model"], Options with { Type = BlockFormat.Q8_0, Method = QuantizationMethod.Search, CalibrationTokens = 1000 });
        Assert.Contains("changed nothing", Assert.Single(report.Warnings));
        using GgufFile file = GgufFile.Open(_folder["model"]);
        Assert.False(file.Metadata.Contains(GgufKeys.CalibrationText));
        Assert.DoesNotContain("calibration", file.Metadata.GetString(GgufKeys.Recipe));
    }

    [Fact]
    public void TextsThatSayLittle_AreWarnedOf()
    {
        File.WriteAllLines(_folder["text"], File.ReadLines(HeldOut).Take(2));
        ConversionReport report = CheckpointConverter.Convert(TestData.TinyQed, _folder["model"], Options with { CalibrationText = _folder["text"], MeasureText = _folder["text"] });
        Assert.Equal(2, report.Warnings.Count);
        Assert.Contains("too few", report.Warnings[0]);
        Assert.Contains("says little", report.Warnings[1]);
    }

    [Fact]
    public void PackedKernels_AgreeWithFakeQuantization()
    {
        Convert("model", Options with { CalibrationTokens = 6000 });
        using QedModel model = QedModel.Open(_folder["model"]);
        int[] window = Texts.Windows(model, HeldOut, 160)[0];
        double[][] expected = ReferenceModel.Open(_folder["model"]).Forward([window])[0]; // float64, with the values that the blocks stand for
        var statistics = new DivergenceStatistics();
        using Session session = model.CreateSession();
        session.Feed(window, new FeedOptions
        {
            OnLogits = (t, logits) =>
            {
                if (t + 1 < window.Length)
                    statistics.Add([.. expected[t].Select(static v => (float)v)], logits, window[t + 1]);
            },
        });
        Assert.InRange(statistics.Mean, 1e-6, 6e-4); // int8 activations and cache: 4e-4 (README)
    }

    [Fact]
    public void Proof_IsWhatTheFileComputes()
    {
        ConversionReport report = CheckpointConverter.Convert(TestData.TinyQed, _folder["model"], Options with { CalibrationTokens = 4000, MeasureText = HeldOut, MeasureTokens = 1500 });
        Assert.Empty(report.Warnings);
        using QedModel model = QedModel.Open(_folder["model"], new ModelOptions { InstructionSet = "scalar" });
        Assert.Empty(GgufChecksums.Verify(model.File));
        GgufMetadata metadata = model.File.Metadata;
        GoldenDigest digest = GoldenDigest.Find(model)!;
        Assert.Equal((64, true), (digest.Count, digest.IsComparable));
        Assert.Equal("Once upon a time", model.Tokenizer!.Decode(digest.Prompt));
        Assert.Equal(digest.Value, GoldenDigest.Compute(model, digest.Prompt).Value);

        CheckpointConverter.Convert(TestData.TinyQed, _folder["f32"], new ConversionOptions { Type = BlockFormat.F32 });
        using QedModel exact = QedModel.Open(_folder["f32"]);
        using Session reference = exact.CreateSession(new SessionOptions { KvType = KvCacheType.F32 }), session = model.CreateSession();
        DivergenceStatistics measured = ModelComparison.Run(reference, session, Texts.Windows(exact, HeldOut, 1500).Select(ids => new TextWindow(ids, 1)));
        Assert.Equal((uint)measured.Count, metadata.GetUInt32(GgufKeys.MeasuredTokens));
        Assert.Equal((float)measured.Mean, metadata.GetFloat32(GgufKeys.MeasuredMeanDivergence));
        Assert.Equal((float)measured.Quantile(0.5), metadata.GetFloat32(GgufKeys.MeasuredMedianDivergence));
        Assert.Equal((float)measured.Quantile(0.99), metadata.GetFloat32(GgufKeys.MeasuredHighDivergence));
        Assert.Equal((float)measured.Perplexity, metadata.GetFloat32(GgufKeys.MeasuredPerplexity));
        Assert.Equal((float)measured.ReferencePerplexity, metadata.GetFloat32(GgufKeys.MeasuredExactPerplexity));
        Assert.Equal((float)measured.SameTop, metadata.GetFloat32(GgufKeys.MeasuredSameTop));
        Assert.InRange(measured.Mean, 0.005, 0.025); // plain q4_0: 0.029
        Assert.Contains("GPTQ", metadata.GetString(GgufKeys.Recipe));
        Assert.Equal(4000u, metadata.GetUInt32(GgufKeys.CalibrationTokens));

        // Each source tensor's checksum, in the table's order: equal for the same weights, whatever they became.
        Assert.Equal(exact.File.Metadata.GetArray(GgufKeys.SourceChecksums).UInt64().ToArray(), metadata.GetArray(GgufKeys.SourceChecksums).UInt64().ToArray());
        Assert.DoesNotContain(0ul, metadata.GetArray(GgufKeys.SourceChecksums).UInt64().ToArray());

        MarkdownCard.Write(_folder["model"], _folder["card.md"], overwrite: false);
        string card = File.ReadAllText(_folder["card.md"]);
        foreach (string part in (string[])[digest.Value, "heldout.txt", "calibration.txt", "packed IQ4_NL"])
            Assert.Contains(part, card);
    }

    [Fact]
    public void TensorTypes_AreThoseOfTheFirstRuleThatMatches()
    {
        Convert("model", new ConversionOptions { Type = BlockFormat.Q4_0, TensorTypes = [Rule("ffn_down", BlockFormat.Q8_0), Rule("^blk\\.[01]\\.", BlockFormat.F16), Rule("token_embd", BlockFormat.IQ4_NL)] });
        using GgufFile file = GgufFile.Open(_folder["model"]);
        Assert.Equal(TensorType.PackedIQ4_NL, file.Find("token_embd.weight")!.Type);
        Assert.Equal(TensorType.PackedQ8_0, file.Find("blk.0.ffn_down.weight")!.Type);
        Assert.Equal(TensorType.PackedF16, file.Find("blk.1.ffn_up.weight")!.Type);
        Assert.Equal(TensorType.PackedQ4_0, file.Find("blk.2.ffn_up.weight")!.Type);
        Assert.Contains("36 × q4_0 and 12 × f16 and 8 × q8_0, embedding iq4_nl", file.Metadata.GetString(GgufKeys.Recipe));
        Assert.Contains("'nothing'", Assert.Throws<QedException>(() => Convert("other", new ConversionOptions { TensorTypes = [Rule("nothing", BlockFormat.F16)] })).Message);

        static TensorTypeRule Rule(string pattern, BlockFormat format) => new(new Regex(pattern), format);
    }

    [Fact]
    public void TargetBitsPerWeight_IsSpentToTheFull_OnMatricesThatMayGrow()
    {
        Convert("model", Options with { TargetBitsPerWeight = 4.8, TensorTypes = [new TensorTypeRule(new Regex("attn_v"), BlockFormat.Q4_0)] });
        using QedModel model = QedModel.Open(_folder["model"]);
        GgufTensorInfo[] layers = [.. model.File.Tensors.Where(static tensor => tensor.Name.StartsWith("blk.", StringComparison.Ordinal) && tensor.Dimensions.Count == 2)];
        double bits = 8.0 * layers.Sum(static tensor => tensor.Bytes) / layers.Sum(static tensor => tensor.ElementCount);
        Assert.InRange(bits, 4.75, 4.8);
        Assert.All(layers.Where(static tensor => tensor.Name.Contains("attn_v")), static tensor => Assert.Equal(TensorType.PackedQ4_0, tensor.Type));
        Assert.Contains(layers, static tensor => tensor.Type == TensorType.PackedQ8_0);
        Assert.Contains("4.50 bits", Assert.Throws<QedException>(() => Convert("other", Options with { TargetBitsPerWeight = 4.4 })).Message);
    }

    private byte[] Convert(string name, ConversionOptions options)
    {
        CheckpointConverter.Convert(TestData.TinyQed, _folder[name], options);
        return File.ReadAllBytes(_folder[name]);
    }
}
