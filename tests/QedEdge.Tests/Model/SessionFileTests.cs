using System.Runtime.InteropServices;
using QedEdge.Quantization;

namespace QedEdge.Tests.Model;

/// <summary>Sessions saved and restored.</summary>
public sealed class SessionFileTests : IDisposable
{
    private static readonly RandomShape Shape = new(Layers: 2, Heads: 2, HeadSize: 24, Inner: 40, Vocab: 50, Bias: true, Tied: true, Theta: 10_000f, Deviation: 0.1f, Seed: 9);

    private readonly string _folder = Directory.CreateTempSubdirectory("qed").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    public static TheoryData<KvCacheType, ContextOverflow, int, bool> Sessions
    {
        get
        {
            var all = new TheoryData<KvCacheType, ContextOverflow, int, bool>();
            foreach (KvCacheType kv in new[] { KvCacheType.F32, KvCacheType.F16, KvCacheType.Q8_0 })
            {
                all.Add(kv, ContextOverflow.Stop, 0, false);
                all.Add(kv, ContextOverflow.Stop, 290, false);
                all.Add(kv, ContextOverflow.Stop, 13, true);
                all.Add(kv, ContextOverflow.Slide, 700, false);
            }
            return all;
        }
    }

    [Theory]
    [MemberData(nameof(Sessions))]
    public void ARestoredSession_GoesOnToTheBit(KvCacheType kv, ContextOverflow overflow, int tokens, bool masked)
    {
        using QedModel model = QedModel.Open(Shape.Write(_folder, BlockFormat.Q8_0));
        var options = new SessionOptions { KvType = kv, Overflow = overflow, ContextLength = 300 };
        int[] ids = [.. Enumerable.Range(0, tokens).Select(i => i * 7 % 50)];
        string path = Path.Combine(_folder, "saved");
        using Session first = model.CreateSession(options), second = model.CreateSession(options with { Threads = 1 });
        first.Feed(ids, new FeedOptions { AttentionMask = masked ? [.. ids.Select((_, i) => (byte)(i < 4 ? 0 : 1))] : Array.Empty<byte>() });
        first.Save(path);
        second.Feed([1, 2, 3]);
        second.Restore(path);
        Assert.Equal(tokens, second.Position);
        Assert.Equal(overflow == ContextOverflow.Slide || masked ? 0 : tokens, second.CommonPrefix([.. ids, 1]));
        if (tokens > 0)
            Assert.True(first.Logits.SequenceEqual(second.Logits));
        first.Feed([5, 6, 7]);
        second.Feed([5, 6, 7]);
        Assert.True(first.Logits.SequenceEqual(second.Logits));
    }

    /// <summary>Blocks are saved whole: nothing of tokens that were taken back may be in them.</summary>
    [Theory]
    [InlineData(KvCacheType.F32)]
    [InlineData(KvCacheType.F16)]
    [InlineData(KvCacheType.Q8_0)]
    public void WhatWasTakenBack_IsNotInTheFile(KvCacheType kv)
    {
        using QedModel model = QedModel.Open(Shape.Write(_folder, BlockFormat.Q8_0));
        foreach (int kept in (int[])[5, 32, 250])
        {
            byte[][] files = [.. new[] { 3, 9 }.Select(taken =>
            {
                string path = Path.Combine(_folder, $"{kept}-{taken}");
                using Session session = model.CreateSession(new SessionOptions { KvType = kv, ContextLength = 300 });
                session.Feed([.. Enumerable.Range(0, kept).Select(i => i % 50)]);
                session.Feed([.. Enumerable.Repeat(taken, 20)]);
                session.Rollback(kept);
                session.Save(path);
                return File.ReadAllBytes(path);
            })];
            Assert.True(files[0].AsSpan().SequenceEqual(files[1]), $"{kept}");
        }
    }

    [Fact]
    public void EveryDamage_IsRefused_AndTheSessionStaysAsItWas()
    {
        using QedModel model = QedModel.Open(Shape.Write(_folder, BlockFormat.Q4_0));
        using Session session = model.CreateSession(new SessionOptions { ContextLength = 100 });
        session.Feed([.. Enumerable.Range(0, 20)]);
        string path = Path.Combine(_folder, "saved"), damaged = Path.Combine(_folder, "damaged");
        session.Save(path);
        byte[] good = File.ReadAllBytes(path);
        session.Feed([3]);
        float[] logits = session.Logits.ToArray();

        void Refused(byte[] bytes, string how)
        {
            File.WriteAllBytes(damaged, bytes);
            AssertRefused(session, damaged, how);
            Assert.Equal(21, session.Position);
            Assert.True(session.Logits.SequenceEqual(logits));
        }
        for (int i = 0; i < good.Length; i += i < 80 ? 1 : 97)
        {
            byte[] bytes = [.. good];
            bytes[i] ^= 0x40;
            Refused(bytes, $"byte {i}");
        }
        for (int length = 0; length < good.Length; length += length < 80 ? 1 : 997)
            Refused(good[..length], $"{length} bytes");
        Refused([.. good, 0], "a byte more");
        session.Rollback(20);
        session.Feed([3]);
        Assert.True(session.Logits.SequenceEqual(logits)); // keys and values as well
    }

