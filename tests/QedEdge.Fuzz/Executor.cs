using System.Diagnostics;

namespace QedEdge.Fuzz;

/// <summary>What came of an execution.</summary>
/// <param name="Text">In words.</param>
/// <param name="Refused">Whether the input was refused.</param>
/// <param name="Fault">What must not be, or null.</param>
/// <param name="Place">Where it happened.</param>
internal readonly record struct Outcome(string Text, bool Refused, string? Fault, string Place);

/// <summary>Executes an input and measures what it took.</summary>
internal sealed unsafe class Executor(Coverage coverage)
{
    private const int LeakTries = 20; // the runtime's compiler takes memory too, but not each time
    private const long LeakBytes = 1024;
    private static readonly TimeSpan Longest = TimeSpan.FromSeconds(5); // of processor time
    private readonly byte* _guard = SystemMemory.Guarded(SharedState.LongestInput);

    /// <summary>Runs an input.</summary>
    /// <param name="target">What reads it.</param>
    /// <param name="bytes">The input.</param>
    /// <param name="isNew">Whether it took a way through the code that none took before.</param>
    public Outcome Run(Target target, byte[] bytes, out bool isNew)
    {
        long native = SystemMemory.InUse;
        coverage.Begin();
        Outcome outcome = Once(target, bytes);
        isNew = coverage.End();
        for (int i = 0; i < LeakTries && outcome.Fault is null; i++)
        {
            long more = SystemMemory.InUse - native;
            if (more < LeakBytes)
                break;
            if (i == LeakTries - 1)
                return outcome with { Fault = $"{more} bytes were not freed, and again each time" };
            native = SystemMemory.InUse;
            Once(target, bytes);
        }
        return outcome;
    }

    private Outcome Once(Target target, byte[] bytes)
    {
        byte* memory = _guard - bytes.Length;
        bytes.CopyTo(new Span<byte>(memory, bytes.Length));
        long allocated = GC.GetAllocatedBytesForCurrentThread(), start = Stopwatch.GetTimestamp();
        string text, place = "";
        string? fault = null;
        bool refused = false;
        try
        {
            text = target.Execute(new Input(bytes, memory));
        }
        catch (Exception exception)
        {
            text = exception.Message;
            refused = true;
            fault = Judge.Problem(exception);
            if (fault is not null)
                place = Frame(exception);
        }
        allocated = GC.GetAllocatedBytesForCurrentThread() - allocated;
        if (fault is null && allocated > target.FixedBytes + target.BytesPerByte * bytes.Length)
            fault = $"{allocated} managed bytes were allocated for an input of {bytes.Length}";
        if (fault is null && Stopwatch.GetElapsedTime(start) > Longest)
        {
            // The machine may have done something else meanwhile: what counts is the processor's time.
            TimeSpan before = Environment.CpuUsage.TotalTime;
            try
            {
                target.Execute(new Input(bytes, memory));
            }
            catch (Exception exception) when (Judge.Problem(exception) is null)
            {
                // As before.
            }
            TimeSpan used = Environment.CpuUsage.TotalTime - before;
            if (used > Longest)
                fault = $"an input of {bytes.Length} bytes took {used.TotalSeconds:F0} seconds";
        }
        return new Outcome(text, refused, fault, place);
    }

    private static string Frame(Exception exception) =>
        exception.StackTrace?.Split('\n').FirstOrDefault(static line => line.Contains("QedEdge.", StringComparison.Ordinal) && !line.Contains("QedEdge.Memory", StringComparison.Ordinal))?.Trim() ?? "";
}
