namespace QedEdge.Cli.Pictures;

/// <summary>A point of a line.</summary>
internal sealed class Point(double x, double y, double error = 0)
{
    public double X => x;

    public double Y => y;

    /// <summary>How far the error reaches up and down; 0 where none is known.</summary>
    public double Error => error > 0 && error <= Scale.Most ? error : 0;
}

/// <summary>A line of a chart.</summary>
internal sealed class Series(string name, IReadOnlyList<Point> points, bool errorBars = false)
{
    public string Name => name;

    public IReadOnlyList<Point> Points => points;

    /// <summary>Whether errors are bars at the points, for few of them; else they are a band around the line.</summary>
    public bool ErrorBars => errorBars;
}
