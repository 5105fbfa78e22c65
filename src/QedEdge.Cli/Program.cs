using QedEdge.Cli.Commands;
using QedEdge.CommandLine;
using QedEdge.Memory;

namespace QedEdge.Cli;

/// <summary>The command line <c>qed</c>: one file per command in Commands/; here only what all of them share.</summary>
internal static class Program
{
    private static int Main(string[] args)
    {
        StandardStreams.KeepClosedOnesTaken(); // before anything opens a file, as the next line does
        FileSizeLimit.BecomeAnError();
        try
        {
            return Run(args);
        }
        catch (Exception e) when (e is UsageException or InvalidOptionException)
        {
            return Terminal.Fail(ExitCode.Usage, e.Message);
        }
        catch (ModelFormatException e)
        {
            return Terminal.Fail(ExitCode.Model, e.Message);
        }
        catch (QedException e)
        {
            return Terminal.Fail(ExitCode.Failed, e.Message);
        }
        catch (IOException e) when (Terminal.IsBrokenPipe(e))
        {
            return ExitCode.Done; // the reader has seen enough: 'qed … | head -1'
        }
        catch (OutOfMemoryException)
        {
            return Terminal.Fail(ExitCode.Failed, "memory is short; a smaller --ctx-size, --kv-type q8_0 or fewer --sequences take less, and 'qed plan' says how much");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return Terminal.Fail(ExitCode.Failed, e.Message);
        }
        catch (Exception e)
        {
            return Terminal.Fail(ExitCode.Failed, $"unexpected: {e.GetType().Name}: {e.Message}");
        }
    }

    private static int Run(string[] args)
    {
        Command root = BuildRoot();
        return CommandLineProgram.Run(root, ProgramVersion.Full, Bundled.Arguments(root, args), text => Terminal.Write(text), Bundled.Complete);
    }

    private static Command BuildRoot() => new("qed", "Runs QED language models from one quantized file.")
    {
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

/// <summary>Exit codes of the command-line contract.</summary>
internal static class ExitCode
{
    public const int Done = 0;
    public const int Failed = 1;
    public const int Usage = 2;
    public const int Model = 3;
    public const int Interrupted = 130;
}
