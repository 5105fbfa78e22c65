namespace QedEdge.CommandLine.Documentation;

/// <summary>A word of the program's contract and what it means: an exit code, an environment variable.</summary>
public sealed class Fact(string name, string text)
{
    /// <summary>The word.</summary>
    public string Name { get; } = name;

    /// <summary>What it means.</summary>
    public string Text { get; } = text;
}

/// <summary>All that a program's documentation says: its commands as they are defined, and what no definition says.</summary>
public sealed class Manual(string program, string seeAlso)
{
    /// <summary>The date of the version.</summary>
    public const string ReleaseDate = "2026-11-26";

    /// <summary>How words are kept from being taken for options; holds for everything that the parser reads.</summary>
    public const string AfterDashes = "After -- every word is taken as it is, even one that begins with a dash.";

    /// <summary>The program's name.</summary>
    public string Program { get; } = program;

    /// <summary>The other program of the two.</summary>
    public string SeeAlso { get; } = seeAlso;

    /// <summary>Exit codes, lowest first.</summary>
    public required Fact[] ExitStatus { get; init; }

    /// <summary>The environment variables that are read.</summary>
    public required Fact[] Environment { get; init; }
}
