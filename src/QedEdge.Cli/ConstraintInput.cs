using QedEdge.CommandLine;
using QedEdge.Constraints;

namespace QedEdge.Cli;

/// <summary>The options that say what a text must be.</summary>
internal sealed class ConstraintInput
{
    private readonly TextOption _regex = new("--regex") { ValueName = "R", Description = "The text is one that this regular expression matches as a whole, also where tokens are few: ECMAScript's syntax without look-around, back-references, word boundaries and Unicode properties" };
    private readonly TextsOption _choice = new("--choice") { ValueName = "TEXT", Description = "The text is this one, or another that is given so (repeatable)" };

    /// <summary>The options.</summary>
    public Option[] All => [_regex, _choice];

    /// <summary>The constraint that was given, or null.</summary>
    /// <exception cref="UsageException">There are two.</exception>
    /// <exception cref="InvalidOptionException">It is not usable; the message says where.</exception>
    public Constraint? Find(ParseResult parsed)
    {
        string? regex = parsed.GetValue(_regex);
        string[] choices = parsed.GetValue(_choice);
        if (regex is not null && choices.Length > 0)
            throw new UsageException("give either --regex or --choice");
        return regex is not null ? Constraint.Regex(regex) : choices.Length > 0 ? Constraint.Choice(choices) : null;
    }
}
