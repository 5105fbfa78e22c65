using System.Globalization;
using System.Text;

namespace QedEdge.Text;

/// <summary>
/// Cuts text into words as these expressions do, by code point:
/// GPT-2's <c>'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+</c>, and that of Llama 3 (n = 3) and Qwen (n = 1)
/// <c>(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,n}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+</c>.
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
    public static int FirstWord(ReadOnlySpan<byte> text, PreTokenizer preTokenizer) => preTokenizer switch
    {
        PreTokenizer.Gpt2 => Gpt2Word(text, digits: false),
        PreTokenizer.DigitsThenGpt2 => Gpt2Word(text, digits: true),
        PreTokenizer.Llama3 => Llama3Word(text, digits: 3),
        PreTokenizer.Qwen2 => Llama3Word(text, digits: 1),
        PreTokenizer.LlamaDefault => LlamaDefaultWord(text),
        _ => text.Length,
    };

    /// <summary>The length of the white space at the begin of a text, in bytes.</summary>
    public static int SpaceAtStart(ReadOnlySpan<byte> text) => RunEnd(text, 0, Space);

    /// <summary>The length of the white space at the end of a text, in bytes.</summary>
    public static int SpaceAtEnd(ReadOnlySpan<byte> text)
    {
        int begin = text.Length;
        while (begin > 0)
        {
            Rune.DecodeLastFromUtf8(text[..begin], out var rune, out int bytes);
            if (ClassOf(rune) != Space)
                break;
            begin -= bytes;
        }
        return text.Length - begin;
    }

    private static int Gpt2Word(ReadOnlySpan<byte> text, bool digits)
    {
        if (text[0] == (byte)'\'' && Contraction(text, ignoreCase: false) is int length and > 0)
            return length;

        int start = text[0] == (byte)' ' && text.Length > 1 ? 1 : 0;
        byte kind = Class(text, start, out int bytes);
        if (digits && kind == Number)
        {
            // A number character takes no leading space, and what stands before it ends as if the text ended there.
            return start == 0 ? bytes : 1;
        }
        return kind == Space ? WhiteSpace(text, digits) : RunEnd(text, start + bytes, kind);
    }

    private static int Llama3Word(ReadOnlySpan<byte> text, int digits)
    {
        if (text[0] == (byte)'\'' && Contraction(text, ignoreCase: true) is int length and > 0)
            return length;
        byte kind = Class(text, 0, out int bytes);
        if (kind == Letter)
            return RunEnd(text, bytes, Letter);
        if (kind == Number)
        {
            int end = bytes;
            for (int i = 1; i < digits && end < text.Length && Class(text, end, out bytes) == Number; i++)
                end += bytes;
            return end;
        }
        // Any one character but a line end leads a word; a space alone leads punctuation.
        if (text[0] is not ((byte)'\r' or (byte)'\n') && bytes < text.Length && Class(text, bytes, out int more) == Letter)
            return RunEnd(text, bytes + more, Letter);
        int start = text[0] == (byte)' ' && text.Length > 1 ? 1 : 0;
        if (Class(text, start, out bytes) == Other)
        {
            int end = RunEnd(text, start + bytes, Other);
            while (end < text.Length && text[end] is (byte)'\r' or (byte)'\n')
                end++;
            return end;
        }
        int spaces = RunEnd(text, 0, Space), lines = text[..spaces].LastIndexOfAny((byte)'\r', (byte)'\n');
        return lines >= 0 ? lines + 1 : WhiteSpace(text, digits: false);
    }

    /// <summary>
    /// <c>[\p{P}\$\+&lt;=&gt;\^~\|]+</c> first; of what lies between, a word of GPT-2's expression; of that, number characters apart from the rest (<c>\p{N}+</c>); of these, ASCII
    /// digits in threes (<c>[0-9][0-9][0-9]</c>), and what is left between.
    /// </summary>
    private static int LlamaDefaultWord(ReadOnlySpan<byte> text)
    {
        int marks = PunctuationEnd(text);
        if (marks > 0)
            return marks;
        int spaces = RunEnd(text, 0, Space);
        if (spaces > 0 && (spaces == text.Length || PunctuationEnd(text[spaces..]) > 0))
            return spaces; // what lies between ends there
        // No more is looked at than is returned: a run of a megabyte that is cut into threes would be read anew for each.
        int end = text[0] == (byte)' ' && text.Length > 1 ? 1 : 0;
        byte kind = Class(text, end, out _);
        if (kind == Space)
            return WhiteSpace(text, digits: false);
        if (kind == Number && end > 0)
            return end;
        while (end < text.Length && Class(text, end, out int bytes) == kind && !(kind == Number ? IsThreeDigits(text[end..]) : IsPunctuation(text[end..])))
            end += bytes;
        return end > 0 ? end : 3;
    }

    private static bool IsThreeDigits(ReadOnlySpan<byte> text) =>
        text.Length >= 3 && !text[..3].ContainsAnyExceptInRange((byte)'0', (byte)'9');

    private static int PunctuationEnd(ReadOnlySpan<byte> text)
    {
        int end = 0;
        while (end < text.Length && IsPunctuation(text[end..]))
        {
            Class(text, end, out int bytes);
            end += bytes;
        }
        return end;
    }

    private static bool IsPunctuation(ReadOnlySpan<byte> text)
    {
        Rune.DecodeFromUtf8(text, out var rune, out _);
        return Rune.GetUnicodeCategory(rune) is >= UnicodeCategory.ConnectorPunctuation and <= UnicodeCategory.OtherPunctuation || rune.Value is '$' or '+' or '<' or '=' or '>' or '^' or '~' or '|';
    }

    /// <summary>Where the run of a class ends that goes on at a position.</summary>
    private static int RunEnd(ReadOnlySpan<byte> text, int position, byte kind)
    {
        while (position < text.Length && Class(text, position, out int bytes) == kind)
            position += bytes;
        return position;
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

    private static int Contraction(ReadOnlySpan<byte> text, bool ignoreCase)
    {
        if (text.Length < 2)
            return 0;
        int fold = ignoreCase ? 0x20 : 0;
        int first = text[1] | fold, second = text.Length > 2 ? text[2] | fold : 0;
        if (first is 's' or 't' or 'm' or 'd')
            return 2;
        if (ignoreCase && text[1..].StartsWith("ſ"u8)) // the only other character whose case folds to one of these letters
            return 3;
        return (first, second) is ('r', 'e') or ('v', 'e') or ('l', 'l') ? 3 : 0;
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
