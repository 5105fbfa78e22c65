using System.Text;
using QedEdge.CommandLine;

namespace QedEdge.Cli.LineEditing;

/// <summary>
/// How a text that is being typed stands on a terminal: in rows, and where the cursor is. The last column stays free but for the cursor: what terminals do behind it differs.
/// </summary>
internal sealed class LineLayout
{
    private const int FewestColumns = 4; // a prompt, a wide character
    private const string More = "… ", Tab = "    ";

    private LineLayout() { }

    /// <summary>What stands in each row.</summary>
    public List<string> Rows { get; } = [];

    /// <summary>The cursor's row.</summary>
    public int Row { get; private set; }

    /// <summary>The cursor's column.</summary>
    public int Column { get; private set; }

    /// <summary>Lays a text out.</summary>
    /// <param name="prompt">What stands before it; before each further line of it stand as many columns of another.</param>
    /// <param name="text">The text.</param>
    /// <param name="cursor">The place in it, in UTF-16 units.</param>
    /// <param name="columns">Columns of the terminal.</param>
    public static LineLayout Of(string prompt, string text, int cursor, int columns)
    {
        int most = Math.Max(columns, FewestColumns) - 1, width = TextWidth.Of(prompt), at = 0;
        var layout = new LineLayout();
        var row = new StringBuilder(prompt);
        foreach (Rune rune in text.EnumerateRunes())
        {
            string shown = rune.Value == '\t' ? Tab : TerminalText.IsHidden(rune.Value) ? "\uFFFD" : rune.ToString();
            bool isEnd = rune.Value == '\n';
            int columnsOfIt = isEnd ? 0 : TextWidth.Of(shown);
            if (width + columnsOfIt > most)
                EndRow("");
            if (at == cursor)
                (layout.Row, layout.Column) = (layout.Rows.Count, width);
            at += rune.Utf16SequenceLength;
            if (isEnd)
            {
                EndRow(More);
                continue;
            }
            row.Append(shown);
            width += columnsOfIt;
        }
        if (cursor >= at)
            (layout.Row, layout.Column) = (layout.Rows.Count, width);
        layout.Rows.Add(row.ToString());
        return layout;

        void EndRow(string begin)
        {
            layout.Rows.Add(row.ToString());
            row.Clear().Append(begin);
            width = TextWidth.Of(begin);
        }
    }
}
