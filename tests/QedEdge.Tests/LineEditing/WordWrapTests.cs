using System.Text;
using CsCheck;
using QedEdge.Cli.LineEditing;

namespace QedEdge.Tests.LineEditing;

/// <summary>Generated text on a terminal: lines break between words, wherever its pieces end.</summary>
public sealed class WordWrapTests
{
    [Theory]
    [InlineData("the king was old", 10, "the king\nwas old")]
    [InlineData("the kings was old", 10, "the kings\nwas old")] // the space would be in the last column
    [InlineData("a verylongwordthatfits nowhere", 10, "a\nverylongw\nordthatfi\nts\nnowhere")]
    [InlineData("one\ntwo three four", 10, "one\ntwo three\nfour")]
    [InlineData("漢字漢字漢字 ab", 10, "漢字漢字\n漢字 ab")]
    [InlineData("ab e\u0301e\u0301e\u0301e\u0301e\u0301e\u0301e\u0301 c", 10, "ab\ne\u0301e\u0301e\u0301e\u0301e\u0301e\u0301e\u0301 c")]
    public void Lines_BreakBetweenWords(string text, int width, string expected)
    {
        for (int size = 1; size <= text.Length; size++)
            Assert.Equal(expected, Shown(text, width, size));
    }

    /// <summary>Nothing is lost, no line is wider than the terminal, and the pieces do not matter.</summary>
    [Fact]
    public void AnyText_StaysWhole() => Gen.Select(Gen.String["ab 漢é\n "], Gen.Int[4, 20], Gen.Int[1, 5]).Sample((text, width, size) =>
    {
        string shown = Shown(text, width, size);
        Assert.Equal(text.Replace("\n", "").Replace(" ", ""), shown.Replace("\n", "").Replace(" ", ""));
        Assert.All(shown.Split('\n'), line => Assert.True(TextWidth.Of(line) < width));
        Assert.Equal(Shown(text, width, text.Length + 1), shown);
    });

    private static string Shown(string text, int width, int size)
    {
        var screen = new StringBuilder();
        var wrap = new WordWrap();
        for (int at = 0; at < text.Length; at += size)
        {
            wrap.Write(text.AsSpan(at, Math.Min(size, text.Length - at)), width, piece => screen.Append(piece), columns =>
            {
                while (columns > 0)
                {
                    columns -= TextWidth.Of(new Rune(screen[^1]));
                    screen.Length--;
                }
                screen.Append('\n');
            });
        }
        return screen.Replace(" \n", "\n").ToString(); // a space that nobody sees
    }
}
