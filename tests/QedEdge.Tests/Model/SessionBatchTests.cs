using QedEdge.Generation;
using QedEdge.Quantization;
using QedEdge.Sampling;

namespace QedEdge.Tests.Model;

/// <summary>Sessions fed together, copied, and asked for some of their logits.</summary>
public sealed class SessionBatchTests() : SampleModelTests(BlockFormat.Q4_0)
{
    [Theory]
    [InlineData(1, ContextOverflow.Stop)]
    [InlineData(2, ContextOverflow.Stop)]
    [InlineData(3, ContextOverflow.Slide)]
    public void Members_GetTheBitsOfASessionOfTheirOwn(int threads, ContextOverflow overflow)
    {
        var options = new SessionOptions { ContextLength = 320, Threads = threads, Overflow = overflow };
        int[] lengths = [3, 300, 0, 1, 140, 17, 9, 33, 2, 64]; // more than a batch, more rows of logits than go at once, one empty
        using SessionBatch batch = Model.CreateBatch(lengths.Length, options);
        int[][] prompts = [.. lengths.Select((length, i) => Enumerable.Range(1, length).Select(t => t * (i + 3) % 2048).ToArray())];
        batch.Feed([.. prompts.SelectMany(p => p)], lengths);
        float[]?[] after = [.. batch.Sessions.Select(s => s.Position == 0 ? null : s.Logits.ToArray())];
        for (int step = 0; step < 30; step++) // some pause now and then
        {
            int[] now = [.. lengths.Select((length, i) => length > 0 && (step + i) % 3 > 0 ? 1 : 0)];
            batch.Feed([.. Enumerable.Range(0, now.Length).Where(i => now[i] == 1).Select(i => 100 * i + step)], now);
        }
        for (int i = 0; i < lengths.Length; i++)
        {
            if (lengths[i] == 0)
            {
                Assert.Throws<InvalidOperationException>(() => batch.Sessions[i].Logits.Length);
                continue;
            }
            using Session alone = Model.CreateSession(options with { Threads = 1 });
            alone.Feed(prompts[i]);
            Assert.True(alone.Logits.SequenceEqual(after[i]), $"sequence {i}, prompt");
            for (int step = 0; step < 30; step++)
            {
                if ((step + i) % 3 > 0)
                    alone.Feed([100 * i + step]);
            }
            Assert.Equal(alone.Position, batch.Sessions[i].Position);
            Assert.True(alone.Logits.SequenceEqual(batch.Sessions[i].Logits), $"sequence {i}, decoding");
        }
    }

