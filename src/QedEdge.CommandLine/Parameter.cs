namespace QedEdge.CommandLine;

/// <summary>What a shell can offer for a value.</summary>
public enum ValueKind
{
    /// <summary>There is no value: the option alone says it.</summary>
    None,

    /// <summary>Anything: a number, a text.</summary>
    Free,

    /// <summary>One of <see cref="Parameter.Words"/>.</summary>
    Word,

    /// <summary>The name of a file.</summary>
    File,

    /// <summary>The name of a folder.</summary>
    Folder,
}

/// <summary>An option or an argument of a command, and all that help and documentation say about it.</summary>
public abstract class Parameter
{
    /// <summary>What it means, in one line.</summary>
    public required string Description { get; init; }

    /// <summary>What stands for the value in descriptions: FILE, N; where nothing is set, its words.</summary>
    public string? ValueName { get; init; }

    /// <summary>The only values that are taken; none where there are others.</summary>
    public string[] Words { get; init; } = [];

    /// <summary>The heading that it stands under in the help, "" for none of its own.</summary>
    public string Group { get; internal set; } = "";

    /// <summary>Whether it names what the command writes; files and folders are read otherwise.</summary>
    public bool IsWritten { get; init; }

    /// <summary>Whether - stands for standard output, as it does for standard input where a file is read.</summary>
    public bool TakesStandardOutput { get; init; }

    /// <summary>Whether the command cannot do without it.</summary>
    public bool IsRequired { get; init; }

    /// <summary>Says what is wrong with a value, or null; called when the command line is read.</summary>
    public Func<string, string?>? Check { get; init; }

    /// <summary>What stands for the value in descriptions; "" where there is none.</summary>
    public string ValueLabel => !TakesValue ? "" : ValueName ?? (Words.Length > 0 ? string.Join('|', Words) : Names.Length > 0 ? "VALUE" : Name);

    /// <summary>How it is named in messages.</summary>
    public abstract string Name { get; }

    /// <summary>What is typed for an option, short names first; none for an argument.</summary>
    public abstract string[] Names { get; }

    /// <summary>Whether it may be given more than once.</summary>
    public virtual bool IsRepeatable => false;

    /// <summary>Whether a value goes with it.</summary>
    public virtual bool TakesValue => true;

    /// <summary>What holds where it is not given, as it is typed; null where that is nothing, or depends.</summary>
    public virtual string? DefaultText => null;

    /// <summary>Names of files and folders are told by what stands for them: FILE, OUT.gguf; DIR, MODEL_DIR.</summary>
    public ValueKind Kind => !TakesValue ? ValueKind.None
        : Words.Length > 0 ? ValueKind.Word
        : ValueLabel == "FILE" || Path.HasExtension(ValueLabel) ? ValueKind.File
        : ValueLabel.EndsWith("DIR", StringComparison.Ordinal) ? ValueKind.Folder
        : ValueKind.Free;

    /// <summary>The description with the default value, and whether an option must be given.</summary>
    public string Explanation
    {
        get
        {
            string missing = Words.All(word => Description.Contains(word, StringComparison.Ordinal) || ValueLabel.Contains(word, StringComparison.Ordinal)) ? "" : $"; one of {string.Join(", ", Words)}";
            string preset = DefaultText is null or "" ? "" : $" [default: {DefaultText}]";
            return Description + missing + preset + (IsRequired && Names.Length > 0 ? " (required)" : "");
        }
    }

    /// <summary>Says what is wrong with a value, or null.</summary>
    internal string? Problem(string text)
    {
        if (Words.Length > 0 && !Words.Contains(text))
        {
            string meant = Suggestion.For(text, Words) is { } word ? $"; did you mean '{word}'?" : "";
            return $"{Name} takes {string.Join(", ", Words[..^1])} or {Words[^1]}, not '{text}'{meant}";
        }
        if (text == "" && Kind is ValueKind.File or ValueKind.Folder) // from a variable that is not set: a mistake and no default
            return $"{Name} needs a {(Kind == ValueKind.File ? "file" : "folder")} name";
        if (text == "-" && IsWritten && !TakesStandardOutput)
            return $"{Name} takes a file, and no standard output; a file of that name is ./-";
        return Type(text) is { } expected ? $"{Name}: '{text}' is not {expected}" : Check?.Invoke(text);
    }

    /// <summary>Where a text is no value of the parameter's type: what it should be.</summary>
    private protected virtual string? Type(string text) => null;
}
