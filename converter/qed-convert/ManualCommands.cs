using System.Text;
using QedEdge.CommandLine;
using QedEdge.CommandLine.Documentation;
using QedEdge.Memory;

namespace QedEdge.Conversion.Cli;

/// <summary><c>qed-convert man</c> and <c>qed-convert completion</c>: as <c>qed</c>'s, from the same sources.</summary>
internal static class ManualCommands
{
    private static readonly Manual Manual = new("qed-convert", seeAlso: "qed")
    {
        ExitStatus =
        [
            new($"{ExitCode.Done}", "Done."),
            new($"{ExitCode.Failed}", "The run failed: the disk is full, the output exists."),
            new($"{ExitCode.Usage}", "Wrong usage."),
            new($"{ExitCode.Model}", "The checkpoint or model file cannot be used."),
            new($"{ExitCode.Interrupted}", "Interrupted by Ctrl-C, SIGTERM or SIGHUP; no output was written. The signal itself ends a program that waits for input or is told a second time: a shell shows 130, 143 or 129 then."),
        ],
        Environment = [new(Terminal.NoColor, "Where it is set to anything, messages have no colours.")],
    };

    /// <summary>The command that prints the manual page.</summary>
    public static Command CreateMan() => DocumentationCommands.Man(Manual, Print);

    /// <summary>The command that prints a shell's script.</summary>
    public static Command CreateCompletion() => DocumentationCommands.Completion(Manual, Print);

    /// <summary>Writes to standard output.</summary>
    public static void Print(string text)
    {
        try
        {
            using Stream output = StandardStreams.Output();
            output.Write(Encoding.UTF8.GetBytes(text));
        }
        catch (IOException e) when (!Shell.IsBrokenPipe(e))
        {
            throw new QedException($"standard output cannot be written: {e.Message}", e);
        }
    }
}
