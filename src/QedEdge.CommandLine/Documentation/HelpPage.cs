using System.Text;

namespace QedEdge.CommandLine.Documentation;

/// <summary>What --help shows of a command.</summary>
/// <param name="width">Columns of a line.</param>
internal sealed class HelpPage(int width)
{
    private readonly StringBuilder _page = new();

    /// <summary>A command's page.</summary>
    /// <param name="command">The command.</param>
    /// <param name="width">Columns of a line; longer words and examples stay whole.</param>
    public static string Write(Command command, int width)
    {
        var page = new HelpPage(width);
        foreach (string paragraph in command.Paragraphs)
        {
            page.Wrap("", paragraph, 0);
            page._page.Append('\n');
        }
        page.Wrap("", $"Usage: {Synopsis.Plain(Synopsis.Of(command))}", 0);
        page.Section("Commands:", [.. command.Commands.Select(named => named.Name)], [.. command.Commands.Select(named => named.Summary)]);
        page.Section("Arguments:", command.Arguments);
        foreach (IGrouping<string, Option> group in command.AllOptions.GroupBy(option => option.Group))
            page.Section(group.Key.Length == 0 ? "Options:" : group.Key + ":", [.. group]);
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
        int most = width * 2 / 5; // a longer head has a line of its own
        int widest = heads.Where(head => head.Length <= most).DefaultIfEmpty("").Max(head => head.Length);
        for (int i = 0; i < heads.Length; i++)
            Wrap(heads[i].Length <= most ? $"  {heads[i].PadRight(widest)}  " : $"  {heads[i]}\n{new string(' ', widest + 4)}", texts[i], widest + 4);
    }

    private void Wrap(string head, string text, int indent)
    {
        _page.Append(head);
        int columns = width - indent;
        while (text.Length > columns && (text.LastIndexOf(' ', columns) is > 0 and int space ? space : text.IndexOf(' ')) is var end and > 0)
        {
            _page.Append(text.AsSpan(0, end)).Append('\n').Append(' ', indent);
            text = text[(end + 1)..];
        }
        _page.Append(text).Append('\n');
    }
}
