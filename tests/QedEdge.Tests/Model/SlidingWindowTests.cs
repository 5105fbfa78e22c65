using CsCheck;
using QedEdge.Conversion;
using QedEdge.Evaluation;
using QedEdge.Kernels;
using QedEdge.Model;
using QedEdge.Quantization;
using QedEdge.Sampling;

namespace QedEdge.Tests.Model;

/// <summary>Sessions that go on beyond their context.</summary>
public sealed class SlidingWindowTests : IDisposable
{
    private static readonly RandomShape OneLayer = new(Layers: 1, Heads: 2, HeadSize: 16, Inner: 40, Vocab: 50, Bias: true, Tied: false, Theta: 10_000f, Deviation: 0.1f, Seed: 7);

    private readonly string _folder = Directory.CreateTempSubdirectory("qed").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void Visible_IsWhatTheDefinitionSays() =>
        Gen.Select(Gen.Int[1, 300], Gen.Int[0, 40], Gen.Int[0, 2000], Gen.Int[1, 128], Gen.Bool).Sample((capacity, sinks, before, added, slides) =>
        {
            var window = new SlotMap(capacity, slides, Math.Min(sinks, capacity / 2));
            int count = slides ? before + added : Math.Min(capacity, before + added); // tokens stored, the last `added` of them by one batch
            var index = new int[window.Slots];
            Array.Fill(index, -1);
            for (int i = 0; i < count; i++)
                index[window.Slot(i)] = i;
            var mask = new byte[KvCache.ChunkSize];
            for (int query = Math.Max(0, count - added); query < count; query++)
            {
                int seen = 0, end = window.End(query, count);
                for (int begin = 0; begin < end; begin += KvCache.ChunkSize)
                {
                    int length = Math.Min(KvCache.ChunkSize, end - begin), visible = window.Visible(query, count, begin, length, mask);
                    for (int s = 0; s < length; s++)
                    {
                        int i = index[begin + s];
                        bool expected = i >= 0 && i <= query && (i < window.Sinks || i > query - (capacity - window.Sinks));
                        Assert.Equal(expected, visible < 0 ? mask[s] == 1 : s < visible);
                        seen += expected ? 1 : 0;
                    }
                }
                Assert.Equal(Math.Min(query + 1, capacity), seen); // nothing that it should see was overwritten
            }
        }, iter: 300);

    [Fact]
    public void Sliding_AgreesWithTheReference() =>
        Gen.Select(RandomModel.Any.Where(random => random.Architecture.HasRelativePositions), Gen.Int[1, 40], Gen.Int[0, 6], Gen.Int[1, 300], Gen.OneOfConst(BlockFormat.F32, BlockFormat.F16)).Sample((random, capacity, sinks, length, format) =>
        {
            sinks = Math.Min(sinks, capacity / 2);
            string path = random.Write(_folder, format);
            int[] ids = [.. Enumerable.Range(0, length).Select(i => i * i * 31 % random.Architecture.VocabSize)];
            double[][] expected = random.Reference(path).Forward([ids], window: new ReferenceWindow(capacity, sinks))[0];
            using QedModel model = random.Open(path);
            float[][] actual = Run(model, ids, new SessionOptions { ContextLength = capacity, Overflow = ContextOverflow.Slide, Sinks = sinks, KvType = KvCacheType.F32 });
            for (int t = 0; t < length; t++)
            {
                double allowed = 1e-4 * Math.Max(1, expected[t].Max(Math.Abs));
                for (int i = 0; i < actual[t].Length; i++)
                    Assert.True(Math.Abs(expected[t][i] - actual[t][i]) <= allowed, $"token {t}, logit {i}: {actual[t][i]:R} instead of {expected[t][i]:R}");
            }
        }, iter: 40, threads: 1);

    [Fact]
    public void EverySetChunkingAndThreadCount_GivesTheSameBits()
    {
        foreach (BlockFormat format in new[] { BlockFormat.F32, BlockFormat.Q4_0 })
        {
            RandomShape shape = OneLayer with { Layers = 2 };
            string path = shape.Write(_folder, format);
            int[] ids = [.. Enumerable.Range(0, 900).Select(i => i * 7 % 50)];
            foreach (KvCacheType kv in new[] { KvCacheType.F32, KvCacheType.F16, KvCacheType.Q8_0 })
            {
                float[][]? expected = null;
                foreach (KernelSet set in KernelRegistry.Available.Reverse())
                {
                    using QedModel model = QedModel.Open(path, new ModelOptions { InstructionSet = set.Name });
                    foreach ((int chunk, int threads) in new[] { (0, 1), (1, 2), (7, 3), (100, 5) })
                    {
                        float[][] actual = Run(model, ids, new SessionOptions { ContextLength = 140, Overflow = ContextOverflow.Slide, Sinks = 3, KvType = kv, Threads = threads }, chunk);
                        expected ??= actual;
                        for (int t = 0; t < ids.Length; t++)
                            Assert.True(expected[t].AsSpan().SequenceEqual(actual[t]), $"{format}, kv {kv}, {set.Name}, chunk {chunk}, {threads} threads: token {t}");
                    }
                }
            }
        }
    }

