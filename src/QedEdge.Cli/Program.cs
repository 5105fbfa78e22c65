using QedEdge.Cli.Commands;
using QedEdge.CommandLine;
using QedEdge.Memory;

namespace QedEdge.Cli;

/// <summary>The command line <c>qed</c>: one file per command in Commands/; here only what all of them share.</summary>
internal static class Program
{
    private static int Main(string[] args) => new Shell(Classify, Terminal.Fail).Run(() => Run(args));

    private static int Run(string[] args)
    {
        WiderBuild.Enter(args);
        ProgramStart.Prepare();
        Terminal.Prepare();
        (Interrupt.Listen, Interrupt.Act) = (Signals.Listen, Signals.Act);
        Interrupt.IsWaiting = static () => StandardStreams.IsWaiting;
        Command root = BuildRoot();
        return CommandLineProgram.Run(root, ProgramVersion.Full, Bundled.Arguments(root, args), new Screen(text => Terminal.Write(text), Terminal.NotePart, StandardStreams.OutputWidth), Bundled.Complete, CheckFiles);
    }

    /// <summary>What a command writes is none of what it reads, nor this program.</summary>
    /// <exception cref="InvalidOptionException">Two are the same file.</exception>
    private static void CheckFiles(ParseResult parsed)
    {
        bool readsDefault = parsed.Command.Options.FirstOrDefault(option => option.Name == "--model") is { } model && !parsed.Has(model);
        SeparateFiles.Check(parsed.Files(written: true), [.. parsed.Files(written: false), StandardStreams.InputName, Environment.ProcessPath, readsDefault ? ModelSource.File(null) : null]);
    }

    private static Failure? Classify(Exception e) => e switch
    {
        ContextLengthException context => new(ExitCode.Failed, ContextMessage.Of(context)),
        InvalidOptionException => new(ExitCode.Usage, e.Message),
        ModelFormatException model => new(ExitCode.Model, e.Message + ModelSource.Remark(model.File)),
        QedException => new(ExitCode.Failed, e.Message),
        OutOfMemoryException => new(ExitCode.Failed, $"memory is short; a smaller --ctx-size, --kv-type q8_0 or fewer --sequences take less, and 'qed plan' says how much; {MappedFile.AddressSpaceAdvice}"),
        _ => null,
    };

    internal static Command BuildRoot() => new("qed", "Runs small language models from one quantized file.")
    {
        Meant = static word => word.EndsWith(".gguf", StringComparison.OrdinalIgnoreCase) ? $"qed chat -m {word}" : word.Contains(' ') ? $"qed generate \"{word}\"" : null,
        Commands =
        [
            GenerateCommand.Create(),
            ChatCommand.Create(),
            BakeCommand.Create(),
            BundleCommand.Create(),
            ScoreCommand.Create(),
            ChooseCommand.Create(),
            PerplexityCommand.Create(),
            CompareCommand.Create(),
            EvalCommand.Create(),
            BatchCommand.Create(),
            LogitsCommand.Create(),
            RenderCommand.Create(),
            TokenizeCommand.Create(),
            DetokenizeCommand.Create(),
            InspectCommand.Create(),
            PlanCommand.Create(),
            VerifyCommand.Create(),
            BenchCommand.Create(),
            InfoCommand.Create(),
            CompletionCommand.Create(),
            ManCommand.Create(),
        ],
    };
}