    [Fact]
    public void MasksPositionsAndChosenLogits_OfEachMember_AreItsOwn()
    {
        int[][] tokens = [[5, 6, 7, 8, 9], [10, 11, 12], [13, 14, 15, 16]];
        var seen = new List<(int Member, int Index, float[] Logits)>();
        LogitsHandler Into(int member) => (index, logits) => seen.Add((member, index, logits.ToArray()));
        FeedOptions[] options =
        [
            new FeedOptions { AttentionMask = new byte[] { 0, 0, 1, 1, 1 }, PositionIds = new[] { 0, 0, 0, 1, 2 }, OnLogits = Into(0), LogitsAt = new[] { 2, 4 } },
            new FeedOptions(),
            new FeedOptions { OnLogits = Into(2) },
        ];
        using SessionBatch batch = Model.CreateBatch(3);
        batch.Feed([.. tokens.SelectMany(t => t)], [5, 3, 4], options);
        Assert.Equal([(0, 2), (0, 4), (2, 0), (2, 1), (2, 2), (2, 3)], seen.Select(s => (s.Member, s.Index)).ToArray());
        for (int i = 0; i < tokens.Length; i++)
        {
            using Session alone = Model.CreateSession();
            var all = new float[tokens[i].Length][];
            alone.Feed(tokens[i], options[i] with { LogitsAt = default, OnLogits = (t, logits) => all[t] = logits.ToArray() });
            Assert.True(alone.Logits.SequenceEqual(batch.Sessions[i].Logits));
            foreach ((int member, int index, float[] logits) in seen)
                Assert.True(member != i || logits.AsSpan().SequenceEqual(all[index]), $"{member} {index}");
        }
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(6)]
    [InlineData(9)]
    public void Generating_EachRequestEndsOnItsOwn_AsItWouldAlone(int members)
    {
        int[][] prompts = [[1], [1, 5, 9], [], [1, 7, 30, 400], [1, 8], [1, 5, 9]];
        GenerationOptions[] options = [.. prompts.Select((_, i) => new GenerationOptions
        {
            MaxTokens = i == 4 ? 0 : 10 + 7 * i,
            IgnoreEos = i == 3,
            Sampling = new SamplingOptions { Seed = (ulong)i, Temperature = i == 1 ? 0 : 0.8f, RepeatPenalty = 1.1f },
        })];
        var session = new SessionOptions { ContextLength = 32 };
        using SessionBatch batch = Model.CreateBatch(members, session);
        List<int>[] together = [.. prompts.Select(_ => new List<int>())];
        bool GoesOn(int i, List<int> ids) => i != 0 || ids.Count < 5;
        var ends = new FinishReason?[prompts.Length];
        new BatchGenerator(batch).Run(prompts.Select((prompt, i) => new GenerationRequest
        {
            Prompt = prompt,
            Options = options[i],
            OnToken = (id, _) =>
            {
                together[i].Add(id);
                return GoesOn(i, together[i]);
            },
            OnEnd = finish => ends[i] = ends[i] is null ? finish : throw new InvalidOperationException("ended twice"),
        }));
        Assert.Equal(FinishReason.Stop, ends[0]);
        Assert.Equal((FinishReason.Length, 0), (ends[2], together[2].Count)); // nothing to begin with
        Assert.Equal((FinishReason.Length, 0), (ends[4], together[4].Count));
        for (int i = 0; i < prompts.Length; i++)
        {
            if (prompts[i].Length == 0)
                continue;
            using Session alone = Model.CreateSession(session);
            var ids = new List<int>();
            GenerationResult result = new Generator(alone, options[i]).Run(prompts[i], (id, _) =>
            {
                ids.Add(id);
                return GoesOn(i, ids);
            });
            Assert.Equal(ids, together[i]);
            Assert.Equal(result.Finish, ends[i]);
        }
    }

    [Fact]
    public void Cancelling_EndsWhatIsUnderWay_AndBeginsNothingMore()
    {
        using var source = new CancellationTokenSource();
        using SessionBatch batch = Model.CreateBatch(2);
        int seen = 0;
        var ends = new List<FinishReason>();
        var endless = new GenerationRequest
        {
            Prompt = [1, 5, 9],
            Options = new GenerationOptions { IgnoreEos = true, MaxTokens = 1000 },
            OnToken = (_, _) =>
            {
                if (++seen == 3)
                    source.Cancel();
                return true;
            },
            OnEnd = ends.Add,
        };
        new BatchGenerator(batch).Run([endless, endless, endless], source.Token);
        Assert.Equal([FinishReason.Cancelled, FinishReason.Cancelled], ends);
        Assert.InRange(seen, 3, 4);
    }

