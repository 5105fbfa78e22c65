namespace QedEdge.CommandLine;

/// <summary>
/// Reads a command line as POSIX and GNU programs do: <c>-n 5</c>, <c>-n5</c>, <c>--name 5</c>, <c>--name=5</c>, options and arguments in any order, and
/// after <c>--</c> arguments alone; of an option that is given again the last value holds. Long options are not abbreviated, and flags of one letter not joined. A word that
/// begins like an option and is none is an error and no text, so that a slip is not taken for the prompt.
/// </summary>
internal sealed class Parser
{
    private readonly Command _command;
    private readonly ParseResult _result;
    private readonly Queue<Argument> _arguments;

    private Parser(Command command)
    {
        (_command, _result) = (command, new ParseResult(command));
        _arguments = new Queue<Argument>(command.Arguments);
    }

    /// <summary>Reads a program's command line.</summary>
    /// <param name="command">The command that is called.</param>
    /// <param name="words">What follows its name.</param>
    /// <param name="complete">May give values to options that have none.</param>
    /// <exception cref="UsageException">It cannot be understood.</exception>
    public static ParseResult Parse(Command command, ReadOnlySpan<string> words, Action<ParseResult> complete)
    {
        var parser = new Parser(command);
        parser.Read(words);
        if (command.Action is null)
            throw new UsageException($"a command is missing: {Names(command)}");
        complete(parser._result);
        string[] missing = [.. ((Parameter[])[.. command.Arguments, .. command.Options]).Where(parameter => parameter.IsRequired && !parser._result.Has(parameter)).Select(Called)];
        return missing.Length == 0 ? parser._result : throw new UsageException($"{string.Join(" and ", missing)} {(missing.Length == 1 ? "is" : "are")} missing");
    }

    /// <summary>Whether a flag is among the words, and not the value of another option nor behind <c>--</c>.</summary>
    public static bool AsksFor(Flag flag, Command command, ReadOnlySpan<string> words)
    {
        for (int i = 0; i < words.Length && words[i] != "--"; i++)
        {
            (Option? option, string? value) = Split(command, words[i]);
            if (option == flag)
                return true;
            if (option is { TakesValue: true } && value is null)
                i++;
        }
        return false;
    }

    /// <summary>Whether a word begins as options do: -5 and -.5 are numbers, - is standard input, and a dash before a space stands in a text.</summary>
    private static bool LooksLikeOption(string word) => word.Length > 1 && word[0] == '-' && !(char.IsAsciiDigit(word[1]) || word[1] is '.' or ' ');

    private void Read(ReadOnlySpan<string> words)
    {
        while (words.Length > 0)
        {
            string word = words[0];
            words = words[1..];
            if (word == "--")
            {
                foreach (string text in words)
                    AddArgument(text);
                return;
            }
            if (!LooksLikeOption(word))
                AddArgument(word);
            else if (Split(_command, word) is not ({ } option, var value))
                throw new UsageException(Unknown(word));
            else if (value is not null)
                _result.Add(option, value);
            else if (!option.TakesValue)
                _result.Add(option, "true");
            else if (words.Length == 0 || LooksLikeOption(words[0]))
                throw new UsageException($"{Called(option)} needs a value{(words.Length == 0 ? "" : $"; where that is '{words[0]}', write {option.Name}={words[0]}")}");
            else
            {
                _result.Add(option, words[0]);
                words = words[1..];
            }
        }
    }

    /// <summary>The option that a word names, and the value in the same word.</summary>
    private static (Option? Option, string? Value) Split(Command command, string word)
    {
        int equals = word.IndexOf('=', StringComparison.Ordinal);
        string name = equals < 0 ? word : word[..equals];
        if (Find(command, name) is { } option)
            return (option, equals < 0 ? null : word[(equals + 1)..]);
        return !Option.IsLong(word) && word.Length > 2 && Find(command, word[..2]) is { TakesValue: true } joined ? (joined, word[2..]) : (null, null);
    }

    private static Option? Find(Command command, string name) => command.AllOptions.FirstOrDefault(option => option.Names.Contains(name));

    private void AddArgument(string text)
    {
        if (_arguments.TryDequeue(out Argument? argument))
            _result.Add(argument, text);
        else if (_command.Commands.Length > 0 && _command.Arguments.Length == 0)
            throw new UsageException(UnknownCommand(_command, text));
        else
            throw new UsageException($"'{text}' is one argument too many{(_command.Arguments is [.., { Kind: ValueKind.Free }] ? "; text with spaces stands in quotes" : "")}");
    }

    /// <summary>What to say of a word that is no command.</summary>
    private static string UnknownCommand(Command root, string word)
    {
        if (root.Find(word) is not null)
            return $"the command comes first: {root.Name} {word}";
        string meant = Suggestion.For(word, root.Commands.Select(command => command.Name)) is { } name ? $"did you mean '{name}'?"
            : root.Meant?.Invoke(word) is { } line ? $"did you mean: {line}"
            : $"commands: {Names(root)}";
        return $"unknown command '{word}'; {meant}";
    }

    private static string Names(Command root) => string.Join(", ", root.Commands.Select(command => command.Name));

    private string Unknown(string word)
    {
        string name = word.Split('=')[0];
        string? nearest = Suggestion.For(name, _command.AllOptions.SelectMany(option => option.Names).Where(Option.IsLong));
        return $"unknown option '{name}'; {(nearest is not null ? $"did you mean '{nearest}'?" : "see --help, or put -- before text that begins with a dash")}";
    }

    private static string Called(Parameter parameter) => parameter is Option { TakesValue: true } ? $"{parameter.Name} {parameter.ValueLabel}" : parameter.Name;
}
