using CsCheck;
using QedEdge.Cli.Pictures;

namespace QedEdge.Tests.Pictures;

/// <summary>Round ticks that hold the values, whatever these are.</summary>
public sealed class ScaleTests
{
    [Theory]
    [InlineData(0, 8192, 12, "0 1,000 2,000 3,000 4,000 5,000 6,000 7,000 8,000 9,000")]
    [InlineData(2.9, 5.03, 7, "2.5 3.0 3.5 4.0 4.5 5.0 5.5")]
    [InlineData(0.1, 0.3, 7, "0.10 0.15 0.20 0.25 0.30")]
    [InlineData(-3, 4, 7, "-3 -2 -1 0 1 2 3 4")]
    [InlineData(-1e9, 2e9, 4, "-1e9 0 1e9 2e9")]
    [InlineData(1.5e9, 2.1e9, 7, "1.5e9 1.6e9 1.7e9 1.8e9 1.9e9 2.0e9 2.1e9")]
    [InlineData(1e-7, 3e-7, 4, "1.0e-7 1.5e-7 2.0e-7 2.5e-7 3.0e-7")]
    [InlineData(7, 7, 7, "2 4 6 8 10 12")]
    [InlineData(0, 0, 7, "-1.0 -0.5 0 0.5 1.0")]
    public void Ticks_OfALinearAxis(double low, double high, int intervals, string labels) =>
        Assert.Equal(labels, Labels(new Axis(""), low, high, intervals));

    [Theory]
    [InlineData(1, 1024, "1 2 4 8 16 32 64 128 256 512 1,024")]
    [InlineData(1.5, 700, "1 2 4 8 16 32 64 128 256 512 1,024")]
    [InlineData(1024, 1024, "512 1,024 2,048")]
    [InlineData(0.25, 2, "0.25 0.5 1 2")]
    [InlineData(1e5, 1e9, "65,536 262,144 2²⁰ 2²² 2²⁴ 2²⁶ 2²⁸ 2³⁰")]
    public void Ticks_OfALogarithmicAxis_ArePowersOfTwo(double low, double high, string labels) =>
        Assert.Equal(labels, Labels(new Axis("", logarithmic: true), low, high, 12));

    [Fact]
    public void Zero_IsInTheRangeWhereAsked()
    {
        var axis = new Axis("", fromZero: true);
        Assert.Equal("0 100 200 300 400 500 600 700", Labels(axis, 650, 690, 7));
        Assert.Equal("-5 -4 -3 -2 -1 0", Labels(axis, -5, -4.5, 7));
        Assert.Equal("0 0.2 0.4 0.6 0.8 1.0", Labels(axis, 0, 0, 7));
    }

    [Fact]
    public void NoValues_HaveAnAxis()
    {
        Assert.StartsWith("0 ", Labels(new Axis(""), double.PositiveInfinity, double.NegativeInfinity, 7), StringComparison.Ordinal);
        Assert.Equal("1 2", Labels(new Axis("", logarithmic: true), double.PositiveInfinity, double.NegativeInfinity, 7));
    }

    [Fact]
    public void AnyRange_IsCoveredByFewRoundTicks() => Gen.Select(Gen.Double, Gen.Double, Gen.Int[2, 12], Gen.Bool, Gen.Bool).Sample((a, b, intervals, logarithmic, fromZero) =>
    {
        var axis = new Axis("", logarithmic, fromZero);
        if (!Scale.Shows(axis, a) || !Scale.Shows(axis, b))
            return;
        (double low, double high) = (Math.Min(a, b), Math.Max(a, b));
        Scale scale = Scale.Create(axis, low, high, intervals);
        Assert.InRange(scale.Intervals, 1, intervals);
        double first = scale.Tick(0), last = scale.Tick(scale.Intervals), step = scale.Tick(1) - first;
        if (logarithmic)
        {
            Assert.True(first <= low && last >= high, $"{low} {high}: {first} {last}");
            Assert.Equal(Math.Round(Math.Log2(first)), Math.Log2(first));
        }
        else
        {
            double slack = step * 1e-5 + 1e-300;
            Assert.True(first <= low + slack && last >= high - slack, $"{low} {high}: {first} {last}");
            Assert.True(!fromZero || (first <= 0 && last >= 0));
        }
        Assert.InRange(scale.At(low), 0, 1);
        Assert.True(scale.At(low) <= scale.At(high));
        string[] labels = [.. Enumerable.Range(0, scale.Intervals + 1).Select(scale.Label)];
        Assert.Equal(labels.Length, labels.Distinct().Count());
    });

    private static string Labels(Axis axis, double low, double high, int intervals)
    {
        Scale scale = Scale.Create(axis, low, high, intervals);
        return string.Join(' ', Enumerable.Range(0, scale.Intervals + 1).Select(scale.Label));
    }
}
