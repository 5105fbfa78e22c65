
namespace QedEdge.CommandLine.Documentation;

/// <summary>The commands that print the documentation; each program gives them what to print with.</summary>
public static class DocumentationCommands
{
    /// <summary><c>man</c>: the manual page, or its part of docs/cli.md.</summary>
    /// <param name="manual">What no definition says.</param>
    /// <param name="write">Takes the text for standard output.</param>
    public static Command Man(Manual manual, Action<string> write)
    {
        var markdown = new Flag("--markdown") { Description = "Print it as Markdown" };
        var command = new Command("man", $"Print the manual page.\n\nExample: {manual.Program} man | man -l -", markdown);
        command.Action = parsed =>
        {
            write(parsed.GetValue(markdown) ? MarkdownPage.Write(manual, command.Root) : ManPage.Write(manual, command.Root));
            return 0;
        };
        return command;
    }

    /// <summary><c>completion</c>: a script that teaches a shell the command line.</summary>
    /// <inheritdoc cref="Man"/>
    public static Command Completion(Manual manual, Action<string> write)
    {
        var shell = new Argument("SHELL") { Description = "The shell: bash, fish, zsh", Words = ["bash", "fish", "zsh"], IsRequired = true };
        string program = manual.Program;
        var command = new Command("completion", $"""
            Print a script with which a shell completes commands, options, their values and names of files.

            Example: source <({program} completion bash)
            Example: source <({program} completion zsh)
            Example: {program} completion fish | source
            """, shell);
        command.Action = parsed =>
        {
            write(parsed.GetValue(shell) switch { "bash" => BashCompletion.Write(command.Root), "zsh" => ZshCompletion.Write(command.Root), _ => FishCompletion.Write(command.Root) });
            return 0;
        };
        return command;
    }
}
