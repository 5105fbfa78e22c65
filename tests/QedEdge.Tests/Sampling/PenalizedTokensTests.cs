using QedEdge.Generation;
using QedEdge.Quantization;
using QedEdge.Sampling;
using QedEdge.Tests.Model;

namespace QedEdge.Tests.Sampling;

/// <summary>Which tokens the penalties look at: the prompt's and the generated ones, or these alone, as OpenAI's do.</summary>
public sealed class PenalizedTokensTests() : SampleModelTests(BlockFormat.Q8_0)
{
    [Fact]
    public void PenalizesPrompt_False_LeavesThePromptAlone()
    {
        QedModel model = Model;
        int[] prompt = [.. Enumerable.Range(0, 20)];
        GenerationOptions greedy = new() { Sampling = SamplingOptions.Greedy, MaxTokens = 1, IgnoreEos = true };
        int usual = First(model, prompt, greedy);
        prompt = [.. prompt[..^1], usual, prompt[^1]]; // what would be chosen stands in the prompt
        usual = First(model, prompt, greedy);
        prompt[^2] = usual;
        GenerationOptions penalized = greedy with { Sampling = SamplingOptions.Greedy with { FrequencyPenalty = 1000 } };
        GenerationOptions onlyNew = penalized with { Sampling = penalized.Sampling with { PenalizesPrompt = false } };
        Assert.DoesNotContain(First(model, prompt, penalized), prompt);
        Assert.Equal(First(model, prompt, greedy), First(model, prompt, onlyNew));
        Assert.Equal(5, All(model, prompt, onlyNew with { MaxTokens = 5 }).Distinct().Count()); // generated ones count
        Assert.Equal(All(model, prompt, onlyNew with { MaxTokens = 5 }), Batched(model, prompt, onlyNew with { MaxTokens = 5 }));
    }

    private static int First(QedModel model, int[] prompt, GenerationOptions options) => All(model, prompt, options)[0];

    private static List<int> All(QedModel model, int[] prompt, GenerationOptions options)
    {
        using Session session = model.CreateSession(new SessionOptions { Threads = 1 });
        var ids = new List<int>();
        new Generator(session, options).Run(prompt, (id, _) =>
        {
            ids.Add(id);
            return true;
        });
        return ids;
    }

    private static List<int> Batched(QedModel model, int[] prompt, GenerationOptions options)
    {
        var ids = new List<int>();
        using SessionBatch batch = model.CreateBatch(1, new SessionOptions { Threads = 1 });
        new BatchGenerator(batch).Run([new GenerationRequest
        {
            Prompt = prompt,
            Options = options,
            OnToken = (id, _) =>
            {
                ids.Add(id);
                return true;
            },
            OnEnd = static _ => { },
        }]);
        return ids;
    }
}
