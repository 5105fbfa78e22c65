using System.Text.Json;
using QedEdge.Conversion;
using QedEdge.Quantization;
using QedEdge.Sampling;

namespace QedEdge.Tests.Model;

/// <summary>Checkpoints that were trained elsewhere say what they are known to say.</summary>
public sealed class TrainedModelTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("qed").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void Stories260K_TellsItsStory()
    {
        using JsonDocument expected = JsonDocument.Parse(File.ReadAllText(Path.Combine(Source("stories260K"), "expected.json")));
        int[] story = [.. expected.RootElement.GetProperty("greedy")[0].GetProperty("ids").EnumerateArray().Select(static id => id.GetInt32())];
        Assert.Equal(256, story.Length);
        using QedModel model = Convert("stories260K");
        using Session session = model.CreateSession();
        Assert.Equal(story, Greedy(session, story.AsSpan(0, 1), story.Length - 1));
    }

    [Fact]
    public void GptNanoSort_SortsEveryInput()
    {
        using QedModel model = Convert("gpt-nano-sort");
        using Session session = model.CreateSession();
        for (int input = 0; input < 729; input++)
        {
            int[] digits = [.. Enumerable.Range(0, 6).Select(i => input / (int)Math.Pow(3, i) % 3)];
            session.Rollback(0);
            Assert.Equal([.. digits, .. digits.Order()], Greedy(session, digits, 6));
        }
    }

    private static int[] Greedy(Session session, ReadOnlySpan<int> prompt, int count)
    {
        List<int> ids = [.. prompt];
        session.Feed(prompt);
        for (int i = 0; i < count; i++)
        {
            ids.Add(Sampler.ArgMax(session.Logits));
            if (i + 1 < count)
                session.Feed([ids[^1]]);
        }
        return [.. ids];
    }

    private QedModel Convert(string name)
    {
        string path = Path.Combine(_folder, name + ".gguf");
        CheckpointConverter.Convert(Source(name), path, new ConversionOptions { Type = BlockFormat.F32 });
        return QedModel.Open(path);
    }

    private static string Source(string name) => Path.Combine(TestData.Root, "tests", "trained", name);
}