    [Fact]
    public void NumbersThatMakeNoSense_AreRefusedUnderAGoodChecksum()
    {
        using QedModel model = QedModel.Open(Shape.Write(_folder, BlockFormat.F32));
        using Session session = model.CreateSession(new SessionOptions { ContextLength = 100 });
        session.Feed([1, 2, 3]);
        string path = Path.Combine(_folder, "saved");
        session.Save(path);
        byte[] good = File.ReadAllBytes(path);
        // format, capacity, sinks, slides, tokens, masked, logits, reach, plain
        for (int field = 32; field < 68; field += 4)
        {
            foreach (int value in new[] { -1, int.MinValue, int.MaxValue, 77 })
            {
                int old = MemoryMarshal.Read<int>(good.AsSpan(field));
                // What only says yes or no, or how large the other context was, may be another number.
                if (Restore((field, value)) is null)
                    Assert.True((old != 0) == (value != 0) || field is 36 or 40 or 44 or 64, $"{field} {old} {value}");
            }
        }
        const int Tokens = 48, Reach = 60, Capacity = 36, Slides = 44;
        Assert.NotNull(Restore((Tokens, 50_000), (Reach, 50_000), (Capacity, 100))); // more tokens than fit
        Assert.NotNull(Restore((Tokens, 2), (Reach, 3)));                            // taken back without ever having gone round
        Assert.NotNull(Restore((Slides, 1), (Tokens, 3), (Reach, 50_000)));          // back to what is overwritten
        Assert.Null(Restore());

        Exception? Restore(params (int Field, int Value)[] changes)
        {
            byte[] bytes = [.. good];
            foreach ((int field, int value) in changes)
                MemoryMarshal.Write(bytes.AsSpan(field), value);
            MemoryMarshal.Write(bytes.AsSpan(8), System.IO.Hashing.XxHash3.HashToUInt64(bytes.AsSpan(16)));
            File.WriteAllBytes(path, bytes);
            Exception? error = Record.Exception(() => session.Restore(path));
            if (error is not null)
                Assert.IsType<QedException>(error);
            return error;
        }
    }

    [Fact]
    public void WhatIdsAloneDoNotGive_IsNoPrefixOfAPrompt()
    {
        using QedModel model = QedModel.Open(Shape.Write(_folder, BlockFormat.Q8_0));
        string path = Path.Combine(_folder, "saved");
        foreach (Action<Session> change in new Action<Session>[]
        {
            s => s.Feed([1, 2, 3], new FeedOptions { AttentionMask = new byte[] { 1, 0, 1 } }),
            s => s.Feed([1, 2, 3], new FeedOptions { PositionIds = new[] { 0, 2, 4 } }),
            s => { s.Feed([1, 9, 2, 3]); s.Shift(1, 1); },
        })
        {
            using Session session = model.CreateSession(), restored = model.CreateSession(), copy = model.CreateSession();
            change(session);
            session.Save(path, overwrite: true);
            restored.Restore(path);
            copy.CopyFrom(session);
            foreach (Session one in new[] { session, restored, copy })
            {
                Assert.Equal(3, one.Position);
                Assert.Equal(0, one.CommonPrefix([1, 2, 3]));
                one.Rollback(0);
                one.Feed([1, 2, 3]);
                Assert.Equal(3, one.CommonPrefix([1, 2, 3]));
            }
        }
    }

    [Fact]
    public void ForeignFiles_AreRefusedByName()
    {
        using QedModel model = QedModel.Open(Shape.Write(_folder, BlockFormat.Q8_0));
        using Session session = model.CreateSession(new SessionOptions { ContextLength = 100 });
        session.Feed([1, 2, 3, 4, 5]);
        string path = Path.Combine(_folder, "saved");
        session.Save(path);
        Assert.Contains("exists already", Assert.Throws<QedException>(() => session.Save(path)).Message, StringComparison.Ordinal);
        session.Save(path, overwrite: true);

        string elsewhere = Directory.CreateDirectory(Path.Combine(_folder, "other")).FullName;
        using QedModel other = QedModel.Open((Shape with { Seed = 10 }).Write(elsewhere, BlockFormat.Q8_0));
        using Session foreign = other.CreateSession(new SessionOptions { ContextLength = 100 });
        Assert.Contains("another model", AssertRefused(foreign, path, "model"), StringComparison.Ordinal);
        using Session halves = model.CreateSession(new SessionOptions { ContextLength = 100, KvType = KvCacheType.F16 });
        Assert.Contains("F16", AssertRefused(halves, path, "type"), StringComparison.Ordinal);
        using Session small = model.CreateSession(new SessionOptions { ContextLength = 4 });
        Assert.Contains("5 tokens", AssertRefused(small, path, "context"), StringComparison.Ordinal);
        AssertRefused(session, Path.Combine(_folder, "missing"), "missing");
        AssertRefused(session, _folder, "folder");
        Assert.Throws<QedException>(() => session.Save(Path.Combine(_folder, "no", "such", "folder")));
        Assert.Equal(5, session.Position);
        using Session large = model.CreateSession(new SessionOptions { ContextLength = 200 }); // a larger one is fine
        large.Restore(path);
        Assert.True(large.Logits.SequenceEqual(session.Logits));
    }

    private static string AssertRefused(Session session, string path, string how)
    {
        Exception? error = Record.Exception(() => session.Restore(path));
        Assert.True(error is QedException, $"{how}: {error}");
        Assert.DoesNotContain('\n', error.Message);
        Assert.Contains(path, error.Message, StringComparison.Ordinal);
        return error.Message;
    }
}
