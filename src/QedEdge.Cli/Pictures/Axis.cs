namespace QedEdge.Cli.Pictures;

/// <summary>What stands along a side of a chart.</summary>
internal sealed class Axis(string label, bool logarithmic = false, bool fromZero = false)
{
    public string Label => label;

    /// <summary>Whether equal distances are equal factors; ticks are powers of two then.</summary>
    public bool Logarithmic => logarithmic;

    /// <summary>Whether zero is in the range whatever the values are, so that lengths compare. Not for a logarithmic axis.</summary>
    public bool FromZero => fromZero;
}
