using System.CommandLine;
using System.CommandLine.Completions;
using System.CommandLine.Help;
using System.Globalization;

namespace QedEdge.Cli.Documentation;

/// <summary>What a shell can offer for a value.</summary>
internal enum ValueKind
{
    /// <summary>There is no value: the option alone says it.</summary>
    None,

    /// <summary>Anything: a number, a text.</summary>
    Free,

    /// <summary>One of <see cref="ParameterText.Words"/>.</summary>
    Word,

    File,
    Folder,
}

/// <summary>An option or argument as its definition describes it.</summary>
internal sealed class ParameterText
{
    public ParameterText(Option option)
    {
        Names = [];
        foreach (string name in option.Aliases.Append(option.Name))
        {
            if (name[0] == '-') // slashes are for Windows, and --help leaves them out elsewhere
                Names.Insert(Names.Count(other => IsLong(other) == IsLong(name) ? string.CompareOrdinal(other, name) < 0 : IsLong(name)), name);
        }
        bool hasValue = option.ValueType != typeof(bool) && option.Arity.MaximumNumberOfValues > 0;
        Words = hasValue ? AllowedWords(option) : [];
        Value = hasValue ? option.HelpName ?? Label(option.Name.TrimStart('-')) : "";
        Kind = KindOf(hasValue);
        IsRequired = option.Required;
        IsRepeatable = option.Arity.MaximumNumberOfValues > 1;
        IsHelp = option is HelpOption;
        Description = Describe(option.Description, option.HasDefaultValue && hasValue ? option.GetDefaultValue() : null) + (IsRequired ? " (required)" : "");
    }

    public ParameterText(Argument argument)
    {
        Names = [];
        Words = AllowedWords(argument);
        Value = argument.HelpName ?? Label(argument.Name);
        Kind = KindOf(hasValue: true);
        IsRequired = argument.Arity.MinimumNumberOfValues > 0;
        IsRepeatable = argument.Arity.MaximumNumberOfValues > 1;
        Description = Describe(argument.Description, argument.HasDefaultValue ? argument.GetDefaultValue() : null);
    }

    /// <summary>What is typed for an option, short names first; none for an argument.</summary>
    public List<string> Names { get; }

    /// <summary>What stands for the value in descriptions: FILE, N; "" where there is none.</summary>
    public string Value { get; }

    /// <summary>The only values that are taken; none where there are others.</summary>
    public string[] Words { get; }

    public ValueKind Kind { get; }

    public bool IsRequired { get; }

    /// <summary>Whether it may be given more than once.</summary>
    public bool IsRepeatable { get; }

    /// <summary>Whether this is --help, which every command takes.</summary>
    public bool IsHelp { get; }

    /// <summary>What it means, with its default value as --help shows it, and whether an option must be given.</summary>
    public string Description { get; }

    /// <summary>Whether a name has two dashes.</summary>
    public static bool IsLong(string name) => name.StartsWith("--", StringComparison.Ordinal);

    /// <summary>Whether a shell takes a name as it is: not -?.</summary>
    public static bool IsTyped(string name) => !name.Contains('?');

    private string Label(string otherwise) => Words.Length > 0 ? string.Join('|', Words) : otherwise;

    private static string[] AllowedWords(Symbol symbol) => [.. symbol.GetCompletions(CompletionContext.Empty).Select(item => item.Label)];

    private string Describe(string? text, object? preset)
    {
        string description = text ?? "";
        if (!Words.All(word => description.Contains(word, StringComparison.Ordinal) || Value.Contains(word, StringComparison.Ordinal)))
            description += $"; one of {string.Join(", ", Words)}";
        string shown = preset switch { string word => word, IFormattable number => number.ToString(null, CultureInfo.InvariantCulture), _ => "" };
        return shown == "" ? description : $"{description} [default: {shown}]";
    }

    /// <summary>Names of files and folders are told by what stands for them: FILE, OUT.gguf; DIR, MODEL_DIR.</summary>
    private ValueKind KindOf(bool hasValue) => !hasValue ? ValueKind.None
        : Words.Length > 0 ? ValueKind.Word
        : Value == "FILE" || Path.HasExtension(Value) ? ValueKind.File
        : Value.EndsWith("DIR", StringComparison.Ordinal) ? ValueKind.Folder
        : ValueKind.Free;
}
