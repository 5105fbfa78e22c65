using System.CommandLine;
using System.CommandLine.Invocation;
using System.Text;
using QedEdge.Conversion.Cli;
using QedEdge.Memory;

StandardStreams.KeepClosedOnesTaken();
if (!OperatingSystem.IsWindows())
    Console.OutputEncoding = Encoding.UTF8; // paths keep their bytes, whatever the locale says
FileSizeLimit.BecomeAnError();

var root = ConvertCommand.Create();
root.Subcommands.Add(RepackCommand.Create());
root.Subcommands.Add(RandomCommand.Create());
root.Subcommands.Add(ManualCommands.CreateCompletion());
root.Subcommands.Add(ManualCommands.CreateMan());
// The other commands' help would list it as theirs.
root.Arguments[0].Hidden = args is [var first, ..] && root.Subcommands.Any(command => command.Name == first);

var parsed = root.Parse(args, new ParserConfiguration { ResponseFileTokenReplacer = null }); // "@name" is a name
if (parsed.Action is ParseErrorAction)
    return Outcome.Fail(ExitCode.WrongUsage, $"{parsed.Errors[0].Message} See 'qed-convert --help'.");
// On Ctrl-C the command stops at the next batch and deletes what it wrote.
using var interrupt = new Interrupt();
try
{
    return await parsed.InvokeAsync(new InvocationConfiguration { EnableDefaultExceptionHandler = false, ProcessTerminationTimeout = null }, interrupt.Token);
}
catch (Exception exception) when (exception is IOException or UnauthorizedAccessException) // from --help and the like; commands handle their own
{
    return Outcome.Fail(ExitCode.Failed, $"standard output cannot be written: {exception.Message}");
}
