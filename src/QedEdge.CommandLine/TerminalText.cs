using System.Globalization;
using System.Text;

namespace QedEdge.CommandLine;

/// <summary>
/// Text of others (a model's tokens, names of files, metadata) as a terminal may have it: characters that command a terminal, or that change unseen what is read, are written
/// as JSON writes them, <c>\u001b</c>. Each is harmless alone, so that nothing can be hidden by cutting a sequence in pieces.
/// </summary>
public static class TerminalText
{
    /// <summary>Text in one line: a line end is written as <c>\n</c>, a tab as <c>\u0009</c>.</summary>
    public static string OneLine(string text)
    {
        var line = new StringBuilder(text.Length);
        foreach (Rune rune in text.Replace("\r\n", "\n", StringComparison.Ordinal).EnumerateRunes())
        {
            if (rune.Value == '\n')
                line.Append("\\n");
            else if (rune.Value == '\t' || IsHidden(rune.Value))
                line.Append(Escaped(rune));
            else
                line.Append(rune.ToString());
        }
        return line.ToString();
    }

    /// <summary>
    /// Whether a character is none to be read: a control character but line end and tab, a mark that changes the direction of others, or one that shows nothing. Joiners and
    /// variation selectors are not among them: scripts and emoji need them.
    /// </summary>
    public static bool IsHidden(int value) => value switch
    {
        '\n' or '\t' => false,
        < 0x20 or (>= 0x7F and <= 0x9F) => true,                    // C0, DEL, C1
        0x061C or 0x200E or 0x200F => true,                         // marks of direction
        >= 0x2028 and <= 0x202E => true,                            // separators of lines and paragraphs, embeddings and overrides of direction
        >= 0x2060 and <= 0x206F => true,                            // invisible operators, isolates
        0x180E or 0x200B or 0xFEFF or (>= 0xFFF9 and <= 0xFFFB) => true, // spaces without width, annotations
        >= 0xE0000 and <= 0xE007F => true,                          // tags: a whole text that nobody sees
        _ => false,
    };

    /// <summary>A character as JSON escapes it.</summary>
    public static string Escaped(Rune rune)
    {
        Span<char> units = stackalloc char[2];
        string text = "";
        foreach (char unit in units[..rune.EncodeToUtf16(units)])
            text += "\\u" + ((int)unit).ToString("x4", CultureInfo.InvariantCulture);
        return text;
    }
}
