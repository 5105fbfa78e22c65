using System.Globalization;

namespace QedEdge.CommandLine;

/// <summary>Where a program shows its help.</summary>
/// <param name="output">Takes text for standard output.</param>
/// <param name="error">Takes text for standard error.</param>
/// <param name="width">The columns of the terminal that reads it, or null.</param>
public sealed class Screen(Action<string> output, Action<string> error, int? width = null)
{
    private const int Usual = 80, Least = 40, Most = 120; // wider lines are hard to read

    /// <summary>Takes text for standard output.</summary>
    public Action<string> Output => output;

    /// <summary>Takes text for standard error.</summary>
    public Action<string> Error => error;

    /// <summary>How wide help is: as <c>$COLUMNS</c> says, else as the terminal is.</summary>
    public int Width => Math.Clamp(Columns(Environment.GetEnvironmentVariable("COLUMNS")) ?? width ?? Usual, Least, Most);

    private static int? Columns(string? text) => int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out int columns) && columns > 0 ? columns : null;
}
