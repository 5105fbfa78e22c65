using System.Globalization;
using System.Runtime.InteropServices;
using System.Text;
using QedEdge.Cli.LineEditing;

namespace QedEdge.Tests.LineEditing;

/// <summary>Columns of characters.</summary>
public sealed partial class TextWidthTests
{
    [Theory]
    [InlineData("a ~é", 4)]
    [InlineData("漢字カナ", 8)]
    [InlineData("한국", 4)]
    [InlineData("\u1112\u1161\u11ab", 2)] // one syllable in three characters
    [InlineData("ＡＢ", 4)]
    [InlineData("e\u0301\u0323", 1)]
    [InlineData("😀🚀", 4)]
    [InlineData("👩\u200d🚀", 4)] // a terminal that knows no such pairs shows both
    [InlineData("नमस्ते", 4)]
    [InlineData("\u200b\ufe0f", 0)]
    [InlineData("€→–", 3)]
    public void Text_TakesColumns(string text, int columns) => Assert.Equal(columns, TextWidth.Of(text));

    /// <summary>The C library is of another mind about these: East Asian ambiguous ones, hexagrams, and a vowel sign.</summary>
    private static bool IsDisputed(int value) => value is (>= 0x3248 and <= 0x324F) or (>= 0x4DC0 and <= 0x4DFF) or 0x1171E;

    [Fact]
    public void Characters_TakeWhatTheCLibrarySays()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "the C library is glibc");
        nint locale = NewLocale(1, "C.UTF-8", 0);
        Assert.SkipWhen(locale == 0, "there is no locale C.UTF-8");
        nint before = UseLocale(locale);
        var wrong = new List<string>();
        try
        {
            for (int value = 0x20; value <= 0x10FFFF; value++)
            {
                if (!Rune.IsValid(value) || Rune.GetUnicodeCategory(new Rune(value)) is UnicodeCategory.OtherNotAssigned or UnicodeCategory.PrivateUse or UnicodeCategory.Control or UnicodeCategory.Format)
                    continue;
                int own = TextWidth.Of(new Rune(value)), other = ColumnsOf(value);
                if (other >= 0 && own != other && !IsDisputed(value))
                    wrong.Add($"{value:X4} {own} {other}");
            }
        }
        finally
        {
            UseLocale(before);
        }
        Assert.Empty(wrong);
    }

    [LibraryImport("libc", EntryPoint = "newlocale", StringMarshalling = StringMarshalling.Utf8)]
    private static partial nint NewLocale(int mask, string name, nint from);

    [LibraryImport("libc", EntryPoint = "uselocale")]
    private static partial nint UseLocale(nint locale);

    [LibraryImport("libc", EntryPoint = "wcwidth")]
    private static partial int ColumnsOf(int character);
}
