using QedEdge.Generation;
using QedEdge.Gguf;
using QedEdge.Tests.Published;

namespace QedEdge.Tests.Model;

/// <summary>Every token that a model's file says ends a text ends it, in a run alone and in a batch.</summary>
public sealed class EndTokensTests
{
    public static TheoryData<string, int[]> Files => new()
    {
        { GgufKeys.EndIds, [3, 700, 1999, 5] },
        { GgufKeys.EotTokenId, [700] },
        { GgufKeys.EomTokenId, [1999] },
    };

    [Theory]
    [MemberData(nameof(Files))]
    public void EachOfSeveral_EndsAText(string key, int[] ends)
    {
        string file = Path.GetTempFileName();
        try
        {
            File.WriteAllBytes(file, ChangedSample.WithEntry(key, (writer, _) =>
            {
                if (key == GgufKeys.EndIds)
                    writer.Add(key, (uint[])[.. ends.Select(id => (uint)id)]);
                else
                    writer.Add(key, ends[0]);
            }));
            using QedModel model = QedModel.Open(file);
            using Session session = model.CreateSession(new SessionOptions { Threads = 1 });
            Assert.All(ends, id => Assert.Contains(id, model.Config.EndIds));
            foreach (int id in (int[])[.. ends, model.Config.EosId!.Value])
            {
                Assert.Equal(FinishReason.Eos, Run(session, id).Finish);
                Assert.Equal(FinishReason.Eos, InBatch(model, id));
                Assert.Equal(FinishReason.Length, Run(session, id, ignoreEos: true).Finish);
            }
            Assert.Equal((FinishReason.Length, 4), (Run(session, 42).Finish, Run(session, 42).GeneratedTokens)); // any other
        }
        finally
        {
            File.Delete(file);
        }
    }

    private static GenerationOptions Likely(int id, bool ignoreEos = false) =>
        new() { MaxTokens = 4, IgnoreEos = ignoreEos, Sampling = new() { Temperature = 0, LogitBias = new Dictionary<int, float> { [id] = 1000 } } };

    private static GenerationResult Run(Session session, int id, bool ignoreEos = false)
    {
        session.Rollback(0);
        return new Generator(session, Likely(id, ignoreEos)).Run([1, 5, 7], static (_, _) => true);
    }

    private static FinishReason InBatch(QedModel model, int id)
    {
        using SessionBatch batch = model.CreateBatch(1, new SessionOptions { Threads = 1 });
        FinishReason end = default;
        new BatchGenerator(batch).Run([new GenerationRequest { Prompt = [1, 5, 7], Options = Likely(id), OnToken = static (_, _) => true, OnEnd = finish => end = finish }]);
        return end;
    }
}
