using CsCheck;
using QedEdge.Conversion;
using QedEdge.Generation;
using QedEdge.Gguf;
using QedEdge.Quantization;

namespace QedEdge.Tests.Model;

/// <summary>Keys and values stored in the model file.</summary>
public sealed class BakedPrefixTests : IDisposable
{
    private static readonly RandomShape Small = new(Layers: 2, Heads: 2, HeadSize: 24, Inner: 40, Vocab: 50, Bias: true, Tied: true, Theta: 10_000f, Deviation: 0.1f, Seed: 9);

    private readonly string _folder = Directory.CreateTempSubdirectory("qed").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void Results_AreThoseOfComputingIt_ToTheBit() =>
        Gen.Select(RandomShape.Any, Gen.Int[1, 600], Gen.Int[0, 20], Gen.Int[0, 600], Gen.OneOfConst(KvCacheType.F32, KvCacheType.F16, KvCacheType.Q8_0), Gen.Bool).Sample((shape, length, more, edited, kv, slides) =>
        {
            string baked = Path.Combine(_folder, "baked.gguf");
            int[] prefix = Ids(shape, length), prompt = [.. prefix, .. Ids(shape, more)];
            if (edited < prompt.Length)
                prompt[edited] = (prompt[edited] + 1) % shape.Vocab; // only what is before is taken over
            var options = new SessionOptions { KvType = kv, ContextLength = 640, Threads = 1, Overflow = slides ? ContextOverflow.Slide : ContextOverflow.Stop };
            using QedModel plain = QedModel.Open(shape.Write(_folder, BlockFormat.Q4_0));
            PrefixBaker.Bake(plain, prefix, baked, new BakeOptions { Session = options with { Threads = 2 }, Overwrite = true });
            using QedModel model = QedModel.Open(baked);
            Assert.Empty(GgufChecksums.Verify(model.File));
            Assert.True(model.BakedPrefix!.Tokens.SequenceEqual(prefix));
            using Session expected = plain.CreateSession(options), actual = model.CreateSession(options);
            Assert.Equal(0, actual.KeepCommonPrefix(prompt)); // the model has as much or more
            expected.Feed(prompt);
            int taken = actual.TakeBaked(prompt);
            Assert.Equal(Math.Min(prompt.AsSpan().CommonPrefixLength(prefix), prompt.Length - 1), taken);
            Assert.Equal(taken, actual.Position);
            actual.Feed(prompt.AsSpan(taken));
            Assert.True(expected.Logits.SequenceEqual(actual.Logits));
            expected.Feed([0, 1]);
            actual.Feed([0, 1]);
            Assert.True(expected.Logits.SequenceEqual(actual.Logits));
        }, iter: 60, threads: 1);

    [Theory]
    [InlineData(257, 16, KvCacheType.F32)]
    [InlineData(600, 16, KvCacheType.F16)]
    [InlineData(600, 16, KvCacheType.Q8_0)]
    [InlineData(600, 300, KvCacheType.Q8_0)]
    [InlineData(512, 300, KvCacheType.Q8_0)]
    public void APrefixLongerThanTheSession_IsTakenInPart(int baked, int capacity, KvCacheType kv)
    {
        int[] prefix = Ids(Small, baked), prompt = [.. prefix[..(capacity - 2)], 49];
        (QedModel plain, QedModel model) = Bake(prefix, new BakeOptions { Session = new SessionOptions { KvType = kv } });
        using (plain)
        using (model)
        {
            var options = new SessionOptions { KvType = kv, ContextLength = capacity };
            using Session expected = plain.CreateSession(options), actual = model.CreateSession(options);
            expected.Feed(prompt);
            int taken = actual.TakeBaked(prompt);
            Assert.Equal(capacity - 2, taken);
            actual.Feed(prompt.AsSpan(taken));
            Assert.True(expected.Logits.SequenceEqual(actual.Logits));
        }
    }

    // Old prefixes and sessions must not be taken for good when these bytes change: raise KvCache.Version then, and put the new digest here.
    [Fact]
    public void TheBytes_AreThoseOfThisVersion()
    {
        (QedModel plain, QedModel model) = Bake(Ids(Small, 300), new BakeOptions { Session = new SessionOptions { KvType = KvCacheType.Q8_0 } });
        using (plain)
        using (model)
            Assert.Equal((1, 16514519874065828998UL), (QedEdge.Model.KvCache.Version, QedEdge.Memory.Checksum.Of(model.File.Data(model.File.Find("qed.baked.kv")!))));
    }

