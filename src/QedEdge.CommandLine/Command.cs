namespace QedEdge.CommandLine;

/// <summary>A command, or a program's root with its commands: the one source of parsing, help, manual page and completions.</summary>
/// <param name="name">Its name: generate; the program's for its root.</param>
/// <param name="description">Paragraphs, and lines that begin with "Example: ".</param>
/// <param name="parameters">Its options and arguments, in the order of the documentation.</param>
public sealed class Command(string name, string description, params Parameter[] parameters)
{
    private const string ExampleMark = "Example: ";

    private readonly List<Parameter> _parameters = [.. parameters];

    /// <summary>What every command takes: shows its help.</summary>
    public static Flag Help { get; } = new("--help", "-h", "-?") { Description = "Show help and usage information" };

    /// <summary>What a root takes: shows the version.</summary>
    public static Flag Version { get; } = new("--version") { Description = "Show version information" };

    /// <summary>Its name.</summary>
    public string Name { get; } = name;

    /// <summary>Does it, and returns the exit code; null for a root that needs a command.</summary>
    public Func<ParseResult, int>? Action { get; set; }

    /// <summary>Of a root: the command line that was meant by a word that is no command, or null.</summary>
    public Func<string, string?>? Meant { get; init; }

    /// <summary>The commands of a root.</summary>
    public Command[] Commands
    {
        get;
        init
        {
            field = value;
            foreach (Command command in value)
                command.Root = this;
        }
    } = [];

    /// <summary>The root that a command is one of; a root's is itself.</summary>
    public Command Root { get => field ?? this; private set; }

    /// <summary>What is typed to run it: qed generate.</summary>
    public string Path => Root == this ? Name : $"{Root.Name} {Name}";

    /// <summary>Its arguments.</summary>
    public Argument[] Arguments => [.. _parameters.OfType<Argument>()];

    /// <summary>Its own options, without --help and --version, those of a group together.</summary>
    public Option[] Options => [.. _parameters.OfType<Option>().GroupBy(option => option.Group).SelectMany(group => group)];

    /// <summary>All options that it takes.</summary>
    public Option[] AllOptions => [.. Options, .. Root == this ? new[] { Help, Version } : [Help]];

    /// <summary>What it does.</summary>
    public string[] Paragraphs => [.. Lines.Where(line => !line.StartsWith(ExampleMark, StringComparison.Ordinal))];

    /// <summary>What it does, in the words of a list: the first sentence without its full stop.</summary>
    public string Summary => Paragraphs[0].Split(". ")[0].TrimEnd('.');

    /// <summary>Command lines that work as they stand.</summary>
    public string[] Examples => [.. Lines.Where(line => line.StartsWith(ExampleMark, StringComparison.Ordinal)).Select(line => line[ExampleMark.Length..])];

    private string[] Lines => description.Split('\n', StringSplitOptions.RemoveEmptyEntries);

    /// <summary>A root's command of a name, or null.</summary>
    public Command? Find(string name) => Commands.FirstOrDefault(command => command.Name == name);

    /// <summary>Adds options and arguments.</summary>
    public void Add(params ReadOnlySpan<Parameter> parameters) => _parameters.AddRange(parameters);

    /// <summary>Adds options and arguments under a heading of the help.</summary>
    public void AddGroup(string group, params ReadOnlySpan<Parameter> parameters)
    {
        foreach (Parameter parameter in parameters)
            parameter.Group = group;
        Add(parameters);
    }
}
