namespace QedEdge.Tests.Published;

/// <summary>An option as --help shows it: <c>-m, --model FILE</c> and what it means, its default value included.</summary>
internal sealed record OptionHelp(string Head, string Description)
{
    public IEnumerable<string> Names => Head.Split(' ').Select(word => word.TrimEnd(',')).Where(word => word[0] == '-');
}

/// <summary>What a program's --help shows of a command.</summary>
internal sealed class CommandHelp
{
    private readonly string[] _lines;

    private CommandHelp(string program, string name)
    {
        Name = name;
        Path = name == "" ? program : $"{program} {name}";
        ProgramResult help = PublishedPrograms.Run(program, "x64", name == "" ? ["--help"] : [name, "--help"]);
        Assert.Equal((0, ""), (help.ExitCode, help.Error));
        _lines = help.Output.Split('\n');
        // Options stand under headings of their own.
        AllOptions = [.. _lines.Where(line => line.EndsWith(':') && char.IsAsciiLetterUpper(line[0]) && line is not ("Commands:" or "Arguments:" or "Example:" or "Examples:")).SelectMany(Rows).Select(row => new OptionHelp(row.Head, row.Text))];
        Assert.NotEmpty(AllOptions);
    }

    /// <summary>"" for the program without a command.</summary>
    public string Name { get; }

    /// <summary>What is typed: qed generate.</summary>
    public string Path { get; }

    /// <summary>All options, --help included.</summary>
    public IReadOnlyList<OptionHelp> AllOptions { get; }

    /// <summary>The options that the command does not share with all others.</summary>
    public IEnumerable<OptionHelp> Options => AllOptions.Where(option => Name == "" || !option.Names.Contains("--help"));

    /// <summary>Options' names that a shell does not take for a pattern, in order.</summary>
    public IEnumerable<string> Typed => AllOptions.SelectMany(option => option.Names).Where(name => !name.Contains('?')).Order(StringComparer.Ordinal);

    /// <summary>A program's commands, first the program without one.</summary>
    public static CommandHelp[] All(string program)
    {
        var root = new CommandHelp(program, "");
        CommandHelp[] commands = [.. root.Rows("Commands:").Select(row => new CommandHelp(program, row.Head.Split(' ')[0]))];
        Assert.NotEmpty(commands);
        Assert.All(commands, command => Assert.Empty(command.Rows("Commands:"))); // no command has commands of its own
        return [root, .. commands];
    }

    /// <summary>The rows of a section, in two columns; a line without the first goes on with the second, which begins there where the first is long.</summary>
    private List<(string Head, string Text)> Rows(string title)
    {
        var rows = new List<(string Head, string Text)>();
        foreach (string line in _lines.SkipWhile(line => line != title).Skip(1).TakeWhile(line => line.StartsWith("  ", StringComparison.Ordinal)))
        {
            string[] columns = line[2..].Split("  ", 2);
            if (line[2] == ' ')
                rows[^1] = (rows[^1].Head, $"{rows[^1].Text} {line.Trim()}".TrimStart());
            else
                rows.Add((columns[0], columns.Length == 1 ? "" : columns[1].Trim()));
        }
        return rows;
    }
}
