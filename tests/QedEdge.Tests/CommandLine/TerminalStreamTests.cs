using System.Text;
using System.Text.Json.Nodes;
using QedEdge.CommandLine;

namespace QedEdge.Tests.CommandLine;

/// <summary>Text of others on a terminal: nothing in it is a command, however it is cut.</summary>
public sealed class TerminalStreamTests
{
    [Theory]
    [InlineData("plain", "plain")]
    [InlineData("two lines\n\tand a tab", "two lines\n\tand a tab")]
    [InlineData("\\u001b]0;title\\u0007", "\u001b]0;title\a")]
    [InlineData("\\u0000\\u0008\\u000d\\u007f", "\0\b\r\u007f")]
    [InlineData("\\u009b31m", "\u009b31m")] // C1 in UTF-8 begins a sequence too
    [InlineData("\\u202egnp.exe\\u2066\\u2069\\u200b\\ufeff\\u2028", "\u202egnp.exe\u2066\u2069\u200b\ufeff\u2028")]
    [InlineData("a\\udb40\\udc41", "a\U000E0041")] // a tag: a letter that nobody sees
    [InlineData("für 日本 👩‍👩‍👧 ❤️ می‌خواهم", "für 日本 👩‍👩‍👧 ❤️ می‌خواهم")] // joiners and selectors are needed
    public void WhatIsHidden_IsShown_HoweverItIsCut(string expected, string text)
    {
        byte[] bytes = Encoding.UTF8.GetBytes(text);
        Assert.Equal(expected, Shown(bytes));
        Assert.Equal(expected, Shown([.. bytes.Select(b => new[] { b })]));
        Assert.Equal(expected.Replace("\n", "\\n").Replace("\t", "\\u0009"), TerminalText.OneLine(text));
    }

    /// <summary>A terminal without UTF-8 takes 9B for the beginning of a sequence.</summary>
    [Fact]
    public void BytesOfNoCharacter_AreReplaced()
    {
        Assert.Equal("a\uFFFDm\uFFFDb", Shown([(byte)'a', 0x9B, (byte)'m', 0xC3, (byte)'b']));
        Assert.Equal("é", Shown([0xC3], [0xA9]));
    }

    [Fact]
    public void EveryControlCharacter_IsShown_AndNothingElseIsChanged()
    {
        for (int value = 0; value <= 0x10FFFF; value++)
        {
            if (value is >= 0xD800 and <= 0xDFFF)
                continue;
            var rune = new Rune(value);
            string shown = Shown(Encoding.UTF8.GetBytes(rune.ToString()));
            if (Rune.IsControl(rune) && value is not ('\n' or '\t'))
                Assert.Equal($"\\u{value:x4}", shown);
            else if (Rune.GetUnicodeCategory(rune) != System.Globalization.UnicodeCategory.Format && value is not (0x2028 or 0x2029) && shown.StartsWith('\\'))
                Assert.True(value is '\\' or 0x2065 or (>= 0xE0000 and <= 0xE007F) or 0xFFF8, $"{value:x}"); // not assigned, among format characters
            Assert.DoesNotContain(shown, c => char.IsControl(c) && c is not ('\n' or '\t'));
        }
    }

    [Fact]
    public void JsonStaysTheSameJson()
    {
        const string json = "{\"text\":\"\u202ea\u200b\u007f\U000E0041\\u001b\"}";
        string shown = Shown(Encoding.UTF8.GetBytes(json));
        Assert.DoesNotContain('\u202e', shown);
        Assert.Equal((string?)JsonNode.Parse(json)!["text"], (string?)JsonNode.Parse(shown)!["text"]);
    }

    [Fact]
    public void APipe_GetsTheBytes()
    {
        using var pipe = new MemoryStream();
        Assert.Same(pipe, TerminalStream.Of(pipe, isTerminal: false));
    }

    private static string Shown(params byte[][] pieces)
    {
        using var terminal = new MemoryStream();
        Stream stream = TerminalStream.Of(terminal, isTerminal: true);
        foreach (byte[] piece in pieces)
            stream.Write(piece);
        return Encoding.UTF8.GetString(terminal.ToArray());
    }
}
