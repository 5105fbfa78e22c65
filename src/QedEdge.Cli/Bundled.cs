using QedEdge.CommandLine;
using QedEdge.Gguf;
using QedEdge.Json;
using QedEdge.Memory;

namespace QedEdge.Cli;

/// <summary>What this executable carries behind itself: a model, and the options it runs with unless told otherwise (<c>qed bundle</c>).</summary>
internal static class Bundled
{
    private const string CommandKey = "command", DefaultCommand = "generate";

    private const long MostOfAnExecutable = 1 << 28; // bytes; it is 5 MB, and as much more as the model that is built in

    private static readonly Lazy<ModelBundle?> Running = new(static () =>
    {
        try
        {
            return Environment.ProcessPath is { } path ? ModelBundle.Find(path) : null;
        }
        catch (ModelFormatException e) when (e.InnerException is UnauthorizedAccessException)
        {
            return null; // it may be run and not be read
        }
    });

    private static readonly Lazy<JsonValue?> OwnDefaults = new(() => Own is { Defaults.Length: > 0 } own ? JsonValue.ParseObject(own.Defaults) : null);

    /// <summary>The bundle that runs, or null.</summary>
    /// <exception cref="ModelFormatException">It is damaged.</exception>
    public static ModelBundle? Own => Running.Value;

    /// <summary>Whether a file is an executable of this program: it holds the mark, for it looks for it.</summary>
    /// <exception cref="QedException">It cannot be read.</exception>
    public static bool LooksForItself(string path)
    {
        if (FileStatus.Find(path) is { Kind: not FileKind.Folder, Length: 0 or > MostOfAnExecutable }) // a named pipe would be waited for
            return false;
        try
        {
            using MappedFile file = MappedFile.Open(path);
            return file.View.Span(0, (int)file.View.Length).IndexOf("qed: looks for a model behind itself"u8) >= 0;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw QedException.Unreadable(path, e);
        }
    }

    /// <summary>The command that default options are for.</summary>
    /// <param name="defaults">JSON, or empty.</param>
    public static string CommandOf(byte[] defaults) => CommandOf(defaults.Length == 0 ? null : JsonValue.ParseObject(defaults));

    /// <summary>The command line that was meant: a bundle needs no command.</summary>
    public static string[] Arguments(Command root, string[] args) =>
        Own is null || (args.Length > 0 && (root.Find(args[0]) is not null || root.AllOptions.Any(option => option.Names.Contains(args[0])))) ? args
        : [CommandOf(OwnDefaults.Value), .. args];

    /// <summary>Gives a bundle's own options to its command, those that were not given.</summary>
    public static void Complete(ParseResult parsed)
    {
        if (OwnDefaults.Value is { } defaults && parsed.Command.Name == CommandOf(defaults))
            Complete(parsed, defaults);
    }

    /// <summary>Checks a file of default options.</summary>
    /// <param name="root">The command line.</param>
    /// <param name="path">JSON: the names of options without dashes, and <c>command</c>.</param>
    /// <returns>The file's bytes.</returns>
    /// <exception cref="QedException">It cannot be read, or an option is none of the command's.</exception>
    public static byte[] ReadDefaults(Command root, string path)
    {
        if (FileStatus.Find(path) is { Kind: not (FileKind.File or FileKind.Folder) } other) // not opened: a named pipe would wait for a writer
            throw new QedException($"{path}: is {other.KindName}; give a file");
        byte[] bytes = InputSource.ReadAll(path, ModelBundle.MostDefaults);
        try
        {
            JsonValue defaults = JsonValue.ParseObject(bytes);
            string own = CommandOf(defaults);
            if (root.Find(own) is not { } command)
                throw new QedException($"there is no command '{own}'");
            string[] known = [.. command.Options.Select(Key)];
            if (defaults.Names.FirstOrDefault(name => name != CommandKey && !known.Contains(name)) is { } unknown)
                throw new QedException($"'{own}' has no option '{unknown}'");
            Complete(new ParseResult(command), defaults);
        }
        catch (Exception e) when (e is QedException or UsageException)
        {
            throw new QedException($"{InputSource.NameOf(path)}: {e.Message}", e);
        }
        return bytes;
    }

    private static void Complete(ParseResult parsed, JsonValue defaults)
    {
        foreach (Option option in parsed.Command.Options)
        {
            if (parsed.Has(option) || defaults.Find(Key(option)) is not { } value)
                continue;
            foreach (JsonValue one in value.IsArray ? value.Array() : [value])
                parsed.Add(option, !one.IsBoolean ? one.StringOrNumber() : one.Boolean() ? "true" : "false");
        }
    }

    private static string CommandOf(JsonValue? defaults) => defaults?.Find(CommandKey)?.String() ?? DefaultCommand;

    private static string Key(Option option) => option.Name.TrimStart('-');
}
