using QedEdge.Generation;
using QedEdge.Quantization;
using QedEdge.Sampling;

namespace QedEdge.Tests.Model;

/// <summary>What a session promises its caller.</summary>
public sealed class SessionTests() : SampleModelTests(BlockFormat.Q8_0)
{
    [Fact]
    public void Feed_MoreThanFits_ThrowsAndChangesNothing()
    {
        using Session session = Model.CreateSession(new SessionOptions { ContextLength = 10 });
        session.Feed([1, 2, 3]);
        float[] before = session.Logits.ToArray();
        var error = Assert.Throws<ContextLengthException>(() => session.Feed(new int[8]));
        Assert.Equal((3, 8, 10), (error.Past, error.Added, error.Limit));
        Assert.Equal(3, session.Position);
        Assert.Equal(before, session.Logits.ToArray());
        session.Feed(new int[7]);
    }

    [Fact]
    public void KeepCommonPrefix_LeavesWhatTheNextPromptNeeds()
    {
        using Session session = Model.CreateSession();
        session.Feed([1, 2, 3, 4]);
        Assert.Equal((4, 4, true), (session.KeepCommonPrefix([1, 2, 3, 4]), session.Position, session.HasLogits)); // its logits are there
        Assert.Equal((3, 3), (session.KeepCommonPrefix([1, 2, 3, 9]), session.Position)); // edited
        session.Feed([4, 5]);
        Assert.Equal((3, 3), (session.KeepCommonPrefix([1, 2, 3, 4]), session.Position)); // the last token is fed again for its logits
        Assert.Equal((0, 0), (session.KeepCommonPrefix([7]), session.Position));
    }

    [Theory]
    [InlineData(-1)]
    [InlineData(2048)]
    [InlineData(int.MaxValue)]
    public void Feed_AnIdOutsideTheVocabulary_ThrowsAndChangesNothing(int id)
    {
        using Session session = Model.CreateSession();
        Assert.Throws<InvalidOptionException>(() => session.Feed([1, id]));
        Assert.Equal(0, session.Position);
        Assert.Throws<InvalidOperationException>(() => session.Logits.Length);
    }

    [Fact]
    public void Feed_MaskOrPositionsOfTheWrongLength_Throw()
    {
        using Session session = Model.CreateSession();
        session.Feed([1]);
        Assert.Throws<InvalidOptionException>(() => session.Feed([2, 3], new FeedOptions { AttentionMask = new byte[] { 1, 1 } }));
        Assert.Throws<InvalidOptionException>(() => session.Feed([2, 3], new FeedOptions { AttentionMask = new byte[] { 1, 1, 2 } }));
        Assert.Throws<InvalidOptionException>(() => session.Feed([2, 3], new FeedOptions { PositionIds = new[] { 1 } }));
        Assert.Throws<InvalidOptionException>(() => session.Feed([2, 3], new FeedOptions { PositionIds = new[] { 1, -1 } }));
        Assert.Equal(1, session.Position);
    }

    [Fact]
    public void Rollback_ThenFeedingAgain_GivesTheSameBits()
    {
        using Session session = Model.CreateSession();
        session.Feed([1, 779, 147, 137, 100, 9]);
        float[] expected = session.Logits.ToArray();
        session.Feed([5, 6, 7]);
        session.Rollback(3);
        session.Feed([137, 100, 9]);
        Assert.Equal(expected, session.Logits.ToArray());
        Assert.Throws<ArgumentOutOfRangeException>(() => session.Rollback(7));
    }

    [Fact]
    public void Generate_TheSameSeed_GivesTheSameTokens()
    {
        List<int> Run(ulong seed)
        {
            using Session session = Model.CreateSession();
            var ids = new List<int>();
            new Generator(session, new GenerationOptions { Sampling = new SamplingOptions { Seed = seed }, MaxTokens = 50 }).Run([1], (id, _) =>
            {
                ids.Add(id);
                return true;
            });
            return ids;
        }
        Assert.Equal(Run(1), Run(1));
        Assert.NotEqual(Run(1), Run(2));
    }

    [Fact]
    public void Generate_IntoAFullContext_EndsWithLength()
    {
        using Session session = Model.CreateSession(new SessionOptions { ContextLength = 10 });
        int count = 0;
        GenerationResult result = new Generator(session, new GenerationOptions { MaxTokens = 1000 }).Run([1, 2, 3], (_, _) => ++count > 0);
        Assert.Equal(FinishReason.Length, result.Finish);
        Assert.Equal(count, result.GeneratedTokens);
        Assert.Equal(8, count); // seven more fit; the eighth is chosen from the last logits
    }

