using System.Diagnostics;
using System.Globalization;
using QedEdge.Memory;

namespace QedEdge.Cli;

/// <summary>How far long work has come, on standard error: one line that changes on a terminal, a line now and then in a log.</summary>
/// <param name="unit">What is counted: tokens, questions.</param>
/// <param name="before">The share of all work that an earlier run has done.</param>
internal sealed class ProgressLine(string unit, double before = 0) : IDisposable
{
    private static readonly TimeSpan OnTerminal = TimeSpan.FromSeconds(0.2), InLog = TimeSpan.FromSeconds(30);

    private readonly bool _terminal = StandardStreams.ErrorIsTerminal;
    private readonly TerminalLine _line = new();
    private readonly long _start = Stopwatch.GetTimestamp();
    private long _shown = Stopwatch.GetTimestamp();

    /// <summary>Tells how far it is.</summary>
    /// <param name="count">What this run has done, in units.</param>
    /// <param name="share">Of all work, 0 to 1; not a number where nobody knows.</param>
    public void Report(long count, double share)
    {
        if (Stopwatch.GetElapsedTime(_shown) < (_terminal ? OnTerminal : InLog))
            return;
        _shown = Stopwatch.GetTimestamp();
        TimeSpan elapsed = Stopwatch.GetElapsedTime(_start);
        string line = string.Create(CultureInfo.InvariantCulture, $"{count} {unit}, {count / elapsed.TotalSeconds:0.#}/s");
        if (share > before && share <= 1)
        {
            var left = TimeSpan.FromSeconds(elapsed.TotalSeconds * (1 - share) / (share - before));
            line = string.Create(CultureInfo.InvariantCulture, $"{share,4:0%}  {line}, {(int)left.TotalMinutes}:{left.Seconds:00} left");
        }
        if (_terminal)
            _line.Show(line);
        else
            Terminal.Note(line);
    }

    /// <summary>Takes the line off the terminal.</summary>
    public void Dispose() => _line.Dispose();
}
