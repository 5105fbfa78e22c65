using System.Text;
using QedEdge.Cli.LineEditing;

namespace QedEdge.Tests.LineEditing;

/// <summary>A terminal as far as a line editor uses one: it wraps as it likes behind the last column, and when it gets narrower breaks lines that are too long, as most do.</summary>
internal sealed class ScreenModel(int rows, int columns)
{
    private readonly List<List<string>> _lines = [[]]; // cells; the second one of a wide character is ""
    private int _row, _column;

    /// <summary>All that was ever shown, line by line.</summary>
    public List<string> Lines => [.. _lines.Select(line => string.Concat(line).TrimEnd(' '))];

    public (int Row, int Column) Cursor => (_row, _column);

    private int Top => Math.Max(0, _lines.Count - rows);

    public void Write(string output)
    {
        for (int at = 0; at < output.Length;)
        {
            if (output[at] == '\e')
            {
                int end = at + 2;
                while (char.IsDigit(output[end]))
                    end++;
                int count = end > at + 2 ? int.Parse(output.AsSpan(at + 2, end - at - 2)) : 1;
                switch (output[end])
                {
                    case 'A':
                        _row = Math.Max(Top, _row - count);
                        break;
                    case 'C':
                        _column = Math.Min(columns - 1, _column + count);
                        break;
                    case 'J':
                        _lines.RemoveRange(_row + 1, _lines.Count - _row - 1);
                        _lines[_row].RemoveRange(Math.Min(_column, _lines[_row].Count), Math.Max(0, _lines[_row].Count - _column));
                        break;
                    default:
                        throw new InvalidOperationException(output[at..]);
                }
                at = end + 1;
                continue;
            }
            Rune rune = Rune.GetRuneAt(output, at);
            at += rune.Utf16SequenceLength;
            if (rune.Value == '\r')
                _column = 0;
            else if (rune.Value == '\n')
                Down();
            else
                Put(rune);
        }
    }

    public void Resize(int newRows, int newColumns)
    {
        (rows, columns) = (newRows, newColumns);
        for (int i = 0; i < _lines.Count; i++)
        {
            if (_lines[i].Count <= columns)
                continue;
            int length = _lines[i][columns] == "" ? columns - 1 : columns;
            _lines.Insert(i + 1, _lines[i][length..]);
            _lines[i].RemoveRange(length, _lines[i].Count - length);
            if (_row > i)
                _row++;
            else if (_row == i && _column >= length)
                (_row, _column) = (_row + 1, _column - length);
        }
        _column = Math.Min(_column, columns - 1);
    }

    private void Put(Rune rune)
    {
        int width = TextWidth.Of(rune);
        if (_column + width >= columns && width > 0)
            throw new InvalidOperationException("the last column is the cursor's alone");
        List<string> line = _lines[_row];
        while (line.Count < _column)
            line.Add(" ");
        if (width == 0)
        {
            line[line[_column - 1] == "" ? _column - 2 : _column - 1] += rune.ToString();
            return;
        }
        for (int i = 0; i < width; i++)
        {
            if (_column == line.Count)
                line.Add("");
            line[_column++] = i == 0 ? rune.ToString() : "";
        }
    }

    private void Down()
    {
        if (++_row == _lines.Count)
            _lines.Add([]);
    }
}