    [Fact]
    public void Generate_FromALongPrompt_TellsHowFarItIs()
    {
        int[] prompt = [.. Enumerable.Range(0, 300).Select(i => i % 50)];
        using Session session = Model.CreateSession();
        session.Feed(prompt.AsSpan(0, 20));
        var seen = new List<(int Done, int Total)>();
        new Generator(session, new GenerationOptions { MaxTokens = 3, OnPrefill = (done, total) => seen.Add((done, total)) }).Run(prompt, (_, _) => true, fed: 20);
        Assert.Equal([(20, 300), (148, 300), (276, 300), (300, 300)], seen);
        var chunks = new List<int>();
        session.Feed(prompt.AsSpan(0, 10), new FeedOptions { ChunkSize = 4, OnChunk = chunks.Add });
        Assert.Equal([4, 8, 10], chunks);
    }

    [Fact]
    public void AModelThatIsClosed_StaysForItsSessions()
    {
        string path = Path.Combine(Path.GetTempPath(), $"{Guid.NewGuid():N}.gguf");
        File.Copy(Model.File.Name, path);
        QedModel model = QedModel.Open(path);
        using Session session = model.CreateSession();
        using SessionBatch batch = model.CreateBatch(1);
        session.Feed([1, 2]);
        float[] expected = session.Logits.ToArray();
        model.Dispose();
        model.Dispose();
        Assert.Throws<ObjectDisposedException>(() => model.CreateSession());
        Assert.Throws<ObjectDisposedException>(() => model.CreateBatch(2));
        session.Rollback(0);
        session.Feed([1, 2]);
        batch.Feed([1, 2], [2]);
        Assert.Equal(expected, session.Logits.ToArray());
        Assert.Equal(expected, batch.Sessions[0].Logits.ToArray());
        session.Dispose();
        batch.Dispose();
        Assert.Throws<ObjectDisposedException>(() => model.File.View.Length);
        File.Delete(path);
    }

    [Fact]
    public void AClosedSession_SaysSo()
    {
        Session session = Model.CreateSession();
        session.Feed([2]);
        session.Dispose();
        session.Dispose();
        Assert.Throws<ObjectDisposedException>(() => session.Feed([1]));
        Assert.Throws<ObjectDisposedException>(() => session.Rollback(0));
        Assert.Throws<ObjectDisposedException>(() => session.Shift(0, 0));
        Assert.Throws<ObjectDisposedException>(() => session.KeepCommonPrefix([1]));
        Assert.Throws<ObjectDisposedException>(() => session.Logits.Length);
    }

    [Fact]
    public void AMaskOfZerosAlone_GivesFiniteLogits_AndWhatFollowsSeesNothingOfIt()
    {
        using Session session = Model.CreateSession(), fresh = Model.CreateSession();
        session.Feed([5, 6, 7], new FeedOptions { AttentionMask = new byte[3] });
        foreach (float logit in session.Logits)
            Assert.True(float.IsFinite(logit));
        session.Feed([1], new FeedOptions { AttentionMask = new byte[] { 0, 0, 0, 1 }, PositionIds = new[] { 0 } });
        fresh.Feed([1]);
        for (int i = 0; i < fresh.VocabSize; i++)
            Assert.InRange(session.Logits[i], fresh.Logits[i] - 1e-4f, fresh.Logits[i] + 1e-4f);
    }

    [Fact]
    public void TwoThreads_OnOneSession_AreToldSo()
    {
        using Session session = Model.CreateSession();
        Exception? seen = null;
        session.Feed([1, 2, 3], new FeedOptions
        {
            OnLogits = (_, _) =>
            {
                var other = new Thread(() => seen ??= Record.Exception(() => session.Feed([1])));
                other.Start();
                other.Join();
            },
        });
        Assert.IsType<InvalidOperationException>(seen);
    }

    [Fact]
    public void StopFilter_NeverShowsAStopStringOrWhatFollows()
    {
        foreach (string text in new[] { "one STOP two", "S ST STO STOP", "aaab", "no such thing" })
        {
            foreach (int piece in new[] { 1, 2, 3, 100 })
            {
                var filter = new StopFilter(["STOP", "aab"]);
                string shown = "";
                for (int i = 0; i < text.Length && !filter.Stopped; i += piece)
                    shown += filter.Append(text.AsSpan(i, Math.Min(piece, text.Length - i))).ToString();
                shown += filter.Flush().ToString();
                int stop = new[] { "STOP", "aab" }.Select(s => text.IndexOf(s, StringComparison.Ordinal)).Where(at => at >= 0).DefaultIfEmpty(text.Length).Min();
                Assert.Equal(text[..stop], shown);
            }
        }
    }
}
