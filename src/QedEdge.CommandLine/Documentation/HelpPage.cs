using System.Text;

namespace QedEdge.CommandLine.Documentation;

/// <summary>What --help shows of a command.</summary>
internal sealed class HelpPage
{
    private const int Width = 100; // columns; terminals of 80 break a line once

    private readonly StringBuilder _page = new();

    public static string Write(Command command)
    {
        var page = new HelpPage();
        foreach (string paragraph in command.Paragraphs)
        {
            page.Wrap("", paragraph, 0);
            page._page.Append('\n');
        }
        page.Wrap("", $"Usage: {Synopsis.Plain(Synopsis.Of(command))}", 0);
        page.Section("Commands:", [.. command.Commands.Select(named => named.Name)], [.. command.Commands.Select(named => named.Summary)]);
        page.Section("Arguments:", command.Arguments);
        page.Section("Options:", command.AllOptions);
        string[] examples = command.Examples;
        if (examples.Length > 0)
            page._page.Append(examples.Length == 1 ? "\nExample:\n" : "\nExamples:\n");
        foreach (string example in examples)
            page._page.Append($"  {example}\n");
        return page._page.ToString();
    }

    private void Section(string title, Parameter[] parameters) =>
        Section(title, [.. parameters.Select(parameter => Synopsis.Plain(Synopsis.Head(parameter)))], [.. parameters.Select(parameter => parameter.Explanation)]);

    private void Section(string title, string[] heads, string[] texts)
    {
        if (heads.Length == 0)
            return;
        _page.Append($"\n{title}\n");
        int widest = heads.Max(head => head.Length);
        for (int i = 0; i < heads.Length; i++)
            Wrap($"  {heads[i].PadRight(widest)}  ", texts[i], widest + 4);
    }

    private void Wrap(string head, string text, int indent)
    {
        _page.Append(head);
        int width = Math.Max(Width - indent, Width / 2);
        while (text.Length > width && text.LastIndexOf(' ', width) is var end and > 0)
        {
            _page.Append(text.AsSpan(0, end)).Append('\n').Append(' ', indent);
            text = text[(end + 1)..];
        }
        _page.Append(text).Append('\n');
    }
}
