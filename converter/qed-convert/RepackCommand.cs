using QedEdge.CommandLine;

namespace QedEdge.Conversion.Cli;

/// <summary><c>qed-convert repack IN.gguf -o OUT.gguf --layout packed|plain</c>: the same values in the other order.</summary>
internal static class RepackCommand
{
    /// <summary>The command.</summary>
    /// <param name="cancellation">Ends the work.</param>
    public static Command Create(CancellationToken cancellation)
    {
        var input = new Argument("IN.gguf") { Description = "a model file of either layout, or of another tool", IsRequired = true };
        var output = Options.Output("OUT.gguf", "file to write");
        var layout = new TextOption("--layout") { Description = "the order to write", Words = ["packed", "plain"], Default = "packed" };
        var threads = Options.Threads();
        var force = Options.Force();
        var command = new Command("repack", "Changes a file's layout; values stay the same.\n\nExample: qed-convert repack tiny.gguf -o plain.gguf --layout plain",
            input, output, layout, threads, force);
        command.Action = parsed =>
        {
            ConversionReport? report = null;
            string to = parsed.GetValue(output)!;
            var order = Options.Layout(parsed.GetValue(layout), plainByDefault: false);
            Terminal.WithProgress(progress => report = FileRepacker.Repack(parsed.GetValue(input)!, to, order, Options.ThreadsOf(parsed, threads), parsed.GetValue(force), progress, cancellation));
            Terminal.Print(report!, to);
            return ExitCode.Done;
        };
        return command;
    }
}
