using QedEdge.CommandLine;
using QedEdge.CommandLine.Documentation;

namespace QedEdge.Cli.Commands;

/// <summary><c>qed man</c>: the manual page.</summary>
internal static class ManCommand
{
    /// <summary>What the manual says beside the commands.</summary>
    public static Manual Manual { get; } = new("qed", seeAlso: "qed-convert")
    {
        ExitStatus =
        [
            new($"{ExitCode.Done}", "Done."),
            new($"{ExitCode.Failed}", "The run failed, or verify found damage."),
            new($"{ExitCode.Usage}", "Wrong usage."),
            new($"{ExitCode.Model}", "The model cannot be used."),
            new($"{ExitCode.Interrupted}", "Interrupted by Ctrl-C, SIGTERM or SIGHUP; what was generated stays printed. The signal itself ends a program that waits for input, is told a second time, or has nothing to put in order (bench, info, inspect, plan, verify, tokenize, detokenize): a shell shows 130, 143 or 129 then."),
        ],
        Environment = [new(ModelSource.Variable, "The model file of commands that are given none; without it they take the model built into the executable. A bundle takes its own.")],
    };

    public static Command Create() => DocumentationCommands.Man(Manual, text => Terminal.Write(text));
}
