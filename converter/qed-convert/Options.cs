using QedEdge.CommandLine;
using QedEdge.Threading;

namespace QedEdge.Conversion.Cli;

/// <summary>Options that several commands share.</summary>
internal static class Options
{
    /// <summary><c>-o</c>, required.</summary>
    public static TextOption Output(string name, string description) => new("--output", "-o") { Description = description, ValueName = name, IsRequired = true, IsWritten = true };

    /// <summary><c>--force</c>.</summary>
    public static Flag Force() => new("--force") { Description = "replace an existing output" };

    /// <summary><c>--threads</c>; the default is no part of the definition, for it depends on the machine.</summary>
    public static IntegerOption Threads()
    {
        const int most = WorkerTeam.MaxSize;
        return new("--threads", "-t")
        {
            Description = "threads to use, one per processor if not given; the output does not depend on it",
            ValueName = "N",
            Check = text => int.Parse(text, System.Globalization.CultureInfo.InvariantCulture) is >= 1 and <= most ? null : $"--threads takes a number from 1 to {most}",
        };
    }

    /// <summary>The threads that were asked for.</summary>
    public static int ThreadsOf(ParseResult parsed, IntegerOption option) => parsed.GetValue(option) ?? ConversionOptions.DefaultThreads;

    /// <summary>The layout that a word names.</summary>
    public static FileLayout Layout(string? word, bool plainByDefault) =>
        word == "plain" || (word is null && plainByDefault) ? FileLayout.Plain : FileLayout.Packed;
}
