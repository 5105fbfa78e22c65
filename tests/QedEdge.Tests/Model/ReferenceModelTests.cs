using System.Runtime.InteropServices;
using System.Text.Json;
using QedEdge.Conversion;
using QedEdge.Evaluation;
using QedEdge.Quantization;

namespace QedEdge.Tests.Model;

/// <summary>The float64 reference itself, held to the stored results; and the promises of the definition that the runtime shares.</summary>
public sealed class ReferenceModelTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("qed").FullName;

    public static TheoryData<string> Cases => [.. TestData.GoldenCases.Select(folder => Path.GetFileName(folder))];

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Theory]
    [MemberData(nameof(Cases))]
    public void Forward_GivesTheStoredResults(string name)
    {
        ReferenceModel model = ReferenceModel.Open(Convert(name));
        JsonElement expected = Expected(name);
        int[] ids = Ints(expected.GetProperty("input_ids"));
        double[][][] logits = model.Forward([ids]);
        AssertStored(name, "logits.f32", logits[0], null);
        Assert.Equal(Ints(expected.GetProperty("argmax")), logits[0].Select(l => l.IndexOf(l.Max())));
        Assert.Equal(expected.GetProperty("mean_nll").GetDouble(), ReferenceModel.Loss(logits, [ids]), Slack(name));

        if (expected.TryGetProperty("padded", out JsonElement padded))
        {
            byte[] mask = [.. Ints(padded.GetProperty("attention_mask")).Select(bit => (byte)bit)];
            AssertStored(name, "logits_padded.f32", model.Forward([Ints(padded.GetProperty("input_ids"))], attentionMask: [mask])[0], mask);
        }
    }

    [Fact]
    public void Forward_InPieces_IsForwardOfTheWhole()
    {
        ReferenceModel model = ReferenceModel.Open(Convert("untied-bias-bf16"));
        int[][] ids = [[1, 5, 9, 200, 7, 3], [4, 4, 4, 8, 0, 0]];
        byte[][] mask = [[0, 1, 1, 0, 1, 1], [1, 1, 1, 1, 0, 0]];
        double[][][] whole = model.Forward(ids, attentionMask: mask);
        var past = new ReferencePast();
        foreach (Range piece in new[] { 0..1, 1..5, 5..6 })
        {
            double[][][] part = model.Forward([.. ids.Select(row => row[piece])], attentionMask: [.. mask.Select(row => row[..piece.End])], past: past);
            for (int row = 0; row < ids.Length; row++)
                Assert.Equal(whole[row][piece], part[row]);
        }
    }

    [Fact]
    public void Forward_BeyondTheContext_StoresNothing()
    {
        ReferenceModel model = ReferenceModel.Open(Convert("tied-f32"));
        var past = new ReferencePast();
        model.Forward([[1, 2, 3]], past: past);
        // Neither the ids nor the mask could be used: the length comes first.
        var error = Assert.Throws<ContextLengthException>(() => model.Forward([[.. Enumerable.Repeat(-1, 254)]], attentionMask: [[]], past: past));
        Assert.Equal((3, 254, 256), (error.Past, error.Added, error.Limit));
        Assert.Equal((3, 3), (past.Length, past.Of(0, 0).Keys.Count));
    }

    [Fact]
    public void Feed_ChecksTheLengthFirst()
    {
        using QedModel model = QedModel.Open(Convert("tied-f32"));
        using Session session = model.CreateSession();
        session.Feed([1, 2, 3]);
        var error = Assert.Throws<ContextLengthException>(() => session.Feed([.. Enumerable.Repeat(-1, 254)],
            new FeedOptions { AttentionMask = new byte[] { 2 }, PositionIds = new[] { -1 } }));
        Assert.Equal((3, 254, 256), (error.Past, error.Added, error.Limit));
        Assert.Equal(3, session.Position);
    }

    [Fact]
    public void Loss_OfBothConventions_LeavesOutMinus100()
    {
        double[][][] logits = [[[0, 0], [0, Math.Log(3)]], [[Math.Log(7), 0], [0, 0]]];
        Assert.Equal((Math.Log(2) + Math.Log(8.0 / 7)) / 2, ReferenceModel.Loss(logits, [[0, 1], [1, 0]]), 1e-15);
        Assert.Equal(Math.Log(8.0 / 7), ReferenceModel.Loss(logits, [[0, -100], [-100, 0]]), 1e-15);
        Assert.Equal((Math.Log(4.0 / 3) + Math.Log(8)) / 2, ReferenceModel.Loss(logits, [[-100, 1], [1, -100]], LabelConvention.SamePosition), 1e-15);
        Assert.True(double.IsNaN(ReferenceModel.Loss(logits, [[0, -100], [0, -100]])));
    }

    private string Convert(string name)
    {
        string path = Path.Combine(_folder, "reference.gguf");
        CheckpointConverter.Convert(Path.Combine(TestData.Root, "tests", "golden", name), path, new ConversionOptions { Type = BlockFormat.F32 });
        return path;
    }

    /// <summary>Beyond rounding: a table of factors stands in the file as float32, which turns the angles at position 47 by up to 3e-6.</summary>
    private static double Slack(string name) => name.Contains("rope3") ? 3e-6 : 1e-12;

    /// <summary>The stored logits are float64 results rounded to float32.</summary>
    private static void AssertStored(string name, string file, double[][] logits, byte[]? mask)
    {
        ReadOnlySpan<float> stored = MemoryMarshal.Cast<byte, float>(File.ReadAllBytes(Path.Combine(TestData.Root, "tests", "golden", name, file)));
        Assert.Equal(stored.Length, logits.Sum(row => row.Length));
        for (int t = 0, i = 0; t < logits.Length; t++)
        {
            foreach (double logit in logits[t])
            {
                float expected = stored[i++];
                double halfUlp = Math.Max(float.BitIncrement(expected) - (double)expected, expected - (double)float.BitDecrement(expected)) / 2;
                Assert.True(mask?[t] == 0 || Math.Abs(logit - expected) <= halfUlp + Slack(name), $"token {t}: {logit:R} instead of {expected:R}");
            }
        }
    }

    private static JsonElement Expected(string name) =>
        JsonDocument.Parse(File.ReadAllBytes(Path.Combine(TestData.Root, "tests", "golden", name, "expected.json"))).RootElement;

    private static int[] Ints(JsonElement array) => [.. array.EnumerateArray().Select(e => e.GetInt32())];
}
