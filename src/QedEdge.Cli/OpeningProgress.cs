using System.Diagnostics;
using System.Globalization;
using QedEdge.CommandLine;
using QedEdge.Memory;

namespace QedEdge.Cli;

/// <summary>How far a file's repacking has come, on a terminal, where it takes more than a second.</summary>
internal sealed class OpeningProgress : IDisposable
{
    private static readonly TimeSpan First = TimeSpan.FromSeconds(1), Again = TimeSpan.FromSeconds(0.2);

    private readonly long _start = Stopwatch.GetTimestamp();
    private readonly TerminalLine _line = new();
    private long _shown;

    /// <summary>Tells how far it is; ends the opening where a signal has come.</summary>
    /// <param name="share">0 to 1.</param>
    public void Report(double share)
    {
        Interrupt.Current.ThrowIfCancellationRequested();
        if (!StandardStreams.ErrorIsTerminal || Stopwatch.GetElapsedTime(_start) < First || (_shown > 0 && Stopwatch.GetElapsedTime(_shown) < Again))
            return;
        _shown = Stopwatch.GetTimestamp();
        _line.Show(string.Create(CultureInfo.InvariantCulture, $"{share,4:0%}  repacking the weights; 'qed-convert repack' does it for good"));
    }

    /// <summary>Takes the line off the terminal.</summary>
    public void Dispose() => _line.Dispose();
}
