using System.CommandLine;
using System.CommandLine.Invocation;
using QedEdge.Conversion.Cli;

var root = ConvertCommand.Create();
root.Subcommands.Add(RepackCommand.Create());
root.Subcommands.Add(RandomCommand.Create());
// The other commands' help would list it as theirs.
root.Arguments[0].Hidden = args is ["repack" or "random", ..];

var parsed = root.Parse(args);
if (parsed.Action is ParseErrorAction)
    return Outcome.Fail(ExitCode.WrongUsage, $"{parsed.Errors[0].Message} See 'qed-convert --help'.");
return await parsed.InvokeAsync(new InvocationConfiguration
{
    EnableDefaultExceptionHandler = false,
    // On Ctrl-C the command stops at the next batch and deletes what it wrote; a slow disk may take a while.
    ProcessTerminationTimeout = TimeSpan.FromSeconds(10),
});
