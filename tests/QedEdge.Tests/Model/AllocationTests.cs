using System.Text;
using QedEdge.Generation;
using QedEdge.Quantization;
using QedEdge.Sampling;
using QedEdge.Tests.Text;
using QedEdge.Text;

namespace QedEdge.Tests.Model;

/// <summary>Tests that no others run beside.</summary>
[CollectionDefinition(nameof(Alone), DisableParallelization = true)]
public sealed class Alone;

/// <summary>Nothing is allocated per token: not by the caller's thread and not by any other of the process.</summary>
[Collection(nameof(Alone))]
public sealed class AllocationTests() : SampleModelTests(BlockFormat.Q8_0)
{
    public static TheoryData<int, KvCacheType, ContextOverflow> Modes => new MatrixTheoryData<int, KvCacheType, ContextOverflow>(
        [1, 2, 3], [KvCacheType.F32, KvCacheType.F16, KvCacheType.Q8_0], [ContextOverflow.Stop, ContextOverflow.Slide]);

    [Theory]
    [MemberData(nameof(Modes))]
    public void Decoding(int threads, KvCacheType kv, ContextOverflow overflow)
    {
        bool slides = overflow == ContextOverflow.Slide;
        using Session session = Model.CreateSession(new SessionOptions { Threads = threads, KvType = kv, Overflow = overflow, ContextLength = slides ? 100 : null });
        var sampler = new Sampler(new SamplingOptions { TopP = 0.9f, MinP = 0.01f, RepeatPenalty = 1.1f }, session.VocabSize);
        int[] next = [1];
        void Step()
        {
            session.Feed(next);
            next[0] = sampler.Next(session.Logits);
            sampler.Accept(next[0]);
        }
        for (int i = 0; i < 300; i++)
            Step(); // into the second attention chunk, or past the window
        AssertNothing(Step);
    }

    /// <summary>Workers that share a head.</summary>
    [Fact]
    public void DecodingWithSharedHeads()
    {
        RandomModel random = SharedHeadsTests.Of(4, 1, 64);
        string folder = Directory.CreateTempSubdirectory("qed").FullName;
        using (QedModel model = random.Open(random.Write(folder, BlockFormat.Q8_0)))
        using (Session session = model.CreateSession(new SessionOptions { Threads = 3 }))
        {
            session.Feed(new int[600]);
            int[] next = [1];
            AssertNothing(() => session.Feed(next));
        }
        Directory.Delete(folder, recursive: true);
    }

    [Fact]
    public void APromptInPieces_WithMaskAndPositions()
    {
        using Session session = Model.CreateSession(new SessionOptions { Threads = 2 });
        int[] tokens = [.. Enumerable.Range(0, 40)];
        var options = new FeedOptions { AttentionMask = tokens.Select(t => (byte)(t < 5 ? 0 : 1)).ToArray(), PositionIds = tokens, OnLogits = static (_, _) => { }, ChunkSize = 7 };
        AssertNothing(() =>
        {
            session.Rollback(0);
            session.Feed(tokens, options);
        });
    }

    [Theory]
    [MemberData(nameof(Modes))]
    public void ABatch(int threads, KvCacheType kv, ContextOverflow overflow)
    {
        bool slides = overflow == ContextOverflow.Slide;
        using SessionBatch batch = Model.CreateBatch(8, new SessionOptions { Threads = threads, KvType = kv, Overflow = overflow, ContextLength = slides ? 100 : null });
        int[] next = [1, 2, 3, 4, 5, 6, 7, 8], lengths = [1, 1, 1, 1, 1, 1, 1, 1];
        for (int i = 0; i < (slides ? 300 : 10); i++)
            batch.Feed(next, lengths);
        AssertNothing(() => batch.Feed(next, lengths), slides ? 50 : 20);
    }

    [Fact]
    public void TextOfTokens()
    {
        var decoder = new StreamingDecoder(Model.Tokenizer!);
        var stop = new StopFilter(["no such text", "nor this"]);
        int id = 0, shown = 0;
        AssertNothing(() =>
        {
            shown += stop.Append(decoder.Append(id)).Length;
            id = (id + 1) % 2000;
        }, 500);
        Assert.NotEqual(0, shown);
    }

    /// <summary>Of a vocabulary whose runs of byte tokens are held back.</summary>
    [Fact]
    public void TextOfByteTokens()
    {
        var tokenizer = new Tokenizer(RealTokenizers.Data("mistral"));
        var decoder = new StreamingDecoder(tokenizer);
        int[] run = [.. Encoding.UTF8.GetBytes("é你👍").Select(tokenizer.Pieces.FindByte), tokenizer.Pieces.FindByte(0xFF), tokenizer.Find("x"u8)];
        int next = 0, shown = 0;
        AssertNothing(() =>
        {
            shown += decoder.Append(run[next]).Length;
            next = (next + 1) % run.Length;
        }, 500);
        Assert.NotEqual(0, shown);
    }

    [Fact]
    public void AGenerator_TakesNoMoreForMoreTokens()
    {
        using Session session = Model.CreateSession(new SessionOptions { Threads = 2, Overflow = ContextOverflow.Slide, ContextLength = 100 });
        TokenHandler ignore = static (_, _) => true;
        long Run(int tokens)
        {
            session.Rollback(0);
            long before = GC.GetTotalAllocatedBytes(precise: true);
            new Generator(session, new GenerationOptions { MaxTokens = tokens, IgnoreEos = true }).Run([1, 2, 3], ignore);
            return GC.GetTotalAllocatedBytes(precise: true) - before;
        }
        Run(200);
        Assert.Equal(Least(() => Run(20)), Least(() => Run(200)));
    }

    [Fact]
    public void ABatchGenerator_TakesNoMoreForMoreTokens()
    {
        using SessionBatch batch = Model.CreateBatch(3, new SessionOptions { Threads = 2, Overflow = ContextOverflow.Slide, ContextLength = 100 });
        TokenHandler ignore = static (_, _) => true;
        long Run(int tokens)
        {
            var options = new GenerationOptions { MaxTokens = tokens, IgnoreEos = true };
            GenerationRequest[] requests = [.. new[] { 1, 2, 3 }.Select(length => new GenerationRequest { Prompt = [.. Enumerable.Repeat(1, length)], Options = options, OnToken = ignore })];
            long before = GC.GetTotalAllocatedBytes(precise: true);
            new BatchGenerator(batch).Run(requests);
            return GC.GetTotalAllocatedBytes(precise: true) - before;
        }
        Run(200);
        Assert.Equal(Least(() => Run(20)), Least(() => Run(200)));
    }

    private static void AssertNothing(Action step, int steps = 50)
    {
        for (int i = 0; i < steps; i++)
            step();
        Assert.Equal(0, Least(() =>
        {
            long before = GC.GetTotalAllocatedBytes(precise: true);
            for (int i = 0; i < steps; i++)
                step();
            return GC.GetTotalAllocatedBytes(precise: true) - before;
        }));
    }

    /// <summary>The least of some tries: the test runner has threads of its own.</summary>
    private static long Least(Func<long> measure) => Enumerable.Range(0, 10).Min(_ => measure());
}
