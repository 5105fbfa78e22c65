using QedEdge.Sampling;

namespace QedEdge.Tests.Sampling;

public sealed class SamplerTests
{
    private const int Draws = 20_000;

    private static readonly float[] Logits = [0.5f, 2f, -1f, 2f, 1.5f, -3f, 0f, 1f];

    [Fact]
    public void Greedy_TakesTheLargest_TheLowestIdAmongEquals() =>
        Assert.Equal(1, new Sampler(SamplingOptions.Greedy, Logits.Length).Next(Logits));

    [Theory]
    [InlineData(1e-38f)]
    [InlineData(1e-30f)]
    [InlineData(1e-3f)]
    public void TinyTemperatures_TakeOneOfTheLargest(float temperature)
    {
        foreach (int topK in new[] { 0, 3, 50 })
            Assert.Equal([1, 3], Chosen(new SamplingOptions { Temperature = temperature, TopK = topK }, Logits).Distinct().Order());
    }

    [Theory]
    [InlineData(0f, 0)]
    [InlineData(1f, 0)]
    [InlineData(1f, 3)]
    [InlineData(3e38f, 0)] // all logits divided by that are nearly equal
    public void ForbiddenTokens_AreNeverDrawn(float temperature, int topK)
    {
        var options = new SamplingOptions { Temperature = temperature, TopK = topK, RepeatPenalty = 1.5f, PresencePenalty = -3e38f, LogitBias = Bias([1, 3, 4, 7]) };
        Assert.Subset(new HashSet<int> { 0, 2, 5, 6 }, Chosen(options, Logits).ToHashSet());
        options = options with { LogitBias = Bias([0, 1, 2, 3, 4, 5, 6]), TypicalP = 0.5f, TopP = 0.5f, MinP = 0.1f };
        Assert.Equal([7], Chosen(options, Logits).Distinct());
        float[] own = [.. Logits.Select((logit, id) => id == 5 ? logit : float.NegativeInfinity)]; // what a C program forbids
        Assert.Equal([5], Chosen(new SamplingOptions { Temperature = temperature, TopK = topK, RepeatPenalty = 2f, FrequencyPenalty = 1f }, own).Distinct());
    }

    [Theory]
    [InlineData(0f)]
    [InlineData(1f)]
    public void WhereAllAreForbidden_ThereIsAnError(float temperature)
    {
        var options = new SamplingOptions { Temperature = temperature, LogitBias = Bias(Enumerable.Range(0, Logits.Length)) };
        Assert.Contains("no token is left", Assert.Throws<InvalidOptionException>(() => new Sampler(options, Logits.Length)).Message);
        var sampler = new Sampler(options with { LogitBias = Bias([0, 1, 2]) }, Logits.Length);
        float[] own = [.. Logits.Select((logit, id) => id < 3 ? logit : float.NegativeInfinity)];
        Assert.Throws<InvalidOptionException>(() => sampler.Next(own));
        Assert.InRange(sampler.Next(Logits), 3, 7); // it can be used again
    }

    [Fact]
    public void WrongOptions_AreRefused()
    {
        foreach (SamplingOptions wrong in new[] { new SamplingOptions { Temperature = -1e-38f }, new() { TopK = -1 }, new() { PenaltyWindow = -1 }, new() { TopP = -1f }, new() { MinP = -1f }, new() { RepeatPenalty = -1f } })
            Assert.Throws<InvalidOptionException>(wrong.Validate);
    }

