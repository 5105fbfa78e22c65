using System.Globalization;
using System.Text;

namespace QedEdge.Text;

/// <summary>
/// Cuts text into words as GPT-2's expression does, by code point:
/// <c>'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+</c>.
/// </summary>
internal static class WordSplitter
{
    private const byte Space = 0;
    private const byte Letter = 1;
    private const byte Number = 2;
    private const byte Other = 3;
    private static readonly byte[] AsciiClass = new byte[128];

    static WordSplitter()
    {
        for (int c = 0; c < AsciiClass.Length; c++)
            AsciiClass[c] = ClassOf(new Rune(c));
    }

    /// <summary>The length in bytes of the first word.</summary>
    /// <param name="text">Well-formed UTF-8, not empty.</param>
    /// <param name="preTokenizer">How to cut.</param>
    public static int FirstWord(ReadOnlySpan<byte> text, PreTokenizer preTokenizer)
    {
        bool digits = preTokenizer == PreTokenizer.DigitsThenGpt2;
        if (text[0] == (byte)'\'' && Contraction(text) is int length and > 0)
            return length;

        int start = text[0] == (byte)' ' && text.Length > 1 ? 1 : 0;
        byte kind = Class(text, start, out int bytes);
        if (digits && kind == Number)
        {
            // A number character takes no leading space, and what stands before it ends as if the text ended there.
            return start == 0 ? bytes : 1;
        }
        if (kind == Space)
            return WhiteSpace(text, digits);

        int end = start + bytes;
        while (end < text.Length && Class(text, end, out bytes) == kind)
            end += bytes;
        return end;
    }

    /// <summary>White space up to the end of the text; before a word without its last character, which the word may take.</summary>
    private static int WhiteSpace(ReadOnlySpan<byte> text, bool digits)
    {
        int last = 0;
        int end = 0;
        while (end < text.Length)
        {
            byte kind = Class(text, end, out int bytes);
            if (kind != Space)
                return last == 0 || digits && kind == Number ? end : last;
            last = end;
            end += bytes;
        }
        return end;
    }

    private static int Contraction(ReadOnlySpan<byte> text)
    {
        if (text.Length < 2)
            return 0;
        if (text[1] is (byte)'s' or (byte)'t' or (byte)'m' or (byte)'d')
            return 2;
        return text.Length > 2 && (text[1], text[2]) is ((byte)'r', (byte)'e') or ((byte)'v', (byte)'e') or ((byte)'l', (byte)'l') ? 3 : 0;
    }

    private static byte Class(ReadOnlySpan<byte> text, int position, out int bytes)
    {
        byte first = text[position];
        if (first < AsciiClass.Length)
        {
            bytes = 1;
            return AsciiClass[first];
        }
        Rune.DecodeFromUtf8(text[position..], out var rune, out bytes);
        return ClassOf(rune);
    }

    private static byte ClassOf(Rune rune) => Rune.GetUnicodeCategory(rune) switch
    {
        UnicodeCategory.SpaceSeparator or UnicodeCategory.LineSeparator or UnicodeCategory.ParagraphSeparator => Space,
        UnicodeCategory.UppercaseLetter or UnicodeCategory.LowercaseLetter or UnicodeCategory.TitlecaseLetter
            or UnicodeCategory.ModifierLetter or UnicodeCategory.OtherLetter => Letter,
        UnicodeCategory.DecimalDigitNumber or UnicodeCategory.LetterNumber or UnicodeCategory.OtherNumber => Number,
        _ => rune.Value is (>= 0x09 and <= 0x0D) or 0x85 ? Space : Other,
    };
}
