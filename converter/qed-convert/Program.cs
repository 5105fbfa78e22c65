using QedEdge.CommandLine;
using QedEdge.Memory;

namespace QedEdge.Conversion.Cli;

/// <summary>The command line <c>qed-convert</c>.</summary>
internal static class Program
{
    private static int Main(string[] args) => new Shell(Classify, Terminal.Fail).Run(() => Run(args));

    private static int Run(string[] args)
    {
        ProgramStart.Prepare();
        (Interrupt.Listen, Interrupt.Act) = (Signals.Listen, Signals.Act);
        Interrupt.IsWaiting = static () => StandardStreams.IsWaiting;
        using var interrupt = new Interrupt(); // before any work starts, lest a signal leave a temporary file
        Command root = ConvertCommand.Create(interrupt.Token,
            RepackCommand.Create(interrupt.Token), RandomCommand.Create(interrupt.Token), ManualCommands.CreateCompletion(), ManualCommands.CreateMan());
        return CommandLineProgram.Run(root, ProgramVersion.Full, args, new Screen(ManualCommands.Print, Terminal.Note, StandardStreams.OutputWidth),
            check: parsed => SeparateFiles.Check(parsed.Files(written: true), [.. parsed.Files(written: false), Environment.ProcessPath]));
    }

    private static Failure? Classify(Exception e) => e switch
    {
        InvalidOptionException => new(ExitCode.Usage, e.Message),
        Calibration.ConversionPausedException => new(ExitCode.Interrupted, e.Message),
        ModelFormatException => new(ExitCode.Model, e.Message),
        QedException => new(ExitCode.Failed, e.Message),
        OutOfMemoryException => new(ExitCode.Failed, $"not enough memory; try --threads 1; {MappedFile.AddressSpaceAdvice}"),
        _ => null,
    };
}