    [Fact]
    public void AWindow_TakesMemoryForTheTokensThatThereCanBe()
    {
        var options = new SamplingOptions { RepeatPenalty = 1.1f, PenaltyWindow = RequestLimits.PenaltyWindow };
        long before = GC.GetAllocatedBytesForCurrentThread();
        var sampler = new Sampler(options, Logits.Length, mostTokens: 100);
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 1, 10_000);
        var whole = new Sampler(options, Logits.Length);
        for (int i = 0; i < 100; i++)
        {
            sampler.Accept(i % Logits.Length);
            whole.Accept(i % Logits.Length);
        }
        Assert.Equal(Enumerable.Range(0, 50).Select(_ => whole.Next(Logits)).ToArray(), Enumerable.Range(0, 50).Select(_ => sampler.Next(Logits)).ToArray());
    }

    [Theory]
    [InlineData(1e-38f, 0f, 0f)]
    [InlineData(float.MaxValue, 0f, 0f)]
    [InlineData(1f, -3e38f, -3e38f)]
    [InlineData(1f, 3e38f, 3e38f)]
    [InlineData(1e-38f, 3e38f, -3e38f)]
    public void PenaltiesBeyondTheRange_StillDraw(float repeat, float presence, float frequency)
    {
        var sampler = new Sampler(new SamplingOptions { RepeatPenalty = repeat, PresencePenalty = presence, FrequencyPenalty = frequency, TopK = 0 }, Logits.Length);
        foreach (int id in new[] { 1, 1, 2, 5 })
            sampler.Accept(id);
        int[] chosen = [.. Enumerable.Range(0, 200).Select(_ => sampler.Next(Logits))];
        // Sums that are no numbers would always choose the last candidate.
        Assert.Contains(chosen, id => id != Logits.Length - 1);
    }

    [Theory]
    [InlineData(1f, 0, 1f, 0f, 1f)]
    [InlineData(0.7f, 0, 1f, 0f, 1f)]
    [InlineData(1.3f, 4, 1f, 0f, 1f)]
    [InlineData(1f, 0, 0.7f, 0f, 1f)]
    [InlineData(1f, 0, 1f, 0.3f, 1f)]
    [InlineData(1f, 0, 1f, 0f, 0.4f)]
    [InlineData(0.6f, 0, 1f, 0f, 0.8f)]
    [InlineData(0.9f, 6, 0.9f, 0.1f, 1f)]
    [InlineData(0.9f, 6, 0.95f, 0.05f, 0.9f)]
    public void Draws_FollowTheDistribution(float temperature, int topK, float topP, float minP, float typical)
    {
        var options = new SamplingOptions { Temperature = temperature, TopK = topK, TopP = topP, MinP = minP, TypicalP = typical, Seed = 5 };
        double[] expected = Expected(options);
        int[] counts = new int[Logits.Length];
        foreach (int id in Chosen(options, Logits, Draws))
            counts[id]++;
        for (int id = 0; id < Logits.Length; id++)
        {
            double deviation = Math.Sqrt(Draws * expected[id] * (1 - expected[id]));
            Assert.InRange(counts[id], Draws * expected[id] - 5 * deviation, Draws * expected[id] + 5 * deviation);
        }
    }

    [Fact]
    public void RepeatPenalty_DividesPositiveAndMultipliesNegativeLogits_OncePerToken()
    {
        var sampler = new Sampler(new SamplingOptions { Temperature = 0f, RepeatPenalty = 1.5f }, 3);
        sampler.Accept(0);
        sampler.Accept(0);
        Assert.Equal(0, sampler.Next([3.1f, 2f, -1f])); // 2.07 > 2
        Assert.Equal(1, sampler.Next([2.9f, 2f, -1f])); // 1.93 < 2
        Assert.Equal(2, sampler.Next([-1f, -9f, -1.4f])); // −1.5 < −1.4
    }

    [Fact]
    public void LogitBias_ComesBeforeAllElse_AndCanForbid()
    {
        int Greedy(params (int Id, float Bias)[] biases) => new Sampler(new SamplingOptions { Temperature = 0f, LogitBias = biases.ToDictionary(b => b.Id, b => b.Bias) }, Logits.Length).Next(Logits);
        Assert.Equal(7, Greedy((7, 1.5f)));
        Assert.Equal(4, Greedy((1, float.NegativeInfinity), (3, -0.6f)));
        int[] all = Chosen(new SamplingOptions { LogitBias = new Dictionary<int, float> { [1] = float.NegativeInfinity, [3] = float.NegativeInfinity }, TopK = 0, Temperature = 3f }, Logits);
        Assert.DoesNotContain(1, all);
        Assert.DoesNotContain(3, all);
        Assert.Throws<InvalidOptionException>(() => Greedy((8, 1f)));
        Assert.Throws<InvalidOptionException>(() => Greedy((0, float.NaN)));
        Assert.Throws<InvalidOptionException>(() => Greedy((0, float.PositiveInfinity)));
    }

    [Fact]
    public void Window_ForgetsTheTokensBeforeIt()
    {
        var sampler = new Sampler(new SamplingOptions { Temperature = 0f, PresencePenalty = 5f, PenaltyWindow = 2 }, 3);
        sampler.Accept(0);
        sampler.Accept(1);
        Assert.Equal(2, sampler.Next([2f, 1f, 0f]));
        sampler.Accept(1);
        Assert.Equal(0, sampler.Next([2f, 1f, 0f]));
    }

    [Fact]
    public void ASeed_GivesTheSameChoicesForGood() =>
        Assert.Equal(Chosen(new SamplingOptions { Seed = 7 }, Logits, 100), Chosen(new SamplingOptions { Seed = 7 }, Logits, 100));

    [Theory]
    [InlineData(float.NaN, 0, 1f, 0f, 1f, 1f)]
    [InlineData(1f, -1, 1f, 0f, 1f, 1f)]
    [InlineData(1f, 0, 0f, 0f, 1f, 1f)]
    [InlineData(1f, 0, 1.1f, 0f, 1f, 1f)]
    [InlineData(1f, 0, 1f, -0.1f, 1f, 1f)]
    [InlineData(1f, 0, 1f, 0f, 0f, 1f)]
    [InlineData(1f, 0, 1f, 0f, 1f, 0f)]
    [InlineData(1f, 0, 1f, 0f, 1f, 1.1f)]
    public void OutOfRange_IsRefused(float temperature, int topK, float topP, float minP, float repeat, float typical) => Assert.Throws<InvalidOptionException>(() =>
        new Sampler(new SamplingOptions { Temperature = temperature, TopK = topK, TopP = topP, MinP = minP, RepeatPenalty = repeat, TypicalP = typical }, 3));

    private static Dictionary<int, float> Bias(IEnumerable<int> forbidden) => forbidden.ToDictionary(id => id, _ => float.NegativeInfinity);

    private static int[] Chosen(SamplingOptions options, float[] logits, int draws = 200)
    {
        var sampler = new Sampler(options, logits.Length);
        return [.. Enumerable.Range(0, draws).Select(_ => sampler.Next(logits))];
    }

    /// <summary>The distribution by definition: softmax, then each filter renormalizes what it leaves.</summary>
    private static double[] Expected(SamplingOptions options)
    {
        int[] order = [.. Enumerable.Range(0, Logits.Length).OrderByDescending(id => Logits[id]).ThenBy(id => id)];
        double[] p = [.. Logits.Select(logit => Math.Exp(logit / (double)options.Temperature))];
        if (options.TopK > 0)
        {
            float smallest = Logits[order[options.TopK - 1]];
            for (int id = 0; id < p.Length; id++)
                p[id] = Logits[id] >= smallest ? p[id] : 0;
        }
        double total = p.Sum(), sum = 0;
        foreach (int id in order)
        {
            if (sum >= options.TopP * total)
                p[id] = 0;
            sum += p[id];
        }
        double largest = p.Max();
        p = [.. p.Select(value => value < options.MinP * largest ? 0 : value)];
        if (options.TypicalP < 1)
        {
            p = [.. p.Select(value => value / p.Sum())];
            double entropy = -p.Where(value => value > 0).Sum(value => value * Math.Log(value));
            sum = 0;
            foreach (int id in Enumerable.Range(0, p.Length).Where(id => p[id] > 0).OrderBy(id => Math.Round(Math.Abs(-Math.Log(p[id]) - entropy), 9)).ThenBy(id => id).ToArray())
            {
                double value = p[id];
                p[id] = sum >= options.TypicalP ? 0 : value;
                sum += value;
            }
        }
        return [.. p.Select(value => value / p.Sum())];
    }
}
