using System.Xml.Linq;
using QedEdge.Cli.Pictures;

namespace QedEdge.Tests.Pictures;

/// <summary>Pages of surprises: the text is all there and readable, the figures are right, and nothing in it is taken for markup.</summary>
public sealed class SurprisePageTests
{
    private static readonly double Bit = Math.Log(2);

    [Fact]
    public void Tokens_HaveTheirClassAndFigures()
    {
        Rendered page = Rendered.Page([Piece("Once", 0.5), Piece(" upon", 3.25), Piece("\n\n", 20), Piece(" a", double.PositiveInfinity), Piece("b", 0)], "A & B", "model <m>");
        XElement[] tokens = [.. Tokens(page)];
        Assert.Equal(["c0", "c2", "c7", "c7", "c0"], tokens.Select(static token => (string)token.Attribute("class")!));
        Assert.Equal(
        [
            "“Once” · 0.5 bits · probability 70.71 %",
            "“ upon” · 3.25 bits · probability 10.51 %",
            "“↵↵” · 20 bits · probability 1 in 1,048,576",
            "“ a” · ∞ bits · probability 0",
            "“b” · 0 bits · probability 100 %",
        ], tokens.Select(static token => (string)token.Attribute("data-t")!));
        Assert.All(tokens, static token => Assert.Equal("0", (string?)token.Attribute("tabindex")));
        Assert.Equal("Once upon\n\n ab", Text(page));
        Assert.Equal("upon", tokens[1].Value); // the space stands before it
        Assert.Equal(2, page.Texts("u").Count());
        Assert.Equal(["A & B"], page.Texts("h1"));
        Assert.Contains("model <m>", page.Texts("p"));
    }

    [Fact]
    public void Totals_AreOfWhatWasScored()
    {
        Rendered page = Rendered.Page([new ScoredPiece("Once", null), Piece(" upon", 2), Piece(" a", 4.5), Piece(" time", 0.1), Piece("?", double.NaN)]);
        Assert.Equal(["tokens", "scored", "bits per token", "perplexity"], page.Texts("dt"));
        Assert.Equal(["5", "3", "2.2", "4.595"], page.Texts("dd"));
        Assert.Equal(["under 1 bit33.3 %", "1–20 %", "2–433.3 %", "4–633.3 %", "6–80 %", "8–100 %", "10–130 %", "13+0 %"], page.Texts("li"));
        Assert.Contains("Grey text was not scored.", page.Texts("p").Last(), StringComparison.Ordinal);

        page = Rendered.Page([Piece("a", 1)]);
        Assert.Equal(["tokens", "bits per token", "perplexity"], page.Texts("dt"));
        Assert.Equal(["1", "1", "2"], page.Texts("dd"));
    }

    [Fact]
    public void Context_HasNoColour()
    {
        Rendered page = Rendered.Page([new ScoredPiece("Once", null), new ScoredPiece(" upon", null), Piece(" a", 1), new ScoredPiece(" time", null)]);
        Assert.Equal(["Once upon", " time"], page.Texts("i"));
        Assert.Equal("Once upon a time", Text(page));
    }

    [Fact]
    public void PiecesOfACharacter_AreShownAsOne()
    {
        Rendered page = Rendered.Page([Piece("a", 1), Piece("", 2), Piece("", 3), Piece("😀", 0.5), new ScoredPiece("", null), Piece("b", 1), Piece("", 4)]);
        Assert.Equal("a😀b\uFFFD", Text(page));
        XElement[] tokens = [.. Tokens(page)];
        Assert.Equal("“😀” in 3 tokens · 5.5 bits · probability 2.21 %", (string?)tokens[1].Attribute("data-t"));
        Assert.Equal("c3", (string?)tokens[1].Attribute("class"));
        Assert.Equal("“b” · 1 bit · probability 50 %", (string?)tokens[2].Attribute("data-t"));
        Assert.Equal("“\uFFFD” · 4 bits · probability 6.25 %", (string?)tokens[3].Attribute("data-t"));
        Assert.Equal(["7"], page.Texts("dd").Take(1));
        Assert.Equal("a", Text(Rendered.Page([new ScoredPiece("", null), Piece("a", 1), new ScoredPiece("", null)])));
    }

    [Fact]
    public void WhatLooksLikeMarkup_IsText()
    {
        const string hostile = "</span></div><script>alert(\"1\")</script> & &amp; ' ]]> <!-- \u2028\u2029\u0085";
        string controls = string.Concat(Enumerable.Range(0, 0x20).Select(static i => (char)i)) + "\u007F\u0080\uD800\uFFFE\uFFFF";
        Rendered page = Rendered.Page([Piece(hostile, 3), new ScoredPiece(hostile, null), Piece(controls, 9)], hostile, "</p>");
        Assert.StartsWith(hostile.Replace('\u0085', '\uFFFD'), Text(page), StringComparison.Ordinal);
        Assert.EndsWith("␇␈\t\n␋␌␍␎␏␐␑␒␓␔␕␖␗␘␙␚␛␜␝␞␟␡\uFFFD\uFFFD\uFFFD\uFFFD", Text(page), StringComparison.Ordinal);
        Assert.DoesNotContain("alert(\"", page.Text, StringComparison.Ordinal);
    }

    [Fact]
    public void NoTokens_HaveAPage()
    {
        Rendered page = Rendered.Page([]);
        Assert.Equal("", Text(page));
        Assert.Equal(["0"], page.Texts("dd"));
        Assert.Equal(["–"], page.Texts("small").Distinct());
    }

    /// <summary>WCAG AA: 4.5 to 1 for all text, on each colour; and each class of surprise is darker (or lighter) than the one before.</summary>
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Text_IsReadableOnEveryColour(bool dark)
    {
        Dictionary<string, string> colors = Rendered.Colors(Rendered.Page([]).Text, dark, Rendered.Variables);
        foreach (string background in colors.Keys.Where(static name => name is not ("ink" or "minor")))
            Assert.InRange(Rendered.Contrast(colors["ink"], colors[background]), 4.5, 21);
        Assert.InRange(Rendered.Contrast(colors["minor"], colors["page"]), 4.5, 21);
        double last = Rendered.Luminance(colors["page"]);
        for (int i = 0; i < SurpriseStyle.Classes; i++)
        {
            double next = Rendered.Luminance(colors[$"c{i}"]);
            Assert.True(dark ? next > last : next < last, $"c{i}");
            last = next;
        }
    }

    private static ScoredPiece Piece(string text, double bits) => new(text, -bits * Bit);

    private static IEnumerable<XElement> Tokens(Rendered page) => page.Document.Descendants("span");

    private static string Text(Rendered page) => page.Elements("div", "text").Single().Value;
}
