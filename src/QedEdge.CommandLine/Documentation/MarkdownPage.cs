using System.Text;

namespace QedEdge.CommandLine.Documentation;

/// <summary>A program's part of docs/cli.md.</summary>
internal sealed class MarkdownPage
{
    private readonly StringBuilder _page = new();

    public static string Write(Manual manual, Command program)
    {
        var page = new MarkdownPage();
        page.Line($"# {program.Name}");
        page.Paragraphs(program.Paragraphs);
        page.Block(Escape(Manual.AfterDashes));
        page.Block($"This text is what `{program.Name} man --markdown` prints.");
        if (program.Action is not null)
            page.Usage(program);
        page.Table("argument", program.Arguments);
        page.Table("option", program.AllOptions);
        page.Examples(program);
        page.Table("exit code", manual.ExitStatus);
        page.Table("environment variable", manual.Environment);
        page.Title("command");
        foreach (Command command in program.Commands)
            page.Row($"[`{command.Path}`](#{command.Path.Replace(' ', '-')})", command.Summary);
        foreach (Command command in program.Commands)
        {
            page.Block($"## {command.Path}");
            page.Paragraphs(command.Paragraphs);
            page.Usage(command);
            page.Table("argument", command.Arguments);
            page.Table("option", command.Options);
            page.Examples(command);
        }
        return page._page.ToString();
    }

    private void Paragraphs(string[] paragraphs)
    {
        foreach (string paragraph in paragraphs)
            Block(Escape(paragraph));
    }

    private void Usage(Command command) => Code(Plain(Synopsis.Of(command)));

    private void Examples(Command command)
    {
        if (command.Examples.Length == 0)
            return;
        Block(command.Examples.Length == 1 ? "Example:" : "Examples:");
        Code(string.Join('\n', command.Examples));
    }

    private void Code(string lines) => Block($"```sh\n{lines}\n```");

    private void Table(string title, Parameter[] parameters)
    {
        if (parameters.Length > 0)
            Title(title);
        foreach (Parameter parameter in parameters) // a cell ends at every bar, even inside code
            Row($"`{Plain(Synopsis.Head(parameter)).Replace("|", "\\|")}`", parameter.Explanation);
    }

    private void Table(string title, Fact[] facts)
    {
        if (facts.Length > 0)
            Title(title);
        foreach (Fact fact in facts)
            Row($"`{fact.Name}`", fact.Text);
    }

    private void Title(string title) => Block($"| {title} | |\n|---|---|");

    private void Row(string head, string text) => Line($"| {head} | {Escape(text)} |");

    private static string Plain(List<LinePart> parts)
    {
        var line = new StringBuilder();
        foreach (LinePart part in parts)
            line.Append(part.Text);
        return line.ToString();
    }

    /// <summary>Text as it shall appear. An underscore within a word is one already.</summary>
    private static string Escape(string text)
    {
        var escaped = new StringBuilder(text.Length);
        for (int i = 0; i < text.Length; i++)
        {
            bool inWord = i > 0 && i + 1 < text.Length && char.IsLetterOrDigit(text[i - 1]) && char.IsLetterOrDigit(text[i + 1]);
            if (text[i] is '\\' or '`' or '*' or '|' or '<' or '[' or '&' or '$' or '~' || (text[i] == '_' && !inWord))
                escaped.Append('\\');
            escaped.Append(text[i]);
        }
        return escaped.ToString();
    }

    private void Block(string block) => Line("\n" + block);

    private void Line(string line) => _page.Append(line).Append('\n');
}