    [Fact]
    public void ARequestThatCannotBegin_IsReported_AndTheOthersGoOn()
    {
        using SessionBatch batch = Model.CreateBatch(2, new SessionOptions { ContextLength = 16 });
        var ends = new List<FinishReason>();
        var errors = new List<QedException>();
        GenerationRequest Request(int[] prompt, float temperature = 1, Action<QedException>? onError = null) => new()
        {
            Prompt = prompt,
            Options = new GenerationOptions { MaxTokens = 3, Sampling = new SamplingOptions { Temperature = temperature } },
            OnToken = (_, _) => true,
            OnEnd = ends.Add,
            OnError = onError,
        };
        new BatchGenerator(batch).Run([Request(new int[17], onError: errors.Add), Request([1]), Request([2048], onError: errors.Add), Request([1], float.NaN, errors.Add), Request([1])]);
        Assert.Equal([typeof(ContextLengthException), typeof(InvalidOptionException), typeof(InvalidOptionException)], errors.Select(e => e.GetType()));
        Assert.Equal(2, ends.Count);
        Assert.Throws<ContextLengthException>(() => new BatchGenerator(batch).Run([Request([1]), Request(new int[17])]));
        new BatchGenerator(batch).Run([Request([1])]); // the batch can be used again
        Assert.Equal(3, ends.Count);
    }

    [Fact]
    public void WhatIsWrong_IsRefusedBeforeAnythingChanges()
    {
        using SessionBatch batch = Model.CreateBatch(2, new SessionOptions { ContextLength = 8 });
        batch.Feed([1, 2, 3], [1, 2]);
        Assert.Throws<ContextLengthException>(() => batch.Feed(new int[8], [1, 7]));
        Assert.Throws<InvalidOptionException>(() => batch.Feed([1, 2048], [1, 1]));
        Assert.Throws<InvalidOptionException>(() => batch.Feed([1, 1], [1, 2]));
        Assert.Throws<InvalidOptionException>(() => batch.Feed([1, 1], [3, -1]));
        Assert.Throws<InvalidOptionException>(() => batch.Feed([1, 1], [2]));
        Assert.Throws<InvalidOptionException>(() => batch.Feed([1, 1], [1, 1], [new FeedOptions { LogitsAt = new[] { 1 } }, new FeedOptions()]));
        Assert.Equal([1, 2], batch.Sessions.Select(s => s.Position));
        Assert.Equal(2048, batch.Sessions[1].Logits.Length);
        Assert.Throws<InvalidOptionException>(() => Model.CreateBatch(0));
        Assert.Throws<InvalidOptionException>(() => Model.CreateBatch(129));
        using Session other = Model.CreateSession(new SessionOptions { ContextLength = 8 });
        batch.Sessions[0].Dispose();
        Assert.Throws<ObjectDisposedException>(() => batch.Feed([1, 1], [1, 1]));
        Assert.Throws<ObjectDisposedException>(() => batch.Sessions[1].CopyFrom(batch.Sessions[0]));
        Assert.Throws<ObjectDisposedException>(() => other.CopyFrom(batch.Sessions[0]));
        Assert.Equal((2, 2048), (batch.Sessions[1].Position, batch.Sessions[1].Logits.Length));
        batch.Dispose();
        Assert.Throws<ObjectDisposedException>(() => batch.Feed([1, 1], [1, 1]));
        Assert.Throws<ObjectDisposedException>(() => batch.Sessions[0].Feed([1]));
    }

    [Fact]
    public void EachMember_IsToldOfItsOwnChunks()
    {
        using SessionBatch batch = Model.CreateBatch(3);
        var seen = new List<(int Member, int Done)>();
        FeedOptions Telling(int member) => new() { OnChunk = done => seen.Add((member, done)) };
        int[] lengths = [100, 0, 60];
        batch.Feed([.. Enumerable.Range(0, 160).Select(i => i % 50)], lengths, [Telling(0), Telling(1), Telling(2)]);
        Assert.Equal([(0, 100), (2, 28), (2, 60)], seen);
    }

