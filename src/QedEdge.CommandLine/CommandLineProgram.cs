using QedEdge.CommandLine.Documentation;

namespace QedEdge.CommandLine;

/// <summary>What a program does with its command line.</summary>
public static class CommandLineProgram
{
    /// <summary>Finds the command, reads its options and runs it; or shows help or the version.</summary>
    /// <param name="root">The program's root.</param>
    /// <param name="version">What --version prints.</param>
    /// <param name="words">The command line.</param>
    /// <param name="screen">Takes what is printed.</param>
    /// <param name="complete">May give values to options that have none.</param>
    /// <param name="check">Sees what was given before the command begins, and may refuse it.</param>
    /// <returns>The exit code.</returns>
    /// <exception cref="UsageException">The command line cannot be understood; the message names the command's help.</exception>
    public static int Run(Command root, string version, string[] words, Screen screen, Action<ParseResult>? complete = null, Action<ParseResult>? check = null)
    {
        FileNames.CheckWords(words);
        if (words.Length == 0 && root.Action is null)
        {
            screen.Error(HelpPage.Write(root, screen.Width)); // of more use than to say that a command is missing
            return ExitCode.Usage;
        }
        ReadOnlySpan<string> rest = words;
        Command command = root;
        // 'qed-convert help -o OUT' converts a folder of that name
        bool help = rest is ["help"] or ["help", [not '-', ..]] || (rest is [var first, var other, ..] && Command.Help.Names.Contains(first) && root.Find(other) is not null);
        if (help)
            rest = rest[1..];
        if (rest.Length > 0 && root.Find(rest[0]) is { } named)
        {
            command = named;
            rest = rest[1..];
        }
        if (help || Parser.AsksFor(Command.Help, command, rest))
        {
            screen.Output(HelpPage.Write(command, screen.Width));
            return ExitCode.Done;
        }
        if (command == root && rest.Length > 0 && Parser.AsksFor(Command.Version, command, rest[..1]))
        {
            screen.Output(version + "\n");
            return ExitCode.Done;
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
