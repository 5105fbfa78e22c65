using System.Reflection;

namespace QedEdge.CommandLine;

/// <summary>How a program ends that failed.</summary>
/// <param name="ExitCode">One of <see cref="CommandLine.ExitCode"/>.</param>
/// <param name="Message">What is said about it.</param>
public readonly record struct Failure(int ExitCode, string Message);

/// <summary>
/// The shell of a program: whatever happens, from the first line of Main on, becomes an exit code and at most one line on standard error.
/// </summary>
/// <param name="classify">What the program's own errors mean, and what it advises where memory is short; null for those that it does not know.</param>
/// <param name="say">Writes "error: " and the message as one line.</param>
public sealed class Shell(Func<Exception, Failure?> classify, Action<string> say)
{
    private const int BrokenPipe = 32; // EPIPE
    private const int Longest = 1000, Kept = 300; // as the library bounds its own errors

    /// <summary>Runs all of a program, its start included.</summary>
    /// <param name="program">Returns the exit code.</param>
    public int Run(Func<int> program)
    {
        try
        {
            _ = Thread.CurrentThread; // .NET makes the object at the end otherwise, where nobody could catch that there is no memory for it
            return program();
        }
        catch (Exception e)
        {
            return End(e);
        }
    }

    /// <summary>Whether the reader of a pipe has gone.</summary>
    public static bool IsBrokenPipe(Exception e) => e is IOException && ((e.HResult & 0xFFFF) == BrokenPipe || e.InnerException is { HResult: BrokenPipe });

    private int End(Exception e)
    {
        while (e is TypeInitializationException or TargetInvocationException && e.InnerException is { } cause) // what a static member needed, or a constructor that .NET calls by its name
            e = cause;
        if (IsBrokenPipe(e))
            return ExitCode.Done; // the reader has seen enough: 'qed … | head -1'
        Failure failure = Classify(e);
        try
        {
            say(Short(failure.Message));
        }
        catch (Exception)
        {
            // There is nothing left to say it with; the exit code remains.
        }
        return failure.ExitCode;
    }

    /// <summary>What was typed can be of any length, and messages quote it: the middle goes.</summary>
    private static string Short(string message) => message.Length <= Longest ? message : $"{message.AsSpan(0, Longest - Kept - 1)}…{message.AsSpan(message.Length - Kept)}";

    private Failure Classify(Exception e) => classify(e) ?? e switch
    {
        UsageException => new(ExitCode.Usage, e.Message),
        OperationCanceledException => new(ExitCode.Interrupted, "interrupted; nothing was written"),
        OutOfMemoryException => new(ExitCode.Failed, "memory is short"),
        IOException or UnauthorizedAccessException => new(ExitCode.Failed, e.Message),
        _ => new(ExitCode.Failed, $"unexpected: {e.GetType().Name}: {e.Message}"),
    };
}
