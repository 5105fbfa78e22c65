using System.Text;

namespace QedEdge.Conversion;

/// <summary>Text from outside in Markdown: it is read as it is, and nothing in it is markup, a link or a page's structure.</summary>
internal static class MarkdownText
{
    private const string Markup = "\\`*[]|~#$";

    /// <summary>Any text, in a line or a table's cell.</summary>
    public static string Escape(string text)
    {
        text = Printable(text);
        var escaped = new StringBuilder();
        for (int i = 0; i < text.Length; i++)
        {
            escaped.Append(text[i] switch
            {
                '<' => "&lt;",
                '&' => "&amp;",
                '@' => "@<!-- -->", // neither an address nor somebody's name
                // Addresses become links of themselves.
                ':' when text.AsSpan(i + 1).StartsWith('/') => "\\:",
                '.' when text.AsSpan(0, i).EndsWith("www", StringComparison.OrdinalIgnoreCase) => "\\.",
                // Within a word it is no emphasis.
                '_' when i == 0 || i == text.Length - 1 || !char.IsLetterOrDigit(text[i - 1]) || !char.IsLetterOrDigit(text[i + 1]) => "\\_",
                var c when Markup.Contains(c) => $"\\{c}",
                var c => c.ToString(),
            });
        }
        return escaped.ToString();
    }

    /// <summary>Any text as code, in a line that is no table's.</summary>
    public static string Code(string text)
    {
        string code = Printable(text), fence = "`";
        while (code.Contains(fence, StringComparison.Ordinal))
            fence += '`';
        return fence.Length == 1 && !code.StartsWith(' ') ? $"`{code}`" : $"{fence} {code} {fence}";
    }

    /// <summary>Control characters, line ends and what turns the direction of writing become '?'.</summary>
    private static string Printable(string text)
    {
        var printable = new StringBuilder();
        foreach (Rune rune in text.EnumerateRunes())
        {
            bool hidden = Rune.GetUnicodeCategory(rune) is System.Globalization.UnicodeCategory.Control or System.Globalization.UnicodeCategory.Format
                or System.Globalization.UnicodeCategory.LineSeparator or System.Globalization.UnicodeCategory.ParagraphSeparator;
            printable.Append(hidden ? "?" : rune.ToString());
        }
        return printable.ToString();
    }
}
