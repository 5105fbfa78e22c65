using System.CommandLine;

namespace QedEdge.Cli;

/// <summary>What the parser found wrong, in one line and without names of .NET types.</summary>
internal static class UsageError
{
    /// <summary>The first error of a command line that has one.</summary>
    public static string Describe(ParseResult parsed)
    {
        if (parsed.CommandResult.Command is RootCommand root && parsed.UnmatchedTokens.Count > 0)
            return $"unknown command '{parsed.UnmatchedTokens[0]}'; commands: {string.Join(", ", root.Subcommands.Select(command => command.Name))}";
        return Describe(parsed.Errors[0].Message);
    }

    /// <summary>An error of the parser's in one line.</summary>
    public static string Describe(string error)
    {
        string message = string.Join(' ', error.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries));
        int type = message.IndexOf(" as expected type ", StringComparison.Ordinal);
        if (type < 0)
            return message;
        string kind = message.Contains("System.Single", StringComparison.Ordinal) || message.Contains("System.Double", StringComparison.Ordinal) ? "a number" : "a whole number in its range";
        return $"{message[..type]}: it must be {kind}";
    }
}
