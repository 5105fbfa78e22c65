using System.Globalization;
using System.Text;

namespace QedEdge.CommandLine.Documentation;

/// <summary>A program's manual page, for man(1): the macros of man(7), and nothing that depends on the machine.</summary>
internal sealed class ManPage
{
    private const int LongestLine = 80; // what is not wrapped, some tools object to

    private readonly StringBuilder _page = new();

    public static string Write(Manual manual, Command program)
    {
        var page = new ManPage();
        page.Macro($".\\\" Made by \"{program.Name} man\".");
        page.Macro($".TH {Escape(program.Name.ToUpperInvariant())} 1 {Manual.ReleaseDate} \"QedEdge {ProgramVersion.Release}\" \"User Commands\"");
        page.Macro(".nh"); // an option broken in two cannot be copied
        page.Macro(".ad l");
        page.Macro(".SH NAME");
        page.Text($"{program.Name} - {char.ToLowerInvariant(program.Summary[0])}{program.Summary[1..]}");
        page.Macro(".SH SYNOPSIS");
        if (program.Action is not null)
            page.Usage(program);
        foreach (Command command in program.Commands)
        {
            if (program.Action is not null || command != program.Commands[0])
                page.Macro(".br");
            page.Usage(command);
        }
        page.Macro(".SH DESCRIPTION");
        page.Paragraphs(program.Paragraphs);
        page.Macro(".PP");
        page.Text(Manual.AfterDashes);
        page.Parameters(program.Arguments);
        page.Parameters(program.AllOptions);
        page.Examples(program);
        page.Macro(".SH COMMANDS");
        foreach (Command command in program.Commands)
        {
            page.Macro($".SS {Escape(command.Path)}");
            page.Usage(command);
            page.Macro(".PP");
            page.Paragraphs(command.Paragraphs);
            page.Parameters(command.Arguments);
            page.Parameters(command.Options);
            page.Examples(command);
        }
        page.Facts("EXIT STATUS", manual.ExitStatus);
        page.Facts("ENVIRONMENT", manual.Environment);
        page.Macro(".SH SEE ALSO");
        page.Macro($".BR {Escape(manual.SeeAlso)} (1)");
        return page._page.ToString();
    }

    private void Usage(Command command) => Wrap(Set(Synopsis.Of(command)));

    private void Paragraphs(string[] paragraphs)
    {
        for (int i = 0; i < paragraphs.Length; i++)
        {
            if (i > 0)
                Macro(".PP");
            Text(paragraphs[i]);
        }
    }

    private void Parameters(Parameter[] parameters)
    {
        foreach (Parameter parameter in parameters)
            Item(Set(Synopsis.Head(parameter)), parameter.Explanation);
    }

    private void Examples(Command command)
    {
        if (command.Examples.Length == 0)
            return;
        Macro(".PP");
        Text(command.Examples.Length == 1 ? "Example:" : "Examples:");
        Macro(".PP");
        Macro(".RS 4");
        Macro(".EX");
        foreach (string example in command.Examples)
            Line(Escape(example));
        Macro(".EE");
        Macro(".RE");
    }

    private void Facts(string title, Fact[] facts)
    {
        if (facts.Length == 0)
            return;
        Macro($".SH {title}");
        foreach (Fact fact in facts)
            Item($"\\fB{Escape(fact.Name)}\\fR", fact.Text);
    }

    private void Item(string head, string text)
    {
        Macro(".TP");
        Macro(head);
        Text(text);
    }

    private static string Set(List<LinePart> parts)
    {
        var line = new StringBuilder();
        foreach (LinePart part in parts)
        {
            string text = Escape(part.Text);
            line.Append(part.Style switch { PartStyle.Literal => $"\\fB{text}\\fR", PartStyle.Placeholder => $"\\fI{text}\\fR", _ => text });
        }
        return line.ToString();
    }

    private void Text(string text) => Wrap(Escape(text));

    /// <summary>
    /// Text that is filled, in lines that are not too long. A line that ends as a sentence does is taken for the end of one, and a wide
    /// space set behind it: no line is ended behind "e.g.".
    /// </summary>
    private void Wrap(string escaped)
    {
        while (escaped.Length > LongestLine)
        {
            int end = escaped.LastIndexOf(' ', LongestLine);
            while (end > 0 && ".?!".Contains(escaped[end - 1]))
                end = escaped.LastIndexOf(' ', end - 1);
            if (end <= 0)
                break;
            Line(escaped[..end]);
            escaped = escaped[(end + 1)..];
        }
        Line(escaped);
    }

    /// <summary>A line of text: one that begins with a dot would be a macro.</summary>
    private void Line(string escaped) => Macro(escaped.StartsWith('.') ? "\\&" + escaped : escaped);

    private void Macro(string line) => _page.Append(line).Append('\n');

    /// <summary>
    /// Text as it shall appear, and as it can be copied: an unescaped dash may become a hyphen, an apostrophe a quotation mark. No
    /// apostrophe is left that could begin a macro.
    /// </summary>
    private static string Escape(string text)
    {
        var escaped = new StringBuilder(text.Length);
        foreach (Rune rune in text.EnumerateRunes())
        {
            escaped.Append(rune.Value switch
            {
                '\\' => "\\(rs",
                '-' => "\\-",
                '\'' => "\\(aq",
                '`' => "\\(ga",
                '^' => "\\(ha",
                '~' => "\\(ti",
                '\u2026' => "...", // typewriter fonts have no ellipsis
                > 126 => string.Create(CultureInfo.InvariantCulture, $"\\[u{rune.Value:X4}]"),
                _ => rune.ToString(),
            });
        }
        return escaped.ToString();
    }
}
