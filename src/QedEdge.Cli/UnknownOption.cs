using System.CommandLine;
using System.CommandLine.Parsing;

namespace QedEdge.Cli;

/// <summary>A mistyped option would be taken for the prompt; this finds it and suggests the one that was meant.</summary>
internal static class UnknownOption
{
    private const int FarthestSuggestion = 2; // edits

    /// <summary>The error for the first argument that looks like an option, or null. After <c>--</c> everything is text.</summary>
    public static string? Find(ParseResult parsed, string[] args)
    {
        int rest = Array.IndexOf(args, "--");
        string? unknown = parsed.CommandResult.Children.OfType<ArgumentResult>().SelectMany(argument => argument.Tokens).Select(token => token.Value)
            .Concat(parsed.UnmatchedTokens).FirstOrDefault(value => value.Length > 1 && value[0] == '-' && (rest < 0 || args.AsSpan(0, rest).Contains(value)) && (value[1] == '-' || char.IsLetter(value[1])));
        if (unknown is null)
            return null;
        string name = unknown.Split('=')[0];
        string? nearest = parsed.CommandResult.Command.Options.SelectMany(option => option.Aliases.Append(option.Name))
            .Where(known => known.StartsWith("--", StringComparison.Ordinal)).MinBy(known => Distance(known, name));
        nearest = nearest is not null && Distance(nearest, name) <= FarthestSuggestion ? nearest : parsed.CommandResult.Command.Options.Select(option => option.Name)
            .FirstOrDefault(known => name.Length > 3 && (known.StartsWith(name, StringComparison.Ordinal) || name.StartsWith(known, StringComparison.Ordinal)));
        string suggestion = nearest is not null ? $"did you mean '{nearest}'?" : "see --help, or put -- before text that begins with a dash";
        return $"unknown option '{name}'; {suggestion}";
    }

    /// <summary>Insertions, deletions and substitutions from one word to another (Levenshtein).</summary>
    private static int Distance(string a, string b)
    {
        int[] row = [.. Enumerable.Range(0, b.Length + 1)];
        for (int i = 1; i <= a.Length; i++)
        {
            int diagonal = row[0];
            row[0] = i;
            for (int j = 1; j <= b.Length; j++)
            {
                int above = row[j];
                row[j] = Math.Min(Math.Min(row[j], row[j - 1]) + 1, diagonal + (a[i - 1] == b[j - 1] ? 0 : 1));
                diagonal = above;
            }
        }
        return row[^1];
    }
}