    [Fact]
    public void Generators_UseItByThemselves()
    {
        (QedModel plain, QedModel model) = Bake([1, 2, 3, 4, 5], new BakeOptions());
        using (plain)
        using (model)
        {
            var options = new GenerationOptions { MaxTokens = 8 };
            using Session a = plain.CreateSession(), b = model.CreateSession();
            List<int> expected = [], actual = [], other = [];
            int[] prompt = [1, 2, 3, 4, 9, 9];
            Assert.Equal(0, new Generator(a, options).Run(prompt, (id, _) => { expected.Add(id); return true; }).CachedTokens);
            Assert.Equal(4, new Generator(b, options).Run(prompt, (id, _) => { actual.Add(id); return true; }).CachedTokens);
            using SessionBatch batch = model.CreateBatch(2);
            new BatchGenerator(batch).Run(
            [
                new GenerationRequest { Prompt = [7, 8], Options = options, OnToken = (_, _) => true },
                new GenerationRequest { Prompt = prompt, Options = options, OnToken = (id, _) => { other.Add(id); return true; } },
            ]);
            Assert.Equal(expected, actual);
            Assert.Equal(expected, other);
        }
    }

    [Fact]
    public void WhereItDoesNotFit_AllIsComputed()
    {
        (QedModel plain, QedModel model) = Bake([1, 2, 3, 4, 5], new BakeOptions { Session = new SessionOptions { KvType = KvCacheType.F16 } });
        using (plain)
        using (model)
        {
            using Session other = model.CreateSession(new SessionOptions { KvType = KvCacheType.F32 }), small = model.CreateSession(new SessionOptions { KvType = KvCacheType.F16, ContextLength = 4 });
            using Session begun = model.CreateSession(new SessionOptions { KvType = KvCacheType.F16 }), none = plain.CreateSession(new SessionOptions { KvType = KvCacheType.F16 });
            begun.Feed([1]);
            foreach (Session session in new[] { other, begun, none })
                Assert.Equal(0, session.TakeBaked([1, 2, 3]));
            using Session empty = model.CreateSession(new SessionOptions { KvType = KvCacheType.F16 });
            Assert.Equal(0, empty.TakeBaked([]));
            Assert.Equal(0, empty.TakeBaked([1])); // the last token is always fed
            Assert.Equal(0, empty.TakeBaked([2, 2, 3]));
            Assert.Throws<ContextLengthException>(() => small.TakeBaked([1, 2, 3, 4, 5, 6]));
            Assert.Throws<InvalidOptionException>(() => empty.TakeBaked([1, 2, 50]));
            Assert.Equal(0, empty.Position);
            Assert.Equal(0, small.Position);
            Assert.Equal(3, small.TakeBaked([1, 2, 3, 4])); // of a longer prefix
        }
    }

    [Fact]
    public void BakingAgain_Replaces_AndSavedSessionsGoOnWithBothFiles()
    {
        (QedModel plain, QedModel model) = Bake([1, 2, 3], new BakeOptions { System = "Be kind." });
        using (plain)
        using (model)
        {
            string again = Path.Combine(_folder, "again.gguf"), once = Path.Combine(_folder, "once.gguf"), saved = Path.Combine(_folder, "session");
            Assert.Equal("Be kind.", model.BakedPrefix!.System);
            PrefixBaker.Bake(model, [4, 5], again, new BakeOptions());
            PrefixBaker.Bake(plain, [4, 5], once, new BakeOptions());
            Assert.Equal(File.ReadAllBytes(once), File.ReadAllBytes(again));
            using Session first = plain.CreateSession(), second = model.CreateSession();
            first.Feed([1, 2]);
            first.Save(saved);
            second.Restore(saved);
            Assert.Equal(2, second.Position);
        }
    }

    [Fact]
    public void Repacking_LeavesItOut_AndSaysSo()
    {
        (QedModel plain, QedModel model) = Bake([1, 2, 3], new BakeOptions());
        using (plain)
        using (model)
        {
            string path = Path.Combine(_folder, "repacked.gguf");
            ConversionReport report = FileRepacker.Repack(model.File.Name, path, FileLayout.Plain, 1, overwrite: false);
            Assert.Contains(report.Warnings, warning => warning.Contains("bake", StringComparison.Ordinal));
            using QedModel repacked = QedModel.Open(path);
            Assert.Null(repacked.BakedPrefix);
        }
    }

