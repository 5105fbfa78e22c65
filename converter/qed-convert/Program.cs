using System.Text;
using QedEdge.CommandLine;
using QedEdge.Conversion.Cli;
using QedEdge.Memory;

StandardStreams.KeepClosedOnesTaken();
if (!OperatingSystem.IsWindows())
    Console.OutputEncoding = Encoding.UTF8; // paths keep their bytes, whatever the locale says
FileSizeLimit.BecomeAnError();

// On Ctrl-C the command stops at the next batch and deletes what it wrote.
using var interrupt = new Interrupt();
Command root = ConvertCommand.Create(interrupt.Token,
    RepackCommand.Create(interrupt.Token), RandomCommand.Create(interrupt.Token), ManualCommands.CreateCompletion(), ManualCommands.CreateMan());
try
{
    return CommandLineProgram.Run(root, ProgramVersion.Full, args, ManualCommands.Print);
}
catch (UsageException exception)
{
    return Outcome.Fail(ExitCode.WrongUsage, exception.Message);
}
catch (Exception exception) when (exception is IOException or UnauthorizedAccessException) // from --help and the like; commands handle their own
{
    return Outcome.Fail(ExitCode.Failed, $"standard output cannot be written: {exception.Message}");
}
