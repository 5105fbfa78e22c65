using System.Globalization;
using System.Text;

namespace QedEdge.Cli.LineEditing;

/// <summary>What is to be sent to a terminal so that it shows a text that is being typed, from the row on where it began to.</summary>
internal sealed class LineScreen
{
    private LineLayout? _drawn;
    private int _top; // the first row of it that is shown
    private int _up;  // rows of the terminal from there to the cursor

    /// <summary>Shows a layout in place of what was shown before.</summary>
    /// <param name="layout">The layout.</param>
    /// <param name="rows">Rows of the terminal; of a layout with more those around the cursor are shown.</param>
    public string Draw(LineLayout layout, int rows)
    {
        int top = Math.Clamp(_top, Math.Max(0, layout.Row - rows + 1), Math.Min(layout.Row, Math.Max(0, layout.Rows.Count - rows))), count = Math.Min(rows, layout.Rows.Count - top);
        string? more = _drawn is { } drawn && top == _top && layout.Row - top == _up ? Appended(drawn, layout) : null;
        var output = new StringBuilder(more);
        if (more is null)
        {
            output.Append('\r');
            Move(output, _up, 'A');
            output.Append("\e[J");
            for (int i = 0; i < count; i++)
                output.Append(i > 0 ? "\r\n" : "").Append(layout.Rows[top + i]);
            Move(output, top + count - 1 - layout.Row, 'A');
            output.Append('\r');
            Move(output, layout.Column, 'C');
        }
        (_drawn, _top, _up) = (layout, top, layout.Row - top);
        return output.ToString();
    }

    /// <summary>The terminal has other columns now: of a narrower one, rows that were too long stand in several.</summary>
    public void Resize(int columns)
    {
        if (_drawn is not { } drawn)
            return;
        _up = RowsBefore(drawn.Rows[drawn.Row], drawn.Column, columns);
        for (int i = _top; i < drawn.Row; i++)
            _up += RowsBefore(drawn.Rows[i], int.MaxValue, columns) + 1;
    }

    /// <summary>Something else stands there now: the next layout is shown from the cursor's row on.</summary>
    public void Forget() => (_drawn, _top, _up) = (null, 0, 0);

    /// <summary>How often a terminal breaks a row before a column of it.</summary>
    private static int RowsBefore(string row, int column, int columns)
    {
        int breaks = 0, width = 0, at = 0;
        foreach (Rune rune in row.EnumerateRunes())
        {
            int own = TextWidth.Of(rune);
            if (width + own > columns)
                (breaks, width) = (breaks + 1, 0);
            if (at >= column && own > 0)
                break;
            width += own;
            at += own;
        }
        return breaks;
    }

    /// <summary>What was added at the end of what is drawn, or null where something else has changed.</summary>
    private static string? Appended(LineLayout drawn, LineLayout layout)
    {
        int last = drawn.Rows.Count - 1;
        if (layout.Rows.Count != drawn.Rows.Count || drawn.Row != last || layout.Row != last || !layout.Rows[last].StartsWith(drawn.Rows[last], StringComparison.Ordinal)
            || drawn.Column != TextWidth.Of(drawn.Rows[last]) || layout.Column != TextWidth.Of(layout.Rows[last]))
            return null;
        for (int i = 0; i < last; i++)
        {
            if (layout.Rows[i] != drawn.Rows[i])
                return null;
        }
        return layout.Rows[last][drawn.Rows[last].Length..];
    }

    private static void Move(StringBuilder output, int count, char direction)
    {
        if (count > 0)
            output.Append("\e[").Append(count.ToString(CultureInfo.InvariantCulture)).Append(direction);
    }
}
