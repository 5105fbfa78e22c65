using QedEdge.CommandLine;

namespace QedEdge.Cli.Commands;

/// <summary><c>qed bake</c>: stores a prompt's keys and values inside a model file.</summary>
internal sealed class BakeCommand
{
    private readonly CommonOptions _common = new();
    private readonly PromptInput _prompt = new();
    private readonly TextOption _system = new("--system") { ValueName = "TEXT", Description = "A system message instead of a prompt, in the chat format" };
    private readonly TextOption _output = new("--output", "-o") { ValueName = "FILE", Description = "The model file to write", IsRequired = true, IsWritten = true };
    private readonly Flag _force = new("--force") { Description = "Replace an existing output file" };

    public static Command Create()
    {
        var self = new BakeCommand();
        var command = new Command("bake", "Store what prompts begin with inside a model file, so that it is never computed again.\n\nExample: qed bake \"Once upon a time, in a village by the sea,\" -o village.gguf");
        self._prompt.AddTo(command);
        command.AddGroup(self._prompt.Group, self._system);
        command.AddGroup(OptionGroups.Output, self._output, self._force);
        self._common.AddRunOptions(command);
        command.Action = self.Run;
        return command;
    }

    private int Run(ParseResult parsed)
    {
        string? system = parsed.GetValue(_system);
        if (system is not null && _prompt.IsGiven(parsed))
            throw Missing();
        using QedModel model = _common.OpenModel(parsed);
        int[] tokens = system is not null ? model.RequireChatTemplate().EncodeSystem(system) : _prompt.Find(parsed, model, _common.Capacity(parsed, model), goesOn: true) ?? throw Missing();
        using var interrupt = new Interrupt();
        string output = parsed.GetValue(_output)!;
        try
        {
            PrefixBaker.Bake(model, tokens, output, new BakeOptions { Session = _common.SessionOptions(parsed), System = system, Overwrite = parsed.GetValue(_force) }, interrupt.Token);
        }
        catch (OperationCanceledException)
        {
            return ExitCode.Interrupted;
        }
        Terminal.Note($"{output}: prompts that begin with these {tokens.Length} tokens start behind them, and so does 'qed generate' without a prompt");
        return ExitCode.Done;
    }

    private static UsageException Missing() => new("give either what to bake (PROMPT, --prompt, --file or --tokens) or --system");
}
