using QedEdge.CommandLine.Documentation;

namespace QedEdge.CommandLine;

/// <summary>What a program does with its command line.</summary>
public static class CommandLineProgram
{
    /// <summary>Finds the command, reads its options and runs it; or shows help or the version.</summary>
    /// <param name="root">The program's root.</param>
    /// <param name="version">What --version prints.</param>
    /// <param name="words">The command line.</param>
    /// <param name="write">Takes what is printed.</param>
    /// <param name="complete">May give values to options that have none.</param>
    /// <param name="check">Sees what was given before the command begins, and may refuse it.</param>
    /// <returns>The exit code.</returns>
    /// <exception cref="UsageException">The command line cannot be understood; the message names the command's help.</exception>
    public static int Run(Command root, string version, string[] words, Action<string> write, Action<ParseResult>? complete = null, Action<ParseResult>? check = null)
    {
        FileNames.CheckWords(words);
        ReadOnlySpan<string> rest = words;
        Command command = root;
        bool help = rest is ["help"] or ["help", [not '-', ..]]; // 'qed-convert help -o OUT' converts a folder of that name
        if (help)
            rest = rest[1..];
        if (rest.Length > 0 && root.Find(rest[0]) is { } named)
        {
            command = named;
            rest = rest[1..];
        }
        if (help || Parser.AsksFor(Command.Help, command, rest))
        {
            write(HelpPage.Write(command));
            return 0;
        }
        if (command == root && rest.Length > 0 && Parser.AsksFor(Command.Version, command, rest[..1]))
        {
            write(version + "\n");
            return 0;
        }
        ParseResult parsed = Parse(command, rest, complete ?? (_ => { }));
        FileNames.CheckFolder([.. parsed.Files(written: false), .. parsed.Files(written: true)]);
        check?.Invoke(parsed);
        return command.Action!(parsed);
    }

    private static ParseResult Parse(Command command, ReadOnlySpan<string> words, Action<ParseResult> complete)
    {
        try
        {
            return Parser.Parse(command, words, complete);
        }
        catch (UsageException e)
        {
            throw new UsageException($"{e.Message} (see '{command.Path} --help')");
        }
    }
}
