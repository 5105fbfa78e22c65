using System.Text;

namespace QedEdge.Cli.Pictures;

/// <summary>
/// A line chart as an SVG document that needs nothing else: it scales, follows the reader's light or dark mode, says what it shows to
/// those who cannot see it, and its points say their values when pointed at.
/// </summary>
internal sealed class LineChart
{
    private const double Width = 720, PlotHeight = 330, Edge = 16, Line = 18;
    private const double TickGap = 8, LeastLabelGap = 14, Swatch = 34, LegendGap = 20, HeadGap = 16;
    private const int MostXIntervals = 12, MostYIntervals = 7;
    private const int MostMarkers = 40;      // more points have markers at a distance only
    private const double MarkerDistance = 24;

    public required string Title { get; init; }

    /// <summary>What was measured, on what.</summary>
    public string Subtitle { get; init; } = "";

    public required Axis X { get; init; }

    public required Axis Y { get; init; }

    /// <summary>The lines. Points that have no place (not a number, or not positive on a logarithmic axis) are left out.</summary>
    public required IReadOnlyList<Series> Series { get; init; }

    /// <summary>Writes the document, which is to be stored in UTF-8.</summary>
    public void Write(TextWriter output)
    {
        var lines = new List<Point>[Series.Count];
        for (int i = 0; i < lines.Length; i++)
            lines[i] = Drawable(Series[i].Points);
        var body = new StringBuilder();
        double top = WriteHead(body) + HeadGap;
        var plot = new Plot(X, Y, lines, top);
        plot.WriteAxes(body);
        for (int i = 0; i < lines.Length; i++)
            WriteSeries(body, plot, i, lines[i]);
        if (Array.TrueForAll(lines, static line => line.Count == 0))
            Text(body, plot.Left + plot.Width / 2, top + PlotHeight / 2, "no points", "minor", "middle");

        string height = Markup.Coordinate(plot.Bottom);
        output.Write($"<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {Markup.Coordinate(Width)} {height}\" role=\"img\" font-family=\"system-ui,sans-serif\" font-size=\"{Markup.Coordinate(ChartStyle.Text)}\">\n");
        output.Write($"<title>{Markup.Escape(Title)}</title>\n<desc>{Markup.Escape(Describe(lines))}</desc>\n<style>\n{Encoding.UTF8.GetString(ChartStyle.Sheet)}\n</style>\n");
        output.Write($"<rect class=\"page\" width=\"{Markup.Coordinate(Width)}\" height=\"{height}\"/>\n");
        output.Write(body.ToString());
        output.Write("</svg>\n");
    }

    private List<Point> Drawable(IReadOnlyList<Point> points)
    {
        var drawable = new List<Point>();
        foreach (Point point in points)
        {
            if (!Scale.Shows(X, point.X) || !Scale.Shows(Y, point.Y))
                continue;
            int at = drawable.Count; // they mostly come in order
            while (at > 0 && drawable[at - 1].X > point.X)
                at--;
            drawable.Insert(at, point);
        }
        return drawable;
    }

    /// <summary>The same in words.</summary>
    private string Describe(List<Point>[] lines)
    {
        var text = new StringBuilder($"{Y.Label} by {X.Label}. {Subtitle}");
        for (int i = 0; i < lines.Length; i++)
        {
            text.Append($"\n{Series[i].Name}: ");
            if (lines[i].Count == 0)
                text.Append("no points");
            else if (lines[i].Count == 1)
                text.Append(Words(lines[i][0]));
            else
                text.Append($"{Markup.Number(lines[i].Count)} points, from {Words(lines[i][0])} to {Words(lines[i][^1])}");
            text.Append('.');
        }
        return text.ToString();

        static string Words(Point point) => $"{Markup.Number(point.Y)} at {Markup.Number(point.X)}";
    }

