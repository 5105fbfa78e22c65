using CsCheck;
using QedEdge.Kernels;
using QedEdge.Model;
using QedEdge.Quantization;

namespace QedEdge.Tests.Model;

/// <summary>Tokens taken out of the middle of a context.</summary>
public sealed class ShiftTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("qed").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    private static readonly Gen<(int Length, int Position, int Count)> Cuts =
        from length in Gen.Int[1, 600]
        from position in Gen.Int[0, length - 1]
        from count in Gen.Int[0, length - position]
        select (length, position, count);

    // With one layer, keys and values depend on a token and its position alone: what is left is a context of its own.
    [Fact]
    public void OfOneLayer_ItIsTheContextWithoutThem() =>
        Gen.Select(RandomShape.Any, Cuts, Gen.OneOfConst(KvCacheType.F32, KvCacheType.F16, KvCacheType.Q8_0)).Sample((shape, cut, kv) =>
        {
            using QedModel model = QedModel.Open((shape with { Layers = 1 }).Write(_folder, BlockFormat.F32));
            int[] ids = Ids(shape, cut.Length), left = [.. ids[..cut.Position], .. ids[(cut.Position + cut.Count)..]];
            using Session shifted = model.CreateSession(Options(kv)), fresh = model.CreateSession(Options(kv));
            shifted.Feed(ids);
            shifted.Shift(cut.Position, cut.Count);
            Assert.Equal(left.Length, shifted.Position);
            Assert.Equal(left.Length == ids.Length || cut.Position + cut.Count == ids.Length ? left.Length : 0, shifted.CommonPrefix(left)); // feeding them would give other keys
            shifted.Feed([1]);
            fresh.Feed(left);
            fresh.Feed([1]);
            AssertClose(fresh.Logits, shifted.Logits, kv);
        }, iter: 60, threads: 1);

    // Only distances count: without the first tokens, all that is left is what a mask would leave.
    [Fact]
    public void OfTheFirstTokens_ItIsAMask() =>
        Gen.Select(RandomShape.Any, Gen.Int[2, 400], Gen.Int[1, 400]).Sample((shape, length, count) =>
        {
            count = Math.Min(count, length - 1);
            using QedModel model = QedModel.Open(shape.Write(_folder, BlockFormat.F32));
            int[] ids = Ids(shape, length);
            using Session shifted = model.CreateSession(Options(KvCacheType.F32)), masked = model.CreateSession(Options(KvCacheType.F32));
            shifted.Feed(ids);
            masked.Feed(ids);
            shifted.Shift(0, count);
            Assert.True(masked.Logits.SequenceEqual(shifted.Logits)); // they stay
            shifted.Feed([0, 1]);
            masked.Feed([0, 1], new FeedOptions { AttentionMask = Enumerable.Range(0, length + 2).Select(i => (byte)(i < count ? 0 : 1)).ToArray() });
            AssertClose(masked.Logits, shifted.Logits, KvCacheType.F32);
        }, iter: 60, threads: 1);

    // A rotation keeps products: a query turned like the keys sees the scores it saw. Values do not change by a bit.
    [Fact]
    public void TheCache_TurnsKeys_AndMovesValues() =>
        Gen.Select(Cuts, Gen.OneOfConst(KvFormat.F32, KvFormat.F16, KvFormat.Q8_0), Gen.OneOfConst(8, 24, 32, 64), Gen.UInt).Sample((cut, format, size, seed) =>
        {
            KernelSet kernels = KernelRegistry.Select(null);
            var config = new RandomShape(Layers: 2, Heads: 2, HeadSize: size, Inner: 8, Vocab: 8, Bias: false, Tied: true, Theta: 10_000f, Deviation: 0.1f, Seed: 1);
            using QedModel model = QedModel.Open(config.Write(_folder, BlockFormat.F32));
            using var own = new WorkerSpace(model.Config.Architecture, Workspace.Pad(2 * size));
            using var ropes = new Ropes(model.Config.Architecture.Layers, null, 0);
            Rope rope = ropes[1]!;
            using var cache = new KvCache(new SlotMap(608, slides: false, sinks: 0), model.Config.Architecture.Layers, format);
            var random = new Random((int)(seed & int.MaxValue));
            float[] Vector() => [.. Enumerable.Range(0, cache.PaddedHeadSize).Select(c => c < size ? (float)random.NextDouble() - 0.5f : 0f)];
            for (int slot = 0; slot < cut.Length; slot++)
                cache.Store(kernels, 1, 1, slot, Vector(), Vector());
            float[] query = Vector(), turned = new float[query.Length];
            rope.Prepare([-cut.Count]);
            rope.Apply(0, query.AsSpan(0, size), turned);

            (float[] before, float[][] values) = Read(query);
            cache.Shift(kernels, ropes, cut.Position, cut.Count, cut.Length);
            (float[] unturned, _) = Read(query);
            (float[] after, float[][] moved) = Read(turned);
            double tolerance = format switch { KvFormat.F32 => 1e-5, KvFormat.F16 => 1e-3, _ => 0.05 } * Math.Sqrt(size / 12.0); // a query of length √(size/12)
            for (int slot = 0; slot < cut.Length - cut.Count; slot++)
            {
                int from = slot < cut.Position ? slot : slot + cut.Count;
                Assert.InRange(slot < cut.Position ? unturned[slot] : after[slot], before[from] - tolerance, before[from] + tolerance);
                Assert.Equal(values[from], moved[slot]);
            }

            (float[] Scores, float[][] Values) Read(float[] query)
            {
                query.CopyTo(own.Queries.Row(0));
                kernels.Quantize(own.Queries, 0, size);
                var scores = new float[608];
                kernels.Gemm(new(cache.Keys(1, 1), own.Queries, 1, 0, 76, scores, 608));
                var values = new float[cut.Length][];
                for (int slot = 0; slot < cut.Length; slot++)
                {
                    own.Scores.Span.Clear();
                    own.Scores.Span[slot % KvCache.ChunkSize] = 1f;
                    int length = Math.Min(KvCache.ChunkSize, 608 - slot / KvCache.ChunkSize * KvCache.ChunkSize);
                    own.Visible[0] = length;
                    cache.Weigh(kernels, own, 1, 1, slot / KvCache.ChunkSize, length, 1, 1, default);
                    values[slot] = own.Chunk.Slice(0, cache.PaddedHeadSize).ToArray();
                }
                return (scores, values);
            }
        }, iter: 30, threads: 1);

    [Fact]
    public void AShiftedMask_StaysWithItsTokens()
    {
        var shape = new RandomShape(Layers: 1, Heads: 2, HeadSize: 16, Inner: 40, Vocab: 50, Bias: false, Tied: true, Theta: 10_000f, Deviation: 0.1f, Seed: 3);
        using QedModel model = QedModel.Open(shape.Write(_folder, BlockFormat.F32));
        using Session shifted = model.CreateSession(Options(KvCacheType.F32)), fresh = model.CreateSession(Options(KvCacheType.F32));
        shifted.Feed([1, 2, 3, 4, 5, 6], new FeedOptions { AttentionMask = new byte[] { 1, 1, 1, 0, 1, 1 } });
        shifted.Shift(1, 2);
        shifted.Feed([7]);
        fresh.Feed([1, 4, 5, 6], new FeedOptions { AttentionMask = new byte[] { 1, 0, 1, 1 } });
        fresh.Feed([7]);
        AssertClose(fresh.Logits, shifted.Logits, KvCacheType.F32);
    }

    [Fact]
    public void WhatCannotBeShifted_IsRefused()
    {
        var shape = new RandomShape(Layers: 1, Heads: 1, HeadSize: 8, Inner: 8, Vocab: 50, Bias: false, Tied: true, Theta: 10_000f, Deviation: 0.1f, Seed: 3);
        using QedModel model = QedModel.Open(shape.Write(_folder, BlockFormat.F32));
        using Session session = model.CreateSession(Options(KvCacheType.F32) with { Overflow = ContextOverflow.Slide, ContextLength = 16 });
        session.Feed([1, 2, 3]);
        foreach ((int position, int count) in new[] { (-1, 1), (4, 0), (0, 4), (1, 3), (0, -1), (0, int.MaxValue) })
            Assert.Throws<ArgumentOutOfRangeException>(() => session.Shift(position, count));
        session.Shift(3, 0);
        Assert.True(session.HasLogits); // nothing went
        session.Shift(2, 1);
        Assert.Equal(2, session.Position);
        Assert.False(session.HasLogits); // those of a token that is gone
        session.Feed([.. Enumerable.Range(0, 300).Select(i => i % 50)]);
        Assert.Contains("slid", Assert.Throws<InvalidOptionException>(() => session.Shift(0, 1)).Message);
    }

    private static SessionOptions Options(KvCacheType kv) => new() { KvType = kv, ContextLength = 700, Threads = 1 };

    private static int[] Ids(RandomShape shape, int length) => [.. Enumerable.Range(0, length).Select(i => i * i * 31 % shape.Vocab)];

    private static void AssertClose(ReadOnlySpan<float> expected, ReadOnlySpan<float> actual, KvCacheType kv)
    {
        double tolerance = kv switch { KvCacheType.F32 => 1e-4, KvCacheType.F16 => 1e-2, _ => 0.1 };
        for (int i = 0; i < expected.Length; i++)
            Assert.InRange(actual[i], expected[i] - tolerance, expected[i] + tolerance);
    }
}