    // A lone query takes many chunks of keys at a time, those of a batch one: 4,900 positions are more than either takes at once.
    [Theory]
    [InlineData(KvCacheType.F32)]
    [InlineData(KvCacheType.F16)]
    [InlineData(KvCacheType.Q8_0)]
    public void FarFromTheBeginning_OneTokenAtATime_GivesTheSameBits(KvCacheType kv)
    {
        int[] ids = [.. Enumerable.Range(0, 5_000).Select(i => i * 7 % 50)];
        foreach (KernelSet set in KernelRegistry.Available)
        {
            RandomShape shape = set.Name == "scalar" ? OneLayer with { Heads = 1 } : OneLayer with { HeadSize = 72 };
            using QedModel model = QedModel.Open(shape.Write(_folder, BlockFormat.Q4_0), new ModelOptions { InstructionSet = set.Name });
            foreach (int capacity in new[] { 4_500, 4_900, 5_000 }) // the slots went round; only sinks move; nothing slides
            {
                var options = new SessionOptions { ContextLength = capacity, Overflow = ContextOverflow.Slide, Sinks = 3, KvType = kv };
                using Session together = model.CreateSession(options), alone = model.CreateSession(options);
                var expected = new float[10][];
                together.Feed(ids.AsSpan(0, 4_990));
                alone.CopyFrom(together);
                together.Feed(ids.AsSpan(4_990), new FeedOptions { OnLogits = (t, row) => expected[t] = row.ToArray() });
                for (int t = 0; t < expected.Length; t++)
                {
                    alone.Feed(ids.AsSpan(4_990 + t, 1));
                    Assert.True(expected[t].AsSpan().SequenceEqual(alone.Logits), $"kv {kv}, {set.Name}, capacity {capacity}: token {t}");
                }
            }
        }
    }

    [Theory]
    [InlineData(KvCacheType.F16)]
    [InlineData(KvCacheType.Q8_0)]
    public void FarFromTheBeginning_AMask_IsTheSameForALoneToken(KvCacheType kv)
    {
        using QedModel model = QedModel.Open(OneLayer.Write(_folder, BlockFormat.Q4_0));
        int[] ids = [.. Enumerable.Range(0, 4_700).Select(i => i * 7 % 50)];
        byte[] mask = [.. ids.Select((_, i) => i is >= 256 and < 512 or >= 4_000 and < 4_300 ? (byte)0 : (byte)1)];
        var options = new SessionOptions { ContextLength = 4_700, KvType = kv };
        using Session together = model.CreateSession(options), alone = model.CreateSession(options);
        together.Feed(ids, new FeedOptions { AttentionMask = mask });
        alone.Feed(ids.AsSpan(0, 4_699), new FeedOptions { AttentionMask = mask.AsMemory(0, 4_699) });
        alone.Feed(ids.AsSpan(4_699), new FeedOptions { AttentionMask = mask });
        Assert.True(together.Logits.SequenceEqual(alone.Logits));
    }

    [Fact]
    public void UpToTheCapacity_NothingDiffersFromStop()
    {
        using QedModel model = QedModel.Open(OneLayer.Write(_folder, BlockFormat.Q8_0));
        int[] ids = [.. Enumerable.Range(0, 300).Select(i => i % 50)];
        float[][] stop = Run(model, ids, new SessionOptions { ContextLength = 300 }), slide = Run(model, ids, new SessionOptions { ContextLength = 300, Overflow = ContextOverflow.Slide });
        for (int t = 0; t < ids.Length; t++)
            Assert.True(stop[t].AsSpan().SequenceEqual(slide[t]), $"token {t}");
    }

