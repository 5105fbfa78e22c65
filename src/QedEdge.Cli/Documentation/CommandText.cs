using System.CommandLine;
using System.CommandLine.Help;

namespace QedEdge.Cli.Documentation;

/// <summary>How a part of a line is set: as it is typed, as something that stands for another, or neither.</summary>
internal enum PartStyle
{
    Plain,
    Literal,
    Placeholder,
}

/// <summary>A part of a line that shows what to type. No structure: lists of those take kilobytes of code.</summary>
internal sealed class LinePart(string text, PartStyle style)
{
    public string Text { get; } = text;

    public PartStyle Style { get; } = style;
}

/// <summary>
/// A command as its definition describes it: the one source of manual page, docs/cli.md and completions, and the one that --help reads.
/// Hidden options and commands are left out; commands have no commands of their own.
/// </summary>
internal sealed class CommandText
{
    private const string ExampleMark = "Example: ";

    /// <summary>Reads a program's root command with all its commands.</summary>
    /// <param name="root">The definitions.</param>
    /// <param name="program">The program's name: the root's own would be that of the file that runs.</param>
    public CommandText(RootCommand root, string program)
        : this(root, root, program, program)
    {
        Commands = [.. root.Subcommands.Where(command => !command.Hidden).Select(command => new CommandText(root, command, command.Name, $"{program} {command.Name}"))];
        IsRunnable = root.Action is not null;
    }

    private CommandText(RootCommand root, Command command, string name, string path)
    {
        (Name, Path) = (name, path);
        string[] lines = (command.Description ?? "").Split('\n');
        Paragraphs = [.. lines.Where(line => line != "" && !line.StartsWith(ExampleMark, StringComparison.Ordinal))];
        Examples = [.. lines.Where(line => line.StartsWith(ExampleMark, StringComparison.Ordinal)).Select(line => line[ExampleMark.Length..])];
        Arguments = [.. command.Arguments.Select(argument => new ParameterText(argument))]; // those of a root are hidden while another command runs
        Options = [.. command.Options.Where(option => !option.Hidden && !IsCommon(option)).Select(option => new ParameterText(option))];
        AllOptions = [.. Options, .. root.Options.Where(option => command == root ? IsCommon(option) : option is HelpOption).Select(option => new ParameterText(option))];
    }

    /// <summary>The command's name: generate; the program's for its root.</summary>
    public string Name { get; }

    /// <summary>What is typed to run it: qed generate.</summary>
    public string Path { get; }

    /// <summary>What it does.</summary>
    public string[] Paragraphs { get; }

    /// <summary>What it does, in the words of a list: without the full stop.</summary>
    public string Summary => Paragraphs.Length > 0 ? Paragraphs[0].TrimEnd('.') : "";

    public string[] Examples { get; }

    public ParameterText[] Arguments { get; }

    /// <summary>Its own options, without --help and --version.</summary>
    public ParameterText[] Options { get; }

    /// <summary>Its own options and --help, and for a root --version.</summary>
    public ParameterText[] AllOptions { get; }

    /// <summary>The commands of a root.</summary>
    public CommandText[] Commands { get; } = [];

    /// <summary>Whether it does something without a command behind it.</summary>
    public bool IsRunnable { get; } = true;

    /// <summary>How it is called: its path, its arguments, what it cannot do without, and whether there are options.</summary>
    public List<LinePart> Usage()
    {
        var line = new List<LinePart> { new(Path, PartStyle.Literal) };
        foreach (ParameterText argument in Arguments)
        {
            line.Add(new(argument.IsRequired ? " " : " [", PartStyle.Plain));
            line.Add(new(argument.Value, PartStyle.Placeholder));
            line.Add(new((argument.IsRepeatable ? " ..." : "") + (argument.IsRequired ? "" : "]"), PartStyle.Plain));
        }
        bool optional = false;
        foreach (ParameterText option in Options)
        {
            optional |= !option.IsRequired;
            if (!option.IsRequired)
                continue;
            line.Add(new(" ", PartStyle.Plain));
            AddHead(line, option, 1);
        }
        if (optional)
        {
            line.Add(new(" [", PartStyle.Plain));
            line.Add(new("options", PartStyle.Placeholder));
            line.Add(new("]", PartStyle.Plain));
        }
        return line;
    }

    /// <summary>What stands before a description: an argument's placeholder, or an option's names and what follows them.</summary>
    public static List<LinePart> Head(ParameterText parameter)
    {
        var line = new List<LinePart>();
        AddHead(line, parameter, parameter.Names.Count);
        return line;
    }

    private static void AddHead(List<LinePart> line, ParameterText parameter, int names)
    {
        for (int i = 0; i < names; i++)
        {
            if (i > 0)
                line.Add(new(", ", PartStyle.Plain));
            line.Add(new(parameter.Names[i], PartStyle.Literal));
        }
        if (names > 0 && parameter.Value != "")
            line.Add(new(" ", PartStyle.Plain));
        if (parameter.Value != "")
            line.Add(new(parameter.Value, PartStyle.Placeholder));
    }

    private static bool IsCommon(Option option) => option is HelpOption or VersionOption;
}
