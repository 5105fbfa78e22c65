using System.Text.RegularExpressions;
using QedEdge.CommandLine;

namespace QedEdge.Fuzz;

/// <summary>A property that does not hold.</summary>
internal sealed class FaultException(string message) : Exception(message);

/// <summary>What an execution may end with.</summary>
internal static partial class Judge
{
    private const int LongestMessage = 1000;

    /// <summary>Says why an exception is a fault, or null where it is one of those that the library documents and reads as they promise.</summary>
    public static string? Problem(Exception exception) => exception switch
    {
        FaultException => exception.Message,
        UsageException => Problem(exception.Message, typed: true), // the programs make it one line: it can quote what was typed
        QedException => Problem(exception.Message, typed: false),
        _ => $"{exception.GetType().Name}: {exception.Message}",
    };

    /// <summary>The message without numbers and quotations: equal for faults of one kind.</summary>
    public static string Kind(string message) => Number().Replace(Quotation().Replace(message, "'…'"), "N");

    private static string? Problem(string message, bool typed)
    {
        if (string.IsNullOrWhiteSpace(message))
            return "an empty message";
        if (!typed && message.Any(c => char.IsControl(c)))
            return $"a message with control characters: {message}";
        if (!typed && message.Length > LongestMessage)
            return $"a message of {message.Length} characters: {message[..200]}";
        return Foreign().IsMatch(Quotation().Replace(message, "")) ? $"a message that was not written for people: {message}" : null;
    }

    /// <summary>Words of the class library's that say nothing about the file.</summary>
    [GeneratedRegex(@"unexpected|Exception|\(Parameter |Object reference|Index was|Nullable object|Specified argument|Sequence contains", RegexOptions.IgnoreCase)]
    private static partial Regex Foreign();

    [GeneratedRegex(@"'[^']*'|""[^""]*""")]
    private static partial Regex Quotation();

    [GeneratedRegex(@"-?\d+(\.\d+)?([eE][-+]?\d+)?|[∞]|NaN|\b[0-9A-F]{8}\b")]
    private static partial Regex Number();
}
