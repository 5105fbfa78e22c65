using CsCheck;
using QedEdge.Evaluation;
using QedEdge.Quantization;

namespace QedEdge.Tests.Model;

/// <summary>The reference's loss.</summary>
public sealed class CrossEntropyTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("qed").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void BothConventions_AgreeWithTheReference() => Gen.Select(RandomShape.Any, Gen.Int[1, 40], Gen.Int[1, 4], Gen.Bool).Sample((shape, length, rarity, shifted) =>
    {
        string path = shape.Write(_folder, BlockFormat.F32);
        int[] ids = [.. Enumerable.Range(0, length).Select(i => i * i % shape.Vocab)];
        int[] labels = [.. Enumerable.Range(0, length).Select(i => i % rarity == 0 ? (i + 1) * 3 % shape.Vocab : CrossEntropy.Ignore)];
        byte[] mask = [.. ids.Select((_, i) => (byte)(i < length / 4 ? 0 : 1))];
        for (int t = 0; t < length; t++) // rows whose own mask is 0 have no meaning
        {
            if (mask[t] == 0)
                labels[Math.Min(length - 1, t + (shifted ? 0 : 1))] = CrossEntropy.Ignore;
        }
        double expected = ReferenceModel.Loss(ReferenceModel.Open(path).Forward([ids], attentionMask: [mask]), [labels],
            shifted ? LabelConvention.SamePosition : LabelConvention.NextPosition);
        using QedModel model = QedModel.Open(path);
        using Session session = model.CreateSession(new SessionOptions { ContextLength = length });
        double sum = 0;
        var actual = CrossEntropy.Of(session, ids, labels, shifted ? LabelConvention.SamePosition : LabelConvention.NextPosition, new FeedOptions { AttentionMask = mask }, (_, score) => sum -= score);
        Assert.Equal(length, session.Position);
        Assert.Equal(actual.Sum, sum);
        if (double.IsNaN(expected))
            Assert.True(double.IsNaN(actual.Mean) && actual.Count == 0);
        else
            Assert.InRange(actual.Mean - expected, -1e-4, 1e-4);
    }, iter: 60, threads: 1);

    [Fact]
    public void WrongLabels_AreRefusedBeforeAnythingIsFed()
    {
        using QedModel model = QedModel.Open(new RandomShape(1, 1, 8, 8, 20, false, false, 10_000f, 0.1f, 1).Write(_folder, BlockFormat.F32));
        using Session session = model.CreateSession(new SessionOptions { ContextLength = 4 });
        foreach (int label in new[] { 20, -1, -101 })
            Assert.Throws<InvalidOptionException>(() => CrossEntropy.Of(session, [1, 2], [1, label]));
        Assert.Throws<InvalidOptionException>(() => CrossEntropy.Of(session, [1, 2], [1]));
        Assert.Throws<ContextLengthException>(() => CrossEntropy.Of(session, new int[5], new int[5]));
        Assert.Equal(0, session.Position);
    }
}
