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
            new($"{ExitCode.Interrupted}", "Interrupted; what was generated stays printed."),
        ],
        Environment = [new(ModelSource.Variable, "The model file of commands that are given none; without it they take the model built into the executable. A bundle takes its own.")],
    };

    public static Command Create() => DocumentationCommands.Man(Manual, text => Terminal.Write(text));
}