    /// <summary>Title, subtitle, legend and the label of the vertical axis, from the top down.</summary>
    /// <returns>How far down they reach.</returns>
    private double WriteHead(StringBuilder body)
    {
        double y = Edge - 4;
        foreach (string line in TextLines.Wrap(Title, ChartStyle.Title, Width - 2 * Edge))
            Text(body, Edge, y += Line + 2, line, "title");
        y += 4;
        foreach (string line in TextLines.Wrap(Subtitle, ChartStyle.Text, Width - 2 * Edge))
            Text(body, Edge, y += Line, line, "minor");
        if (Series.Count > 1)
            y = WriteLegend(body, y + 8);
        y += 10;
        foreach (string line in TextLines.Wrap(Y.Label, ChartStyle.Text, Width - 2 * Edge))
            Text(body, Edge, y += Line, line);
        return y;
    }

    private double WriteLegend(StringBuilder body, double y)
    {
        double x = Width;
        for (int i = 0; i < Series.Count; i++)
        {
            List<string> lines = TextLines.Wrap(Series[i].Name, ChartStyle.Text, Width - 2 * Edge - Swatch);
            double width = Swatch + (lines.Count > 0 ? TextLines.Width(lines[0], ChartStyle.Text) : 0);
            if (x + width > Width - Edge || lines.Count > 1)
                (x, y) = (Edge, y + Line);
            string at = $"M{Markup.Coordinate(x)} {Markup.Coordinate(y - 4.5)}";
            Open(body, i);
            Path(body, "line", at + "h26", ChartStyle.Dash(i));
            Path(body, "mark", at + "m13 0" + ChartStyle.Marker(i));
            body.Append("</g>\n");
            for (int j = 0; j < lines.Count; j++)
                Text(body, x + Swatch, j == 0 ? y : y += Line, lines[j]);
            x = lines.Count > 1 ? Width : x + width + LegendGap;
        }
        return y;
    }

    private void WriteSeries(StringBuilder body, Plot plot, int index, List<Point> points)
    {
        Series series = Series[index];
        Open(body, index);
        bool band = !series.ErrorBars && points.Count > 1;
        if (band && points.Exists(static point => point.Error > 0))
        {
            var outline = new StringBuilder();
            for (int i = 0; i < points.Count; i++)
                outline.Append(plot.Place(points[i], points[i].Error, i == 0 ? "M" : "L"));
            for (int i = points.Count - 1; i >= 0; i--)
                outline.Append(plot.Place(points[i], -points[i].Error, "L"));
            Path(body, "band", outline.Append('z').ToString());
        }
        if (points.Count > 1)
        {
            var line = new StringBuilder();
            for (int i = 0; i < points.Count; i++)
                line.Append(plot.Place(points[i], 0, i == 0 ? "M" : "L"));
            Path(body, "line", line.ToString(), ChartStyle.Dash(index));
        }
        double last = double.NegativeInfinity;
        foreach (Point point in points)
        {
            double x = plot.At(point);
            if (points.Count > MostMarkers && x - last < MarkerDistance)
                continue;
            last = x;
            string said = $"{series.Name}, at {Markup.Number(point.X)}: {Markup.Number(point.Y)}";
            if (point.Error > 0)
            {
                said += " ± " + Markup.Number(point.Error);
                if (!band)
                    Path(body, "bar", plot.Place(point, point.Error, "M") + "m-4 0h8m-4 0" + plot.Place(point, -point.Error, "L") + "m-4 0h8");
            }
            Path(body, "mark", plot.Place(point, 0, "M") + ChartStyle.Marker(index), "", said);
        }
        body.Append("</g>\n");
    }

    private static void Open(StringBuilder body, int series) => body.Append("<g class=\"").Append(ChartStyle.Color(series)).Append("\">\n");

    private static void Path(StringBuilder body, string style, string course, string attribute = "", string said = "")
    {
        body.Append("<path class=\"").Append(style).Append('"').Append(attribute).Append(" d=\"").Append(course);
        if (said.Length > 0)
            body.Append("\"><title>").Append(Markup.Escape(said)).Append("</title></path>\n");
        else
            body.Append("\"/>\n");
    }

    private static void Text(StringBuilder body, double x, double y, string text, string style = "", string anchor = "")
    {
        body.Append("<text x=\"").Append(Markup.Coordinate(x)).Append("\" y=\"").Append(Markup.Coordinate(y));
        if (style.Length > 0)
            body.Append("\" class=\"").Append(style);
        if (anchor.Length > 0)
            body.Append("\" text-anchor=\"").Append(anchor);
        body.Append("\">").Append(Markup.Escape(text)).Append("</text>\n");
    }

