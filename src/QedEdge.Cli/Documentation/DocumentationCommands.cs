using System.CommandLine;

namespace QedEdge.Cli.Documentation;

/// <summary>The commands that print the documentation; each program gives them what to print with.</summary>
internal static class DocumentationCommands
{
    /// <summary><c>man</c>: the manual page, or its part of docs/cli.md.</summary>
    /// <param name="manual">What no definition says.</param>
    /// <param name="write">Takes the text for standard output.</param>
    public static Command Man(Manual manual, Action<string> write)
    {
        var markdown = new Option<bool>("--markdown") { Description = "Print it as Markdown" };
        var command = new Command("man", $"Print the manual page.\n\nExample: {manual.Program} man | man -l -") { markdown };
        command.SetAction(parsed =>
        {
            CommandText program = manual.Read(parsed);
            write(parsed.GetValue(markdown) ? MarkdownPage.Write(manual, program) : ManPage.Write(manual, program));
        });
        return command;
    }

    /// <summary><c>completion</c>: a script that teaches a shell the command line.</summary>
    /// <inheritdoc cref="Man"/>
    public static Command Completion(Manual manual, Action<string> write)
    {
        var shell = new Argument<string>("SHELL") { Description = "The shell: bash, fish, zsh" };
        shell.AcceptOnlyFromAmong("bash", "fish", "zsh");
        string program = manual.Program;
        var command = new Command("completion", $"""
            Print a script with which a shell completes commands, options, their values and names of files.

            Example: source <({program} completion bash)
            Example: source <({program} completion zsh)
            Example: {program} completion fish | source
            """) { shell };
        command.SetAction(parsed =>
        {
            CommandText root = manual.Read(parsed);
            write(parsed.GetValue(shell) switch { "bash" => BashCompletion.Write(root), "zsh" => ZshCompletion.Write(root), _ => FishCompletion.Write(root) });
        });
        return command;
    }
}
