using CsCheck;
using QedEdge.Conversion;
using QedEdge.Evaluation;
using QedEdge.Quantization;
using QedEdge.Text;

namespace QedEdge.Tests.Evaluation;

/// <summary>How likely tokens, texts and choices are.</summary>
public sealed class ScoringTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("qed").FullName;
    private readonly QedModel _model;

    public ScoringTests()
    {
        string file = Path.Combine(_folder, "tiny.gguf");
        CheckpointConverter.Convert(TestData.TinyQed, file, new ConversionOptions { Type = BlockFormat.F32 });
        _model = QedModel.Open(file);
    }

    private Tokenizer Tokenizer => _model.Tokenizer!;

    public void Dispose()
    {
        _model.Dispose();
        Directory.Delete(_folder, recursive: true);
    }

    [Fact]
    public void LogProbabilities_AreTheSame_WhateverTheSessionHeld() => Gen.Select(Gen.Int[2, 24], Gen.Int[0, 24], Gen.Int[0, 30], Gen.Int).Sample((length, common, held, seed) =>
    {
        var random = new Random(seed);
        int[] ids = [.. Enumerable.Range(0, length).Select(_ => random.Next(2048))];
        int begin = random.Next(1, length + 1);
        using Session fresh = _model.CreateSession(new SessionOptions { ContextLength = 64 }), used = _model.CreateSession(new SessionOptions { ContextLength = 64 });
        used.Feed([.. ids.Take(common), .. Enumerable.Range(0, held).Select(_ => random.Next(2048))]);
        double[] scores = SequenceScorer.LogProbabilities(fresh, ids, begin);
        Assert.Equal(scores, SequenceScorer.LogProbabilities(used, ids, begin));

        int[] labels = [.. ids.Select((id, t) => t < begin ? CrossEntropy.Ignore : id)];
        used.Rollback(0);
        var expected = CrossEntropy.Of(used, ids, labels);
        Assert.Equal(expected.Count, scores.Length);
        Assert.InRange(-scores.Sum() - expected.Sum, -1e-9, 1e-9);
    }, iter: 40, threads: 1);

    [Fact]
    public void WhatCannotBeScored_IsRefused()
    {
        using Session session = _model.CreateSession(new SessionOptions { ContextLength = 4 });
        Assert.Throws<InvalidOptionException>(() => SequenceScorer.LogProbabilities(session, [1, 2], 0));
        Assert.Throws<InvalidOptionException>(() => SequenceScorer.LogProbabilities(session, [1, 2], 3));
        Assert.Throws<InvalidOptionException>(() => SequenceScorer.LogProbabilities(session, [1, 2048], 1));
        Assert.Throws<ContextLengthException>(() => SequenceScorer.LogProbabilities(session, new int[6], 1));
        Assert.Equal(4, SequenceScorer.LogProbabilities(session, new int[5], 1).Length); // the last is not fed
        Assert.Empty(SequenceScorer.LogProbabilities(session, [1, 2], 2));
    }

    [Theory]
    [InlineData(ChoiceProtocol.Standard)]
    [InlineData(ChoiceProtocol.Qed)]
    public void Choices_AreScoredAsTheDefinitionSays(ChoiceProtocol protocol)
    {
        const string prompt = " The king was very ";
        string[] choices = ["old", "green and blue", "Ünïcödé"];
        using Session session = _model.CreateSession();
        ChoiceScore[] scores = ChoiceScorer.Score(session, prompt, choices, protocol);
        for (int i = 0; i < choices.Length; i++)
        {
            // The reference: the whole text's ids, and log-probabilities of its targets from the context's length on.
            List<int> context = Ids(protocol == ChoiceProtocol.Qed ? prompt.Trim() : prompt.TrimEnd(), protocol), whole = Ids(protocol == ChoiceProtocol.Qed ? prompt.Trim() + choices[i] : prompt + choices[i], protocol);
            using Session alone = _model.CreateSession();
            double sum = 0;
            alone.Feed([.. whole], new FeedOptions
            {
                OnLogits = (t, logits) => sum += t >= context.Count - 1 && t + 1 < whole.Count ? CrossEntropy.LogProbability(logits, whole[t + 1]) : 0,
            });
            Assert.Equal(whole.Count - context.Count, scores[i].Tokens);
            Assert.InRange(scores[i].Sum - sum, -1e-9, 1e-9);
            Assert.Equal(choices[i].Length, scores[i].Characters);
        }
        Assert.True(scores[0].Sum > scores[2].Sum);
    }

    [Fact]
    public void ATokenThatPromptAndChoiceShare_BelongsToTheChoice()
    {
        (int[] ids, int begin) = ChoiceScorer.Encode(Tokenizer, "Once up", "on a time", ChoiceProtocol.Standard);
        Assert.Equal(Ids("Once upon a time", ChoiceProtocol.Standard), ids);
        Assert.Equal("upon a time", Tokenizer.Decode(ids.AsSpan(begin)).TrimStart());
    }

    [Fact]
    public void Top_FindsTheLargest_TheLowestIdFirstAmongEquals() => Gen.Select(Gen.Int[0, 40], Gen.Int[0, 12], Gen.Int).Sample((length, count, seed) =>
    {
        var random = new Random(seed);
        float[] logits = [.. Enumerable.Range(0, length).Select(_ => (float)random.Next(-4, 5))];
        var top = new int[Math.Min(count, length)];
        LogSoftmax.Top(logits, top);
        Assert.Equal(Enumerable.Range(0, length).OrderByDescending(i => logits[i]).ThenBy(i => i).Take(count), top);
    });

    [Theory]
    [InlineData(2)]
    [InlineData(64)]
    [InlineData(200)]
    public void OverlappingWindows_ScoreEachTokenOnce_AndKnowMore(int stride)
    {
        string text = Path.Combine(_folder, "text");
        File.WriteAllLines(text, File.ReadLines(Path.Combine(TestData.TinyQed, "heldout.txt")).Take(30));
        TextWindow[] cut = [.. TextWindows.Read(text, Tokenizer, 256, 255)], overlapping = [.. TextWindows.Read(text, Tokenizer, 256, stride)];
        Assert.Equal(cut.SelectMany(w => w.Ids[w.Begin..]), overlapping.SelectMany(w => w.Ids[w.Begin..]));
        Assert.All(overlapping, w => Assert.InRange(w.Ids.Length, 2, 256));
        Assert.All(overlapping.Where(w => w.Ids.Length == 256 && w.Begin > 1), w => Assert.Equal(256 - stride, w.Begin));
        if (stride < 64)
            return; // it takes long
        using Session session = _model.CreateSession(new SessionOptions { ContextLength = 256 });
        PerplexityStatistics a = Perplexity.Run(session, cut), b = Perplexity.Run(session, overlapping);
        Assert.Equal((a.Count, a.Bytes), (b.Count, b.Bytes));
        Assert.True(b.Mean < a.Mean);
        Assert.Equal(File.ReadAllText(text).TrimEnd('\n').Length, a.Bytes); // the text is ASCII, and a document's last line end belongs to none
        Assert.Equal(a.Mean * a.Count / Math.Log(2) / a.Bytes, a.BitsPerByte, 1e-9);
    }

    [Fact]
    public void LossByPosition_SumsUpToAll()
    {
        var statistics = new PerplexityStatistics();
        for (int position = 1; position <= 1000; position++)
            statistics.Add(position, -1.0 / position, 2);
        PositionLoss[] steps = [.. statistics.ByPosition];
        Assert.Equal(1000, steps.Sum(step => step.Count));
        Assert.Equal((1, 1), (steps[0].First, steps[0].Last));
        for (int i = 1; i < steps.Length; i++)
            Assert.Equal(steps[i - 1].Last + 1, steps[i].First);
        Assert.Equal(statistics.Mean * 1000, steps.Sum(step => step.Mean * step.Count), 1e-9);
        Assert.Equal(1.0 / 700, steps.Single(step => step.First <= 700 && step.Last >= 700).Mean, 1e-3);
    }

    private List<int> Ids(string text, ChoiceProtocol protocol)
    {
        var ids = new List<int>();
        Tokenizer.Encode(text, ids, EncodeOptions.ParseSpecial | EncodeOptions.AddBos | (protocol == ChoiceProtocol.Qed ? EncodeOptions.AddEos : 0));
        return ids;
    }
}
