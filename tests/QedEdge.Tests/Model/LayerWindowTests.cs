using CsCheck;
using QedEdge.Architectures;
using QedEdge.Kernels;
using QedEdge.Model;
using QedEdge.Quantization;

namespace QedEdge.Tests.Model;

/// <summary>Layers with a window of their own keep a ring of slots; whatever a session does, it must not be seen but in memory.</summary>
public sealed class LayerWindowTests : IDisposable
{
    private const int Window = 40; // 256 slots
    private const int Ring = 256;
    private const int Length = 700;

    private readonly string _folder = Directory.CreateTempSubdirectory("qed").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    private static readonly int[] Ids = [.. Enumerable.Range(0, Length).Select(i => i * i * 31 % 50)];

    /// <summary>Two layers with a window and between them one without.</summary>
    private static RandomModel Model { get; } = Of(Window);

    private static RandomModel Of(int window)
    {
        var norm = new Norm(NormKind.Rms, 1e-5f);
        LayerShape Layer(int? seen) => new(new AttentionShape(norm, 4, 2, 16) { Rotary = new Rotary(16, 10_000f, 1f, false, null), Scale = 0.25f, Window = seen }, new FeedForwardShape(norm, 64, Activation.Silu, true));
        return new RandomModel(new Architecture
        {
            Name = "random",
            Width = 32,
            VocabSize = 50,
            ContextLength = 2_000,
            Layers = [Layer(window), Layer(null), Layer(window)],
            OutputNorm = norm,
            TiedHead = true,
        }, 1f, 5);
    }

    [Fact]
    public void TheSlotsOfALayer_AreItsWindowsAndABatchs_NotTheContexts()
    {
        using QedModel model = Model.Open(Model.Write(_folder, BlockFormat.F32));
        var global = new SlotMap(2_000, slides: false, sinks: 0);
        using var cache = new KvCache(global, model.Config.Architecture.Layers, KvFormat.F32);
        Assert.Equal((Ring, 2_000, Ring), (cache.Map(0).Slots, cache.Map(1).Slots, cache.LeastSlots));
        long position = KvCache.BytesFor(Model.Architecture, 1, KvFormat.F32) / 3;
        Assert.Equal((2_000 + 2 * Ring) * position, KvCache.BytesFor(Model.Architecture, 2_000, KvFormat.F32));
        Assert.Equal(100 * 3 * position, KvCache.BytesFor(Model.Architecture, 100, KvFormat.F32));
        Assert.Equal(768, SlotMap.RingSlots(512)); // Gemma 3's
        Assert.Equal(48, new SlotMap(48, slides: false, sinks: 0).OfLayer(Window).Slots); // a context shorter than a ring
    }

    [Theory]
    [InlineData(1)]
    [InlineData(40)]
    [InlineData(129)]
    [InlineData(300)]
    public void AWindow_AgreesWithTheReference_AlsoAfterItsSlotsWentRound_AndMasked(int window)
    {
        RandomModel random = Of(window);
        string path = random.Write(_folder, BlockFormat.F32);
        using QedModel model = random.Open(path);
        byte[] mask = [.. Ids.Select((_, i) => (byte)(i is < 30 or >= 300 and < 330 or 650 ? 0 : 1))];
        foreach (byte[]? masked in new[] { null, mask })
        {
            double[][] expected = random.Reference(path).Forward([Ids], attentionMask: masked is null ? null : [masked])[0];
            float[][] actual = Run(model, new SessionOptions { ContextLength = Length, KvType = KvCacheType.F32 }, 0, masked);
            for (int t = 0; t < Length; t++)
            {
                double allowed = 1e-4 * Math.Max(1, expected[t].Max(Math.Abs));
                for (int i = 0; i < actual[t].Length && masked?[t] != 0; i++)
                    Assert.True(Math.Abs(expected[t][i] - actual[t][i]) <= allowed, $"token {t}, logit {i}: {actual[t][i]:R} instead of {expected[t][i]:R}");
            }
        }
    }

    [Theory]
    [InlineData(ContextOverflow.Stop)]
    [InlineData(ContextOverflow.Slide)]
    public void EverySetChunkingThreadCountAndContext_GivesTheSameBits(ContextOverflow overflow)
    {
        string path = Model.Write(_folder, BlockFormat.Q4_0);
        foreach (KvCacheType kv in new[] { KvCacheType.F32, KvCacheType.F16, KvCacheType.Q8_0 })
        {
            float[][]? expected = null;
            foreach (KernelSet set in KernelRegistry.Available.Reverse())
            {
                using QedModel model = Model.Open(path, set);
                foreach ((int chunk, int threads, int context) in new[] { (0, 1, Length), (1, 2, 2_000), (7, 3, 1_000), (100, 5, Length) })
                {
                    var options = new SessionOptions { ContextLength = overflow == ContextOverflow.Slide ? 60 : context, Overflow = overflow, Sinks = overflow == ContextOverflow.Slide ? 3 : null, KvType = kv, Threads = threads };
                    float[][] actual = Run(model, options, chunk);
                    expected ??= actual;
                    for (int t = 0; t < Length; t++)
                        Assert.True(expected[t].AsSpan().SequenceEqual(actual[t]), $"kv {kv}, {set.Name}, chunk {chunk}, {threads} threads, context {context}: token {t}");
                }
            }
        }
    }

