using CsCheck;
using QedEdge.Sampling;

namespace QedEdge.Tests.Sampling;

/// <summary>Searches in lanes find what a plain loop finds, among equals, infinities and lengths that no number of lanes divides.</summary>
public sealed class LogitScanTests
{
    private static readonly Gen<float> Value = Gen.OneOf(Gen.OneOfConst(0f, -0f, 1f, -1f, float.NegativeInfinity, float.MaxValue, -float.MaxValue), Gen.Float[-10f, 10f]);

    [Fact]
    public void ArgMax_IsTheFirstOfTheLargest() =>
        Value.Array[1, 70].Sample(values => Assert.Equal(Array.IndexOf(values, values.Max()), LogitScan.ArgMax(values)), iter: 20_000);

    [Fact]
    public void Next_IsTheFirstThatIsLargeEnough() =>
        Gen.Select(Value.Array[0, 70], Gen.Int[0, 70], Value).Sample((values, from, least) =>
        {
            int expected = Enumerable.Range(0, values.Length).Where(i => i >= from && values[i] >= least).Append(Math.Max(from, values.Length)).First();
            Assert.Equal(expected, LogitScan.Next(values, from, least));
        }, iter: 20_000);

    // A draw for a number between 0 and 1 says where the sums stand: with all seeds alike, the candidates and their order are.
    [Fact]
    public void TopKAndTopP_DrawAmongTheTokensThatTheirDefinitionsGive() =>
        Gen.Select(Value.Array[1, 200], Gen.Int[0, 40], Gen.OneOfConst(0.05f, 0.5f, 0.9f, 0.999999f, 1f), Gen.ULong).Where((values, _, _, _) => values.Any(float.IsFinite)).Sample((values, topK, topP, seed) =>
        {
            var sampler = new Sampler(new SamplingOptions { Temperature = 1f, TopK = topK, TopP = topP, Seed = seed }, values.Length);
            int[] sorted = [.. Enumerable.Range(0, values.Length).Where(id => float.IsFinite(values[id])).OrderByDescending(id => values[id]).ThenBy(id => id)];
            if (topK > 0 && topK < sorted.Length)
                sorted = [.. sorted.Where(id => values[id] >= values[sorted[topK - 1]])];
            float most = values[sorted[0]];
            sorted = [.. sorted.OrderByDescending(id => Weight(id)).ThenBy(id => id)]; // values apart may have the same weight
            double[] weights = [.. sorted.Select(Weight)];
            double total = weights.Sum(), sum = 0;
            int kept = 0;
            while (kept < sorted.Length && sum < topP * total * (1 + 1e-9)) // one more where the sum is the limit but for rounding
                sum += weights[kept++];
            for (int draw = 0; draw < 20; draw++)
                Assert.Contains(sampler.Next(values), sorted[..kept]);

            double Weight(int id) => Math.Exp((double)values[id] - most);
        }, iter: 3_000);
}
