using QedEdge.Evaluation;
using QedEdge.Generation;
using QedEdge.Quantization;

namespace QedEdge.Tests.Model;

/// <summary>Closing while a call runs: the call ends as cancelled, closing waits for it, nothing is left, and nothing throws.</summary>
[Collection(nameof(Alone))] // it counts threads
public sealed class DisposalTests() : SampleModelTests(BlockFormat.Q8_0)
{
    private const int Times = 60;
    private static readonly int[] Prompt = [1, 5, 7, 9];
    private static readonly SessionOptions Two = new() { Threads = 2 };

    /// <summary>What another thread may be doing with a session, for ever.</summary>
    public static TheoryData<string> Calls => ["feed", "generate", "score", "choose", "keep"];

    [Theory]
    [MemberData(nameof(Calls))]
    public void ASessionClosedDuringACall_EndsIt(string call)
    {
        int before = WorkerThreads();
        for (int i = 0; i < Times; i++)
        {
            Session session = Model.CreateSession(Two);
            Exception? end = EndOf(() => Repeat(session, call), session.Dispose, delay: i);
            Assert.True(end is OperationCanceledException or ObjectDisposedException, $"{call}: {end}");
            Assert.Throws<ObjectDisposedException>(() => session.Feed([1]));
        }
        AssertThreads(before);
    }

    [Fact]
    public void AGenerationUnderWay_IsCancelled_NotFailed()
    {
        for (int i = 0; i < Times; i++)
        {
            Session session = Model.CreateSession(Two);
            using var begun = new ManualResetEventSlim();
            GenerationResult result = default;
            var options = new GenerationOptions { MaxTokens = int.MaxValue, IgnoreEos = true };
            Exception? end = EndOf(() => result = new Generator(session, options).Run(Prompt, (_, _) => { begun.Set(); return !session.IsFull; }), () => { begun.Wait(); session.Dispose(); }, delay: 0);
            Assert.Null(end);
            Assert.Equal(FinishReason.Cancelled, result.Finish);
        }
    }

    [Fact]
    public void ABatchClosedDuringACall_EndsIt()
    {
        int before = WorkerThreads();
        for (int i = 0; i < Times; i++)
        {
            SessionBatch batch = Model.CreateBatch(3, Two);
            var ends = new List<FinishReason>();
            IEnumerable<GenerationRequest> Requests()
            {
                while (true)
                    yield return new GenerationRequest { Prompt = Prompt, Options = new() { MaxTokens = 50, IgnoreEos = true }, OnToken = (_, _) => true, OnEnd = ends.Add };
            }
            Exception? end = EndOf(() => new BatchGenerator(batch).Run(Requests()), batch.Dispose, delay: i);
            Assert.True(end is null or ObjectDisposedException, $"{end}");
            Assert.True(end is not null || ends.Count(reason => reason == FinishReason.Cancelled) is >= 1 and <= 3);
        }
        AssertThreads(before);
    }

    [Fact]
    public void AMemberClosedDuringTheBatchsCall_DisturbsNothing()
    {
        using SessionBatch batch = Model.CreateBatch(2, Two);
        using Session alone = Model.CreateSession(Two);
        alone.Feed(Prompt);
        batch.Feed([.. Prompt, .. Prompt], [4, 4], [new FeedOptions { OnLogits = (_, _) => batch.Sessions[1].Dispose() }, new FeedOptions()]);
        Assert.Equal(alone.Logits.ToArray(), batch.Sessions[0].Logits.ToArray());
        Assert.Throws<ObjectDisposedException>(() => batch.Sessions[1].Logits.Length);
        batch.Feed([1], [1, 0]);
        Assert.Throws<ObjectDisposedException>(() => batch.Feed([1], [0, 1]));
    }

