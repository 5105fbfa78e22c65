using QedEdge.Conversion;
using QedEdge.Gguf;

namespace QedEdge.Tests.Conversion;

/// <summary>A card's page says what a file says, and nothing in it acts.</summary>
public class MarkdownTextTests
{
    [Theory]
    [InlineData("q4_0 and iq4_nl, 12.5 %", "q4_0 and iq4_nl, 12.5 %")]
    [InlineData("naïve 你好 👍", "naïve 你好 👍")]
    [InlineData("a|b\\|c", "a\\|b\\\\\\|c")]
    [InlineData("a\n# b\r\n\u2028c", "a?\\# b???c")]
    [InlineData("\u001b[31mred\u009b\0", "?\\[31mred??")]
    [InlineData("abc\u202edef\u200b", "abc?def?")]
    [InlineData("![x](http://e/x.png)", "!\\[x\\](http\\://e/x.png)")]
    [InlineData("https://e.org www.e.org WWW.e me@e.org", "https\\://e.org www\\.e.org WWW\\.e me@<!-- -->e.org")]
    [InlineData("<script>&lt;", "&lt;script>&amp;lt;")]
    [InlineData("*a* _b_ __c `d` ~e~ $f$", "\\*a\\* \\_b\\_ \\_\\_c \\`d\\` \\~e\\~ \\$f\\$")]
    public void Escape_LeavesNoMarkup(string text, string expected) => Assert.Equal(expected, MarkdownText.Escape(text));

    [Theory]
    [InlineData("qed verify", "`qed verify`")]
    [InlineData("a`b", "`` a`b ``")]
    [InlineData("``", "``` `` ```")]
    [InlineData("a\nb\u001b", "`a?b?`")]
    public void Code_IsOneSpan(string text, string expected) => Assert.Equal(expected, MarkdownText.Code(text));

    [Fact]
    public void ACard_OfHostileNames_StaysATable()
    {
        using var folder = new CheckpointFolder();
        string model = folder["m`|<b>.gguf"];
        const string Name = "x | y\n\n<img src=x onerror=alert(1)> ![](http://e/p.png) \u001b]0;t\u0007";
        var writer = new GgufWriter();
        writer.Add(GgufKeys.Architecture, GgufKeys.Qed);
        writer.Add(GgufKeys.Name, Name);
        writer.Add(GgufKeys.Recipe, Name);
        writer.Add(GgufKeys.CalibrationText, Name);
        using (FileStream stream = File.Create(model))
        {
            writer.Begin(stream);
            writer.End();
        }
        MarkdownCard.Write(model, folder["card.md"], overwrite: false);
        string card = File.ReadAllText(folder["card.md"]);
        Assert.DoesNotContain(card, static c => char.IsControl(c) && c != '\n');
        Assert.DoesNotContain("<img", card, StringComparison.Ordinal);
        Assert.DoesNotContain("![", card, StringComparison.Ordinal);
        Assert.DoesNotContain("http:", card, StringComparison.Ordinal);
        string[] lines = card.Split('\n');
        Assert.StartsWith("# x \\| y", lines[0], StringComparison.Ordinal);
        Assert.Equal(["| | |", "|---|---|"], lines[2..4]);
        foreach (string row in lines[4..].TakeWhile(static line => line != ""))
            Assert.Equal(3, row.Replace("\\\\", "", StringComparison.Ordinal).Replace("\\|", "", StringComparison.Ordinal).Count(static c => c == '|'));
        Assert.Equal("`` qed verify -m m`|<b>.gguf `` checks the file and that a machine computes the same digest.", lines[^2]);
    }
}
