using System.Globalization;
using System.Text.RegularExpressions;
using System.Xml.Linq;
using QedEdge.Cli.Pictures;

namespace QedEdge.Tests.Pictures;

/// <summary>Line charts: whole documents, whatever is drawn in them.</summary>
public sealed partial class LineChartTests
{
    private const string Hostile = "<script>alert('1')</script> & \"q\" \u2028 \0 \u001B \uFFFF \uD800 ]]>";

    [Fact]
    public void Series_HaveALineAMarkerForEachPointAndALegend()
    {
        Rendered chart = Draw(new Series("pp512", Points(0, 700.21, 4096, 300, 8192, 90)), new Series("tg128", Points(0, 120, 8192, 60)));
        Assert.Equal(["speed"], chart.Texts("title").Take(1));
        Assert.Equal(2, chart.Elements("path", "line").Count(line => ((string)line.Attribute("d")!).Contains('L')));
        Assert.Equal(5, chart.Elements("path", "mark").Count(mark => mark.HasElements));
        string[] texts = [.. chart.Texts("text")];
        Assert.Contains("pp512", texts);
        Assert.Contains("tokens per second", texts);
        Assert.Contains("depth", texts);
        Assert.Contains("what was measured", texts);
        Assert.Contains("pp512, at 4,096: 300", chart.Texts("title"));
        Assert.Contains("pp512, at 0: 700.2", chart.Texts("title"));
        Assert.Contains("pp512: 3 points, from 700.2 at 0 to 90 at 8,192.", chart.Texts("desc").Single(), StringComparison.Ordinal);
    }

    [Fact]
    public void OneSeries_HasNoLegend() => Assert.DoesNotContain("alone", Draw(new Series("alone", Points(0, 1, 1, 2))).Texts("text"));

    [Fact]
    public void Errors_AreABandOrBars()
    {
        Point[] points = [new(1, 5, 0.5), new(2, 4, 0.25), new(3, 3)];
        Rendered band = Draw(new Series("", points)), bars = Draw(new Series("", points, errorBars: true)), one = Draw(new Series("", points[..1]));
        Assert.Single(band.Elements("path", "band"));
        Assert.Empty(band.Elements("path", "bar"));
        Assert.Empty(bars.Elements("path", "band"));
        Assert.Equal(2, bars.Elements("path", "bar").Count());
        Assert.Single(one.Elements("path", "bar"));
        Assert.Contains(", at 2: 4 ± 0.25", band.Texts("title"));
    }

    [Fact]
    public void Points_ThatHaveNoPlace_AreLeftOut()
    {
        Point[] points = [new(2, 1), new(double.NaN, 1), new(3, double.NaN), new(4, double.PositiveInfinity), new(0, 1), new(-1, 1), new(5, 1e301), new(1, 2, double.NaN)];
        Rendered chart = Rendered.Chart(Chart(new Axis("x", logarithmic: true), new Axis("y"), new Series("s", points)));
        Assert.Equal(["s, at 1: 2", "s, at 2: 1"], chart.Texts("title").Skip(1));
    }

    [Theory]
    [InlineData(false, false)]
    [InlineData(true, false)]
    [InlineData(false, true)]
    [InlineData(true, true)]
    public void DegenerateData_HaveAChart(bool logarithmicX, bool logarithmicY)
    {
        Point[][] cases =
        [
            [], [new(1, 1)], [new(1, 0)], [new(3, 3), new(3, 3), new(3, 3)], [new(1, 5, 10), new(2, 5, 1e299)], [new(1, 1e300), new(1e300, -1e300), new(2, 1)],
            [new(1e-310, 1e-310), new(2e-310, 0)], [new(1, 1e15), new(2, 1e15 + 1)], [new(1, 1), new(1024, 1, 1e300)], [new(double.NaN, double.NaN)],
            [.. Enumerable.Range(1, 3000).Select(static i => new Point(i, Math.Sin(i)))],
        ];
        foreach (Point[] points in cases)
        {
            Rendered chart = Rendered.Chart(Chart(new Axis("x", logarithmicX), new Axis("y", logarithmicY, fromZero: true), new Series("a", points), new Series("b", [])));
            CheckPlaces(chart);
            Assert.True(chart.Texts("text").Contains("no points") || chart.Elements("path", "mark").Any(static mark => mark.HasElements));
        }
        CheckPlaces(Draw());
    }

    [Fact]
    public void OneDepth_HasOneTick()
    {
        Rendered chart = Draw(new Series("a", Points(512, 3)), new Series("b", Points(512, 7)));
        Assert.Single(chart.Texts("text"), "512");
        Assert.Equal(1, chart.Elements("path", "axis").Count(static path => ((string)path.Attribute("d")!).EndsWith("v5", StringComparison.Ordinal)));
    }