    [Fact]
    public void TakenBack_CopiedAndSaved_ItGoesOnToTheBit() =>
        Gen.Select(Gen.Int[1, Length - 40], Gen.Int[0, Length], Gen.Int[0, 3], Gen.OneOfConst(KvCacheType.F32, KvCacheType.F16, KvCacheType.Q8_0)).Sample((fed, kept, way, kv) =>
        {
            kept = Math.Min(kept, fed);
            using QedModel model = Model.Open(Model.Write(_folder, BlockFormat.Q8_0));
            using Session session = model.CreateSession(new SessionOptions { ContextLength = Length, KvType = kv }), fresh = model.CreateSession(new SessionOptions { ContextLength = Length, KvType = kv });
            using Session other = model.CreateSession(new SessionOptions { ContextLength = 1_000, KvType = kv });
            session.Feed(Ids.AsSpan(0, fed));
            session.Rollback(kept);
            Assert.Equal((kept, kept), (session.Position, session.CommonPrefix(Ids)));
            Session goesOn = way == 0 ? session : other;
            string path = Path.Combine(_folder, "session");
            if (way == 1)
                other.CopyFrom(session);
            if (way >= 2)
            {
                session.Save(path, overwrite: true);
                other.Restore(path);
                Assert.Equal(kept, other.CommonPrefix(Ids));
            }
            if (way == 3)
            {
                int back = Math.Max(0, kept - 200); // and once more
                other.Rollback(back);
                other.Feed(Ids.AsSpan(back, kept - back));
            }
            fresh.Feed(Ids.AsSpan(0, kept));
            for (int step = 0; step < 2; step++)
            {
                goesOn.Feed(Ids.AsSpan(kept + 20 * step, 20));
                fresh.Feed(Ids.AsSpan(kept + 20 * step, 20));
                Assert.True(fresh.Logits.SequenceEqual(goesOn.Logits), $"{step}");
            }
        }, iter: 60, threads: 1);

    [Fact]
    public void WhatWentRound_IsNotTakenIntoAShorterContext_NorShifted()
    {
        using QedModel model = Model.Open(Model.Write(_folder, BlockFormat.Q8_0));
        using Session session = model.CreateSession(new SessionOptions { ContextLength = Length }), small = model.CreateSession(new SessionOptions { ContextLength = 200 });
        session.Feed(Ids.AsSpan(0, Ring));
        session.Shift(10, 20);
        session.Rollback(0);
        session.Feed(Ids.AsSpan(0, Ring + 10));
        Assert.Contains($"of up to {Ring}, not of {Ring + 10}", Assert.Throws<InvalidOptionException>(() => session.Shift(10, 20)).Message);
        session.Rollback(150);
        string path = Path.Combine(_folder, "session");
        session.Save(path);
        Assert.Throws<InvalidOptionException>(() => small.CopyFrom(session));
        Assert.ThrowsAny<QedException>(() => small.Restore(path));
        session.Rollback(20); // far enough that it is computed again: nothing has gone round any more
        small.CopyFrom(session);
        Assert.Equal(20, small.Position);
    }

    [Fact]
    public void ABakedPrefix_IsTakenWhole_OrAsFarAsWhatIsSeenIsThere()
    {
        string path = Model.Write(_folder, BlockFormat.Q8_0), baked = Path.Combine(_folder, "baked.gguf");
        using (QedModel model = Model.Open(path))
            PrefixBaker.Bake(model, Ids.AsSpan(0, 600), baked, new BakeOptions());
        using QedModel withPrefix = Model.Open(baked);
        foreach ((int common, int taken, int context) in new[] { (600, 600, Length), (500, 500, Length), (300, 0, Length), (600, 600, 1_500) })
        {
            using Session session = withPrefix.CreateSession(new SessionOptions { ContextLength = context }), fresh = withPrefix.CreateSession(new SessionOptions { ContextLength = context });
            int[] prompt = [.. Ids[..common], 1, 2, 3];
            Assert.Equal(taken, session.TakeBaked(prompt));
            session.Feed(prompt.AsSpan(taken));
            fresh.Feed(prompt);
            Assert.True(fresh.Logits.SequenceEqual(session.Logits), $"{common}");
        }
        foreach (ContextOverflow overflow in Enum.GetValues<ContextOverflow>())
        {
            foreach (int context in new[] { 35, 40, 41, 200 }) // less than the window, it, and less than its slots
            {
                using Session narrow = withPrefix.CreateSession(new SessionOptions { ContextLength = context, Overflow = overflow, Sinks = overflow == ContextOverflow.Slide ? 0 : null });
                Assert.Equal(0, narrow.TakeBaked(Ids.AsSpan(0, 30)));
            }
        }
    }

    private static float[][] Run(QedModel model, SessionOptions options, int chunk = 0, byte[]? mask = null)
    {
        var logits = new float[Length][];
        using Session session = model.CreateSession(options);
        session.Feed(Ids, new FeedOptions { ChunkSize = chunk, AttentionMask = mask, OnLogits = (t, row) => logits[t] = row.ToArray() });
        return logits;
    }
}