    [Fact]
    public void TwoThreads_OnMembersOfOneBatch_AreToldSo()
    {
        using SessionBatch batch = Model.CreateBatch(2);
        var seen = new List<Exception?>();
        batch.Feed([1, 2], [1, 1], [new FeedOptions
        {
            OnLogits = (_, _) =>
            {
                var other = new Thread(() =>
                {
                    seen.Add(Record.Exception(() => batch.Feed([1], [1, 0])));
                    seen.Add(Record.Exception(() => batch.Sessions[1].Feed([1])));
                    seen.Add(Record.Exception(() => batch.Sessions[0].Rollback(0)));
                });
                other.Start();
                other.Join();
            },
        }, new FeedOptions()]);
        Assert.Equal(3, seen.Count);
        Assert.All(seen, e => Assert.IsType<InvalidOperationException>(e));
        batch.Feed([1, 2], [1, 1]);
    }

    [Theory]
    [InlineData(KvCacheType.F32)]
    [InlineData(KvCacheType.F16)]
    [InlineData(KvCacheType.Q8_0)]
    public void ACopy_GoesOnLikeItsOriginal_AndByItself(KvCacheType kv)
    {
        var options = new SessionOptions { KvType = kv, ContextLength = 700 };
        using Session original = Model.CreateSession(options);
        int[] prompt = [.. Enumerable.Range(0, 300).Select(i => i * 5 % 2048)];
        original.Feed(prompt);
        using Session copy = Model.CreateSession(options with { ContextLength = 900, Threads = 1 });
        copy.Feed([1, 2, 3]); // what it held is gone
        copy.CopyFrom(original);
        Assert.Equal(300, copy.Position);
        Assert.True(copy.Logits.SequenceEqual(original.Logits));
        copy.Feed([7, 8]);
        original.Feed([9, 10]);
        using Session alone = Model.CreateSession(options);
        alone.Feed([.. prompt, 7, 8]);
        Assert.True(copy.Logits.SequenceEqual(alone.Logits));
        alone.Rollback(300);
        alone.Feed([9, 10]);
        Assert.True(original.Logits.SequenceEqual(alone.Logits));

        using Session small = Model.CreateSession(options with { ContextLength = 301 });
        Assert.Throws<InvalidOptionException>(() => small.CopyFrom(original));
        using Session other = Model.CreateSession(options with { KvType = kv == KvCacheType.F32 ? KvCacheType.F16 : KvCacheType.F32 });
        Assert.Throws<InvalidOptionException>(() => other.CopyFrom(original));
    }

    [Fact]
    public void AReceiverThatThrows_LeavesNoLogitsOfTokensThatWereNotTaken()
    {
        using SessionBatch batch = Model.CreateBatch(2);
        batch.Feed([1, 2], [1, 1]);
        Assert.Throws<NotSupportedException>(() => batch.Feed([3, 4], [1, 1], [new FeedOptions(), new FeedOptions { OnLogits = (_, _) => throw new NotSupportedException() }]));
        Assert.Equal([1, 1], batch.Sessions.Select(s => s.Position));
        Assert.Equal([false, false], batch.Sessions.Select(s => s.HasLogits));
        batch.Feed([3, 4], [1, 1]);
        using Session alone = Model.CreateSession();
        alone.Feed([2, 4]);
        Assert.True(alone.Logits.SequenceEqual(batch.Sessions[1].Logits));
    }

    [Fact]
    public void Cancelling_EndsWithinABatch_AndTheSessionGoesOn()
    {
        using Session session = Model.CreateSession(new SessionOptions { Threads = 2 });
        int[] prompt = [.. Enumerable.Range(0, 900).Select(i => i % 2048)];
        using var source = new CancellationTokenSource();
        Assert.ThrowsAny<OperationCanceledException>(() => session.Feed(prompt, new FeedOptions
        {
            Cancellation = source.Token,
            OnLogits = (t, _) =>
            {
                if (t == 200)
                    source.Cancel();
            },
        }));
        Assert.Equal(128, session.Position); // the first batch stays; the second was not reported to its end
        Assert.Throws<InvalidOperationException>(() => session.Logits.Length);
        session.Feed(prompt.AsSpan(128));
        using Session whole = Model.CreateSession();
        whole.Feed(prompt);
        Assert.True(session.Logits.SequenceEqual(whole.Logits));
    }
}