    /// <summary>The field of the lines with its scales.</summary>
    private sealed class Plot
    {
        private readonly Axis _horizontal;
        private readonly Scale _x, _y;
        private readonly double _top;
        private readonly string? _onlyX; // where all points stand above one another

        public Plot(Axis horizontal, Axis vertical, List<Point>[] lines, double top)
        {
            double lowX = double.PositiveInfinity, lowY = lowX, highX = double.NegativeInfinity, highY = highX;
            foreach (List<Point> line in lines)
            {
                foreach (Point point in line)
                {
                    (lowX, highX) = (Math.Min(lowX, point.X), Math.Max(highX, point.X));
                    double low = Scale.Shows(vertical, point.Y - point.Error) ? point.Y - point.Error : point.Y;
                    double high = Scale.Shows(vertical, point.Y + point.Error) ? point.Y + point.Error : point.Y;
                    (lowY, highY) = (Math.Min(lowY, low), Math.Max(highY, high));
                }
            }
            (_horizontal, _top) = (horizontal, top);
            _onlyX = lowX == highX ? Markup.Number(lowX) : null;
            _y = Scale.Create(vertical, lowY, highY, MostYIntervals);
            double tickWidth = Widest(_y);
            for (int intervals = MostXIntervals; ; intervals--)
            {
                _x = Scale.Create(horizontal, lowX, highX, intervals);
                double widest = Widest(_x);
                Left = Math.Max(Edge + tickWidth + TickGap, widest / 2 + 4);
                Width = LineChart.Width - Left - Math.Max(Edge + TickGap, widest / 2 + 4);
                if (intervals <= 2 || (widest + LeastLabelGap) * _x.Intervals <= Width)
                    break;
            }
        }

        public double Left { get; }

        public double Width { get; }

        /// <summary>Where the picture ends.</summary>
        public double Bottom { get; private set; }

        public double At(Point point) => Left + (_onlyX is null ? _x.At(point.X) : 0.5) * Width;

        /// <summary>A step of a path to a point, or to where its error ends.</summary>
        public string Place(Point point, double error, string command) =>
            command + Markup.Coordinate(At(point)) + " " + Markup.Coordinate(_top + (1 - _y.At(point.Y + error)) * PlotHeight);

        /// <summary>Grid, ticks and the label of the horizontal axis.</summary>
        public void WriteAxes(StringBuilder body)
        {
            double bottom = _top + PlotHeight;
            for (int i = 0; i <= _y.Intervals; i++)
            {
                double y = bottom - PlotHeight * i / _y.Intervals;
                Path(body, i == 0 ? "axis" : "grid", $"M{Markup.Coordinate(Left)} {Markup.Coordinate(y)}h{Markup.Coordinate(Width)}");
                Text(body, Left - TickGap, y + 4.5, _y.Label(i), "minor", "end");
            }
            if (_onlyX is not null)
                Tick(0.5, _onlyX);
            else
            {
                for (int i = 0; i <= _x.Intervals; i++)
                    Tick((double)i / _x.Intervals, _x.Label(i));
            }
            double at = bottom + 26;
            foreach (string line in TextLines.Wrap(_horizontal.Label, ChartStyle.Text, LineChart.Width - 2 * Edge))
                Text(body, Left + Width / 2, at += Line, line, "", "middle");
            Bottom = at + Edge;

            void Tick(double place, string label)
            {
                double x = Left + Width * place;
                Path(body, "axis", $"M{Markup.Coordinate(x)} {Markup.Coordinate(bottom)}v5");
                Text(body, x, bottom + 20, label, "minor", "middle");
            }
        }

        private static double Widest(Scale scale)
        {
            double widest = 0;
            for (int i = 0; i <= scale.Intervals; i++)
                widest = Math.Max(widest, TextLines.Width(scale.Label(i), ChartStyle.Text));
            return widest;
        }
    }
}