    [Fact]
    public void ClosingFromItsOwnCallbacks_WaitsForNothing_AndTheCallFrees()
    {
        string path = Path.GetTempFileName();
        File.Copy(ModelFile, path, overwrite: true);
        QedModel model = QedModel.Open(path);
        int before = WorkerThreads();

        Session fed = model.CreateSession(Two);
        Assert.Throws<OperationCanceledException>(() => fed.Feed(Prompt, new FeedOptions { OnLogits = (_, _) => fed.Dispose() }));
        Session generating = model.CreateSession(Two);
        GenerationResult result = new Generator(generating, new GenerationOptions { MaxTokens = 9, IgnoreEos = true }).Run(Prompt, (_, logits) => { generating.Dispose(); return logits.Length > 0; });
        Assert.Equal((FinishReason.Cancelled, 1), (result.Finish, result.GeneratedTokens));
        SessionBatch batch = model.CreateBatch(2, Two);
        FinishReason? end = null;
        new BatchGenerator(batch).Run([new GenerationRequest { Prompt = Prompt, OnToken = (_, _) => { batch.Dispose(); return true; }, OnEnd = reason => end = reason }]);
        Assert.Equal(FinishReason.Cancelled, end);

        AssertThreads(before);
        model.Dispose();
        Assert.Throws<ObjectDisposedException>(() => model.File.View.Length); // no session holds it any more
        File.Delete(path);
    }

    [Fact]
    public void ManyMayCloseAtATime_AndTheModelAsWell()
    {
        for (int i = 0; i < Times; i++)
        {
            QedModel model = QedModel.Open(ModelFile);
            Session session = model.CreateSession(Two);
            Exception? end = EndOf(() => Repeat(session, "feed"), () => Parallel.Invoke(session.Dispose, model.Dispose, session.Dispose, session.Dispose), delay: i);
            Assert.True(end is OperationCanceledException or ObjectDisposedException, $"{end}");
            Assert.Throws<ObjectDisposedException>(() => model.File.View.Length);
        }
    }

    private static void Repeat(Session session, string call)
    {
        int[] tokens = [.. Enumerable.Range(1, 200)];
        while (true)
        {
            switch (call)
            {
                case "feed":
                    session.Rollback(0);
                    session.Feed(tokens);
                    break;
                case "generate":
                    session.Rollback(0);
                    if (new Generator(session, new GenerationOptions { MaxTokens = 50, IgnoreEos = true }).Run(Prompt, (_, _) => true).Finish == FinishReason.Cancelled)
                        throw new OperationCanceledException();
                    break;
                case "score":
                    SequenceScorer.LogProbabilities(session, tokens, 1);
                    break;
                case "choose":
                    ChoiceScorer.Score(session, "Once upon a time", [" there", " was"]);
                    break;
                default:
                    session.KeepCommonPrefix(Prompt);
                    break;
            }
        }
    }

    /// <summary>How work on another thread ends where it is disturbed after a while, which is longer each time.</summary>
    private static Exception? EndOf(Action work, Action disturb, int delay)
    {
        Exception? end = null;
        var thread = new Thread(() => end = Record.Exception(work));
        thread.Start();
        Thread.Sleep(TimeSpan.FromMicroseconds(100 * delay));
        disturb();
        Assert.True(thread.Join(TimeSpan.FromMinutes(1)), "the call does not end");
        return end;
    }

    /// <summary>That no more threads are left; one that was joined may be seen for a moment.</summary>
    private static void AssertThreads(int expected) =>
        Assert.True(SpinWait.SpinUntil(() => WorkerThreads() <= expected, TimeSpan.FromSeconds(30)), "threads are left");

    /// <summary>Threads of sessions that are open.</summary>
    private static int WorkerThreads() => Directory.EnumerateDirectories("/proc/self/task").Count(task => Read(Path.Combine(task, "comm")).StartsWith("qed worker", StringComparison.Ordinal));

    private static string Read(string path)
    {
        try
        {
            return File.ReadAllText(path);
        }
        catch (IOException) // it has ended meanwhile
        {
            return "";
        }
    }
}
