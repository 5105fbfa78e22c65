using QedEdge.CommandLine;
using QedEdge.CommandLine.Documentation;

namespace QedEdge.Cli.Commands;

/// <summary><c>qed completion</c>: what teaches a shell the command line.</summary>
internal static class CompletionCommand
{
    public static Command Create() => DocumentationCommands.Completion(ManCommand.Manual, text => Terminal.Write(text));
}