    [Fact]
    public void ManyPoints_HaveMarkersAtADistance()
    {
        Rendered chart = Draw(new Series("", [.. Enumerable.Range(0, 5000).Select(static i => new Point(i, i % 7))]));
        Assert.InRange(chart.Elements("path", "mark").Count(), 10, 30);
        Assert.InRange(chart.Text.Length, 1, 80_000);
    }

    [Fact]
    public void Texts_AreEscapedAndLongOnesWrapped()
    {
        string words = string.Join(' ', Enumerable.Repeat("measured", 40)), word = new('m', 300);
        var chart = new LineChart
        {
            Title = Hostile + words,
            Subtitle = word,
            X = new Axis(Hostile + words),
            Y = new Axis(words),
            Series = [new Series(Hostile, Points(1, 1, 2, 2)), new Series(words, []), .. Enumerable.Range(0, 9).Select(i => new Series($"series {i}, 測定 of some length", Points(1, i, 2, i)))],
        };
        Rendered rendered = Rendered.Chart(chart);
        CheckPlaces(rendered);
        Assert.StartsWith("<script>alert('1')</script> & \"q\" \u2028 ␀ ␛ \uFFFD \uFFFD ]]>", rendered.Texts("title").First(), StringComparison.Ordinal);
        Assert.Equal(word, string.Concat(rendered.Texts("text").Where(static text => text.Trim('m').Length == 0)));
        Assert.All(rendered.Texts("text"), static text => Assert.InRange(TextLines.Width(text, ChartStyle.Text), 0, 720));
    }

    [Fact]
    public void Series_DifferInColourDashOrMarker()
    {
        string[] looks = [.. Enumerable.Range(0, 36).Select(static i => ChartStyle.Color(i) + ChartStyle.Dash(i) + ChartStyle.Marker(i))];
        Assert.Equal(looks.Length, looks.Distinct().Count());
        Assert.Equal(6, Enumerable.Range(0, 6).Select(ChartStyle.Dash).Distinct().Count());
        Assert.Equal(6, Enumerable.Range(0, 6).Select(ChartStyle.Marker).Distinct().Count());
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Colours_StandOutFromThePage(bool dark)
    {
        Dictionary<string, string> colors = Rendered.Colors(Draw().Text, dark, Rendered.Rules);
        Assert.InRange(Rendered.Contrast(colors[".page"], colors["text"]), 7, 21);
        Assert.InRange(Rendered.Contrast(colors[".page"], colors[".minor"]), 4.5, 21);
        for (int i = 0; i < 6; i++)
            Assert.InRange(Rendered.Contrast(colors[".page"], colors["." + ChartStyle.Color(i)]), 3, 21);
    }

    /// <summary>All that is drawn lies within the picture.</summary>
    private static void CheckPlaces(Rendered chart)
    {
        double[] box = [.. ((string)chart.Document.Root!.Attribute("viewBox")!).Split(' ').Select(Parse)];
        foreach (XElement text in chart.Document.Descendants().Where(static found => found.Name.LocalName == "text"))
        {
            double width = TextLines.Width(text.Value, (string?)text.Attribute("class") == "title" ? ChartStyle.Title : ChartStyle.Text);
            double x = Parse((string)text.Attribute("x")!) - (string?)text.Attribute("text-anchor") switch { "end" => width, "middle" => width / 2, _ => 0 };
            Assert.InRange(x, 0, box[2]);
            Assert.InRange(x + width, 0, box[2]);
            Assert.InRange(Parse((string)text.Attribute("y")!), ChartStyle.Text, box[3] - 4);
        }
        foreach (Match place in chart.Document.Descendants().SelectMany(static found => Places.Matches((string?)found.Attribute("d") ?? "")))
        {
            Assert.InRange(Parse(place.Groups[1].Value), 0, box[2]);
            Assert.InRange(Parse(place.Groups[2].Value), 0, box[3]);
        }
    }

    private static double Parse(string number) => double.Parse(number, NumberStyles.Float, CultureInfo.InvariantCulture);

    private static Point[] Points(params double[] values) => [.. values.Chunk(2).Select(static pair => new Point(pair[0], pair[1]))];

    private static Rendered Draw(params Series[] series) => Rendered.Chart(Chart(new Axis("depth"), new Axis("tokens per second", fromZero: true), series));

    private static LineChart Chart(Axis x, Axis y, params Series[] series) => new() { Title = "speed", Subtitle = "what was measured", X = x, Y = y, Series = series };

    [GeneratedRegex(@"[ML]([^ mLhvV]+) ([^ mLhvVz]+)")]
    private static partial Regex Places { get; }
}
