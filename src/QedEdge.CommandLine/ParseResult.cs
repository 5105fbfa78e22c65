namespace QedEdge.CommandLine;

/// <summary>A command line that was understood: the command, and what was given for its options and arguments.</summary>
public sealed class ParseResult
{
    private readonly Dictionary<Parameter, List<string>> _given = [];

    /// <summary>The command without anything given.</summary>
    public ParseResult(Command command) => Command = command;

    /// <summary>The command.</summary>
    public Command Command { get; }

    /// <summary>Whether an option or argument was given.</summary>
    public bool Has(Parameter parameter) => _given.ContainsKey(parameter);

    /// <summary>Whether a flag was given.</summary>
    public bool GetValue(Flag flag) => Last(flag) is { } text && text != "false";

    /// <summary>An argument's text, or null.</summary>
    public string? GetValue(Argument argument) => Last(argument);

    /// <summary>An option's text, or its default.</summary>
    public string? GetValue(TextOption option) => Last(option) ?? option.Default;

    /// <summary>All texts of an option, none where it is not given.</summary>
    public string[] GetValue(TextsOption option) => _given.TryGetValue(option, out List<string>? texts) ? [.. texts] : [];

    /// <summary>An option's number, or its default.</summary>
    public int? GetValue(IntegerOption option) => Last(option) is { } text ? IntegerOption.Value(text) : option.Default;

    /// <summary>An option's number, or its default.</summary>
    public ulong? GetValue(SeedOption option) => Last(option) is { } text ? SeedOption.Value(text) : option.Default;

    /// <summary>An option's number, or null.</summary>
    public double? GetValue(NumberOption option) => Last(option) is { } text ? NumberOption.Value(text) : null;

    /// <summary>The files and folders that were named, without standard input and output.</summary>
    /// <param name="written">Those that the command writes, or those that it only reads.</param>
    public IEnumerable<string> Files(bool written)
    {
        const string NameAndFile = "NAME=FILE";
        foreach ((Parameter parameter, List<string> texts) in _given)
        {
            if (parameter.IsWritten != written || !(parameter.Kind is ValueKind.File or ValueKind.Folder || parameter.ValueLabel == NameAndFile))
                continue;
            foreach (string text in texts)
            {
                string file = parameter.ValueLabel == NameAndFile ? text[(text.IndexOf('=', StringComparison.Ordinal) + 1)..] : text;
                if (file is not ("" or "-")) // of an empty name the command says what is wrong
                    yield return file;
            }
        }
    }

    /// <summary>Takes a value, as if it stood on the command line.</summary>
    /// <exception cref="UsageException">It is none of the parameter's.</exception>
    public void Add(Parameter parameter, string text)
    {
        if (parameter.Problem(text) is { } problem)
            throw new UsageException(problem);
        if (!_given.TryGetValue(parameter, out List<string>? texts))
            _given.Add(parameter, texts = []);
        else if (!parameter.IsRepeatable)
            texts.Clear(); // the last one holds: an alias can have defaults
        texts.Add(text);
    }

    /// <summary>The same command line with another value in place of those given.</summary>
    /// <exception cref="UsageException">It is none of the parameter's.</exception>
    public ParseResult With(Parameter parameter, string text)
    {
        var changed = new ParseResult(Command);
        foreach ((Parameter other, List<string> texts) in _given)
        {
            if (other != parameter)
                changed._given.Add(other, texts);
        }
        changed.Add(parameter, text);
        return changed;
    }

    private string? Last(Parameter parameter) => _given.TryGetValue(parameter, out List<string>? texts) ? texts[^1] : null;
}