    /// <summary>
    /// With one layer a token's keys and values depend on nothing before it, so a fresh session with the window's tokens at the window's positions
    /// must agree: to the bit where the window begins in slot 0, since then all sums run in the same order, and to rounding elsewhere.
    /// (Deeper layers remember tokens that have left the window: there the reference test above speaks.)
    /// </summary>
    [Theory]
    [InlineData(KvCacheType.F32)]
    [InlineData(KvCacheType.F16)]
    [InlineData(KvCacheType.Q8_0)]
    public void AfterTwentyWindows_TheLogitsAreThoseOfAFreshSession(KvCacheType kv)
    {
        using QedModel model = QedModel.Open(OneLayer.Write(_folder, BlockFormat.F32));
        const int Capacity = 48;
        int slots = new SlotMap(Capacity, slides: true, sinks: 0).Slots, aligned = 0;
        using Session session = model.CreateSession(new SessionOptions { ContextLength = Capacity, Overflow = ContextOverflow.Slide, Sinks = 0, KvType = kv });
        var ids = new List<int>();
        for (int i = 0; i < 21 * slots; i++)
        {
            ids.Add(i * i % 47);
            session.Feed([ids[i]]);
            if (i < 20 * Capacity || (i % 13 != 0 && (i - Capacity + 1) % slots != 0))
                continue;
            using Session fresh = model.CreateSession(new SessionOptions { ContextLength = Capacity, KvType = kv });
            fresh.Feed([.. ids.TakeLast(Capacity)], new FeedOptions { PositionIds = Enumerable.Range(i - Capacity + 1, Capacity).ToArray() });
            if ((i - Capacity + 1) % slots == 0)
            {
                aligned++;
                Assert.True(fresh.Logits.SequenceEqual(session.Logits), $"token {i}");
            }
            float allowed = kv == KvCacheType.Q8_0 ? 0.02f : 1e-4f; // int8 rounds softmax weights in blocks of 32 slots
            for (int j = 0; j < session.VocabSize; j++)
                Assert.InRange(session.Logits[j] - fresh.Logits[j], -allowed, allowed);
        }
        Assert.InRange(aligned, 10, int.MaxValue);
    }

    [Fact]
    public void TheSampleModel_GoesOnForTwentyContexts_WithoutGrowingOrDrifting()
    {
        string path = Path.Combine(_folder, "tiny.gguf");
        CheckpointConverter.Convert(TestData.TinyQed, path, new ConversionOptions());
        using QedModel model = QedModel.Open(path);
        var options = new SessionOptions { ContextLength = 64, Overflow = ContextOverflow.Slide, Threads = 1 };
        using Session session = model.CreateSession(options);
        var sampler = new Sampler(new SamplingOptions { Seed = 3 }, session.VocabSize);
        var ids = new List<int>(64 * 25) { 1 };
        long before = 0;
        double nll = 0;
        int scored = 0;
        for (int i = 0; i < 64 * 22; i++)
        {
            session.Feed([ids[i]]);
            if (i == 200)
                before = GC.GetAllocatedBytesForCurrentThread();
            int next = sampler.Next(session.Logits);
            sampler.Accept(next);
            if (i > 64 * 20)
            {
                nll -= CrossEntropy.LogProbability(session.Logits, next);
                scored++;
            }
            ids.Add(next);
        }
        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
        Assert.Equal(64 * 22, session.Position);
        Assert.InRange(nll / scored, 0.5, 4); // text as likely as the model's own: a window that had lost its thread would be at 7
    }

    [Fact]
    public void Rollback_IntoWhatTheWindowStillSees_GivesTheSameBits_AndRefusesTheRest()
    {
        using QedModel model = QedModel.Open((OneLayer with { Layers = 2 }).Write(_folder, BlockFormat.Q8_0));
        using Session session = model.CreateSession(new SessionOptions { ContextLength = 32, Overflow = ContextOverflow.Slide, Sinks = 2 });
        int[] ids = [.. Enumerable.Range(0, 500).Select(i => i * 3 % 50)];
        session.Feed(ids);
        float[] expected = session.Logits.ToArray();
        int earliest = new SlotMap(32, true, 2).EarliestReturn(500);
        Assert.InRange(earliest, 300, 400);
        session.Feed([1, 2, 3, 4, 5]);
        var error = Assert.Throws<InvalidOptionException>(() => session.Rollback(earliest));
        Assert.Contains($"the earliest is {earliest + 5}", error.Message, StringComparison.Ordinal);
        Assert.Equal(505, session.Position);
        session.Rollback(earliest + 5);
        session.Feed(ids.AsSpan(earliest + 5));
        Assert.True(session.Logits.SequenceEqual(expected));
        // Taking back twice does not bring back what the first tokens taken back had overwritten.
        session.Feed([1, 2, 3]);
        session.Rollback(500);
        session.Rollback(450); // 505 tokens were stored once
        Assert.Throws<InvalidOptionException>(() => session.Rollback(earliest + 4));
        session.Rollback(earliest + 5);
        session.Feed(ids.AsSpan(earliest + 5));
        Assert.True(session.Logits.SequenceEqual(expected));
        Assert.Equal(0, session.CommonPrefix(ids));
        session.Rollback(0);
        session.Feed(ids);
        Assert.True(session.Logits.SequenceEqual(expected));
    }

