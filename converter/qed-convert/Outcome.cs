using QedEdge.CommandLine;
using QedEdge.Conversion.Calibration;

namespace QedEdge.Conversion.Cli;

/// <summary>What the program's exit codes mean.</summary>
internal static class ExitCode
{
    /// <summary>All went well.</summary>
    public const int Done = 0;

    /// <summary>The run failed: the disk is full, the output exists, …</summary>
    public const int Failed = 1;

    /// <summary>The command line makes no sense.</summary>
    public const int WrongUsage = 2;

    /// <summary>The checkpoint or model file cannot be used.</summary>
    public const int BadModel = 3;

    /// <summary>Ctrl-C.</summary>
    public const int Interrupted = 130;
}

/// <summary>Runs a command's work and turns whatever happens into an exit code and at most one line on stderr.</summary>
internal static class Outcome
{
    /// <summary>Runs the work.</summary>
    /// <param name="work">Returns what reports on it: the output is there by then, and no trouble with the report makes the run a failure.</param>
    public static int Of(Func<Action> work)
    {
        Action report;
        try
        {
            report = work();
        }
        catch (UsageException exception)
        {
            return Fail(ExitCode.WrongUsage, $"{exception.Message} (see 'qed-convert --help')");
        }
        catch (ConversionPausedException exception)
        {
            return Fail(ExitCode.Interrupted, exception.Message);
        }
        catch (OperationCanceledException)
        {
            return Fail(ExitCode.Interrupted, "interrupted; nothing was written");
        }
        catch (ModelFormatException exception)
        {
            return Fail(ExitCode.BadModel, exception.Message);
        }
        catch (QedException exception)
        {
            return Fail(ExitCode.Failed, exception.Message);
        }
        catch (OutOfMemoryException)
        {
            return Fail(ExitCode.Failed, "not enough memory; try --threads 1");
        }
        catch (Exception exception)
        {
            return Fail(ExitCode.Failed, $"unexpected: {exception.GetType().Name}: {exception.Message}");
        }
        report();
        return ExitCode.Done;
    }

    /// <summary>Prints an error and returns the exit code.</summary>
    public static int Fail(int code, string message)
    {
        Terminal.Note("error: " + string.Join(' ', message.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries)));
        return code;
    }
}
