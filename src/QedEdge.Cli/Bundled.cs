using System.CommandLine;
using System.CommandLine.Parsing;
using QedEdge.Cli.Json;
using QedEdge.Gguf;

namespace QedEdge.Cli;

/// <summary>What this executable carries behind itself: a model, and the options it runs with unless told otherwise (<c>qed bundle</c>).</summary>
internal static class Bundled
{
    private const string Command = "command", DefaultCommand = "generate";

    private static readonly Lazy<ModelBundle?> Running = new(() => Environment.ProcessPath is { } path ? ModelBundle.Find(path) : null);

    /// <summary>The bundle that runs, or null.</summary>
    /// <exception cref="ModelFormatException">It is damaged.</exception>
    public static ModelBundle? Own => Running.Value;

    /// <summary>The command line that was meant: a bundle needs no command, and has options of its own.</summary>
    public static string[] Arguments(RootCommand root, string[] args)
    {
        if (Own is null)
            return args;
        JsonValue? defaults = Own.Defaults.Length > 0 ? JsonValue.ParseObject(Own.Defaults) : null;
        string own = defaults?.Find(Command)?.String() ?? DefaultCommand;
        Command? given = args.Length > 0 ? root.Subcommands.FirstOrDefault(command => command.Name == args[0]) : null;
        if (given is null && args.Length > 0 && root.Options.Any(option => option.Name == args[0] || option.Aliases.Contains(args[0])))
            return args; // --help, --version
        string[] line = given is null ? [own, .. args] : args;
        if (defaults is null || line[0] != own)
            return line;
        ParseResult parsed = Program.Parse(root, line);
        return [own, .. Options(parsed.CommandResult, defaults), .. line[1..]];
    }

    /// <summary>Checks a file of default options.</summary>
    /// <param name="root">The command line.</param>
    /// <param name="path">JSON: the names of options without dashes, and <c>command</c>.</param>
    /// <returns>The file's bytes.</returns>
    /// <exception cref="QedException">It cannot be read, or an option is none of the command's.</exception>
    public static byte[] ReadDefaults(RootCommand root, string path)
    {
        byte[] bytes;
        try
        {
            bytes = File.ReadAllBytes(path);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw QedException.Unreadable(path, e);
        }
        try
        {
            JsonValue defaults = JsonValue.ParseObject(bytes);
            string own = defaults.Find(Command)?.String() ?? DefaultCommand;
            if (root.Subcommands.FirstOrDefault(command => command.Name == own) is not { } command)
                throw new QedException($"there is no command '{own}'");
            string[] known = [.. command.Options.Select(option => option.Name.TrimStart('-'))];
            if (defaults.Names.FirstOrDefault(name => name != Command && !known.Contains(name)) is { } unknown)
                throw new QedException($"'{own}' has no option '{unknown}'");
            ParseResult parsed = Program.Parse(root, [own, .. Options(Program.Parse(root, [own]).CommandResult, defaults)]);
            if (parsed.Errors.FirstOrDefault(error => error.SymbolResult is OptionResult) is { } error)
                throw new QedException(UsageError.Describe(error.Message));
        }
        catch (QedException e)
        {
            throw new QedException($"{path}: {e.Message}", e);
        }
        return bytes;
    }

    /// <summary>The default options that were not given, as on a command line.</summary>
    private static List<string> Options(CommandResult given, JsonValue defaults)
    {
        var options = new List<string>();
        foreach (Option option in given.Command.Options)
        {
            if (given.GetResult(option) is { Implicit: false } || defaults.Find(option.Name.TrimStart('-')) is not { } value)
                continue;
            foreach (JsonValue one in value.IsArray ? value.Array() : [value])
            {
                if (!one.IsBoolean)
                    options.Add($"{option.Name}={one.StringOrNumber()}");
                else if (one.Boolean())
                    options.Add(option.Name);
            }
        }
        return options;
    }
}