    [Fact]
    public void AWindowThatHasSlid_GoesOnOnlyInOneOfTheSameSize()
    {
        using QedModel model = QedModel.Open((OneLayer with { Layers = 2 }).Write(_folder, BlockFormat.Q8_0));
        var options = new SessionOptions { ContextLength = 100, Overflow = ContextOverflow.Slide, Sinks = 2 };
        string path = Path.Combine(_folder, "saved");
        foreach (int length in new[] { 50, 110, 600 }) // fits, has slid, has gone round
        {
            using Session session = model.CreateSession(options);
            session.Feed([.. Enumerable.Range(0, length).Select(i => i % 50)]);
            session.Save(path, overwrite: true);
            session.Feed([7]);
            foreach (SessionOptions other in new[] { options, options with { ContextLength = 1000 }, options with { Sinks = 3 }, options with { ContextLength = 1000, Overflow = ContextOverflow.Stop } })
            {
                using Session copy = model.CreateSession(other), restored = model.CreateSession(other);
                if (length > 100 && other != options)
                {
                    Assert.Throws<InvalidOptionException>(() => copy.CopyFrom(session));
                    Assert.Throws<QedException>(() => restored.Restore(path));
                    continue;
                }
                copy.CopyFrom(session);
                restored.Restore(path);
                restored.Feed([7]);
                copy.Feed([8]);
                restored.Feed([8]);
                Assert.True(copy.Logits.SequenceEqual(restored.Logits), $"{length} {other}");
                if (length == 600) // what it took over stays out of reach
                    Assert.Throws<InvalidOptionException>(() => copy.Rollback(400));
            }
        }
    }

    [Fact]
    public void AContextWithAMaskOrPositions_DoesNotGoOnInASlidingWindow()
    {
        using QedModel model = QedModel.Open(OneLayer.Write(_folder, BlockFormat.F32));
        var options = new SessionOptions { ContextLength = 20, KvType = KvCacheType.F32 };
        string path = Path.Combine(_folder, "saved");
        foreach (FeedOptions feed in new[] { new FeedOptions { AttentionMask = new byte[] { 0, 1, 1 } }, new FeedOptions { PositionIds = new[] { 3, 4, 5 } }, new FeedOptions() })
        {
            bool plain = feed.AttentionMask.IsEmpty && feed.PositionIds.IsEmpty;
            using Session stops = model.CreateSession(options), slides = model.CreateSession(options with { Overflow = ContextOverflow.Slide }), same = model.CreateSession(options);
            stops.Feed([1, 2, 3], feed);
            stops.Save(path, overwrite: true);
            foreach (Action<Session> become in new Action<Session>[] { s => s.CopyFrom(stops), s => s.Restore(path) })
            {
                become(same);
                if (plain)
                    become(slides);
                else
                    Assert.Contains("positions", Assert.ThrowsAny<QedException>(() => become(slides)).Message);
                Assert.Equal(plain ? 3 : 0, slides.Position);
            }
        }
    }

    [Fact]
    public void MasksPositionsAndSinksThatMakeNoSense_AreRefused()
    {
        using QedModel model = QedModel.Open(OneLayer.Write(_folder, BlockFormat.F32));
        using Session session = model.CreateSession(new SessionOptions { ContextLength = 10, Overflow = ContextOverflow.Slide });
        Assert.Throws<InvalidOptionException>(() => session.Feed([1], new FeedOptions { AttentionMask = new byte[] { 1 } }));
        Assert.Throws<InvalidOptionException>(() => session.Feed([1], new FeedOptions { PositionIds = new[] { 1 } }));
        Assert.Equal(0, session.Position);
        foreach (int sinks in new[] { -1, 6, int.MaxValue })
            Assert.Throws<InvalidOptionException>(() => model.CreateSession(new SessionOptions { ContextLength = 10, Overflow = ContextOverflow.Slide, Sinks = sinks }));
    }

    private static float[][] Run(QedModel model, int[] ids, SessionOptions options, int chunk = 0)
    {
        using Session session = model.CreateSession(options);
        var all = new float[ids.Length][];
        session.Feed(ids, new FeedOptions { ChunkSize = chunk, OnLogits = (t, logits) => all[t] = logits.ToArray() });
        return all;
    }
}