    [Fact]
    public void DamageAndForeignWeights_AreRefused()
    {
        (QedModel plain, QedModel model) = Bake([1, 2, 3], new BakeOptions());
        plain.Dispose();
        GgufTensorInfo tensor = model.File.Find("qed.baked.kv")!;
        string path = model.File.Name;
        model.Dispose();
        byte[] bytes = File.ReadAllBytes(path);
        bytes[tensor.Offset + tensor.Bytes / 2] ^= 1;
        string damaged = Path.Combine(_folder, "damaged.gguf");
        File.WriteAllBytes(damaged, bytes);
        using (QedModel opened = QedModel.Open(damaged))
        using (Session session = opened.CreateSession())
        {
            Assert.Contains("qed.baked.kv", Assert.Throws<ModelFormatException>(() => session.TakeBaked([1, 2])).Message);
            Assert.Equal(0, session.Position);
            session.Feed([1, 2]); // it can still be computed
        }

        // The same keys, other weights.
        using QedModel other = QedModel.Open((Small with { Seed = 10 }).Write(_folder, BlockFormat.Q8_0));
        using GgufFile good = GgufFile.Open(path);
        foreach ((string change, string says) in new[] { ("weights", "other weights"), ("tokens", "token ids"), ("kv_type", "keys and values"), ("tensor", "no keys and values"), ("length", "bytes of keys") })
        {
            string foreign = Path.Combine(_folder, change + ".gguf");
            WriteForeign(other, good, change, foreign);
            string message = Assert.Throws<ModelFormatException>(() =>
            {
                using QedModel opened = QedModel.Open(foreign);
                using Session session = opened.CreateSession();
                session.TakeBaked([1, 2]);
            }).Message;
            Assert.Contains(says, message);
        }
    }

    [Fact]
    public void NothingToBake_TooMuch_AndATakenName_LeaveNoFile()
    {
        using QedModel model = QedModel.Open(Small.Write(_folder, BlockFormat.Q8_0));
        string path = Path.Combine(_folder, "baked.gguf");
        Assert.Throws<InvalidOptionException>(() => PrefixBaker.Bake(model, [], path, new BakeOptions()));
        Assert.Throws<InvalidOptionException>(() => PrefixBaker.Bake(model, [50], path, new BakeOptions()));
        Assert.Throws<ContextLengthException>(() => PrefixBaker.Bake(model, [1, 2, 3], path, new BakeOptions { Session = new SessionOptions { ContextLength = 2 } }));
        Assert.Throws<OperationCanceledException>(() => PrefixBaker.Bake(model, [1, 2, 3], path, new BakeOptions(), new CancellationToken(canceled: true)));
        Assert.Throws<ContextLengthException>(() => PrefixBaker.Bake(model, [1, 2, 3], path, new BakeOptions { Session = new SessionOptions { ContextLength = 2, Overflow = ContextOverflow.Slide } }));
        Assert.Equal(["Q8_0-Packed.gguf", "config.json", "model.safetensors"], Directory.EnumerateFileSystemEntries(_folder).Select(Path.GetFileName).Order(StringComparer.Ordinal));
        Assert.Throws<QedException>(() => PrefixBaker.Bake(model, [1], Path.Combine(_folder, "config.json"), new BakeOptions()));
        Assert.Throws<InvalidOptionException>(() => PrefixBaker.Bake(model, [1], model.File.Name, new BakeOptions { Overwrite = true }));
    }

    private (QedModel Plain, QedModel Baked) Bake(int[] tokens, BakeOptions options)
    {
        QedModel plain = QedModel.Open(Small.Write(_folder, BlockFormat.Q8_0));
        string path = Path.Combine(_folder, "baked.gguf");
        PrefixBaker.Bake(plain, tokens, path, options);
        return (plain, QedModel.Open(path));
    }

    /// <summary>A model with another's prefix, or with one that is wrong in one way.</summary>
    private static void WriteForeign(QedModel model, GgufFile from, string change, string path)
    {
        var writer = new GgufWriter();
        foreach (string key in model.File.Metadata.Keys)
            writer.Copy(model.File.Metadata, key);
        writer.Add("qed.baked.tokens", (int[])[1, 2, change == "tokens" ? 50 : 3]);
        writer.Add("qed.baked.kv_type", change == "kv_type" ? "3" : "q8_0");
        writer.Add("qed.baked.fingerprint", change == "weights" ? from.Metadata.GetUInt64("qed.baked.fingerprint") : model.Fingerprint);
        GgufTensorInfo tensor = from.Find("qed.baked.kv")!;
        long bytes = change == "length" ? tensor.Bytes - 1 : tensor.Bytes;
        foreach (GgufTensorInfo own in model.File.Tensors)
            writer.AddTensor(own.Name, own.Type, [.. own.Dimensions], own.Bytes);
        writer.AddTensor(change == "tensor" ? "qed.baked.other" : tensor.Name, tensor.Type, [bytes], bytes);
        using FileStream stream = File.Create(path);
        writer.Begin(stream);
        for (int i = 0; i < model.File.Tensors.Count; i++)
            writer.WriteTensor(i, model.File.Data(model.File.Tensors[i]).Span(0, (int)model.File.Tensors[i].Bytes));
        writer.WriteTensor(model.File.Tensors.Count, from.Data(tensor).Span(0, (int)bytes));
        writer.End();
    }

    private static int[] Ids(RandomShape shape, int length) => [.. Enumerable.Range(0, length).Select(i => i * i * 31 % shape.Vocab)];
}
