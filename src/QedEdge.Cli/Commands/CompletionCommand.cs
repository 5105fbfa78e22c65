using System.CommandLine;
using QedEdge.Cli.Documentation;

namespace QedEdge.Cli.Commands;

/// <summary><c>qed completion</c>: what teaches a shell the command line.</summary>
internal static class CompletionCommand
{
    public static Command Create() => DocumentationCommands.Completion(ManCommand.Manual, text => Terminal.Write(text));
}
