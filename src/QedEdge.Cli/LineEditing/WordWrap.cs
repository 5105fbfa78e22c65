using System.Text;
using QedEdge.CommandLine;

namespace QedEdge.Cli.LineEditing;

/// <summary>
/// Breaks lines between words while a text comes piece by piece: a word that does not fit any more is taken from the end of its line to the next one. Knows no terminal.
/// </summary>
internal sealed class WordWrap
{
    private const int Tab = 8;

    private readonly StringBuilder _word = new(); // since the last space
    private int _column;    // columns used in the line
    private int _wordWidth; // of them the word's

    /// <summary>Takes a piece.</summary>
    /// <param name="text">The piece, no half characters.</param>
    /// <param name="width">Columns of the terminal. The last one stays free: a cursor behind it stands in different places on different terminals.</param>
    /// <param name="show">Takes what is to be shown.</param>
    /// <param name="back">Takes how many columns at the end of the line are to be cleared, before the next line begins.</param>
    public void Write(ReadOnlySpan<char> text, int width, Action<string> show, Action<int> back)
    {
        var shown = new StringBuilder();
        foreach (Rune rune in text.EnumerateRunes())
        {
            if (rune.Value == '\n')
            {
                shown.Append('\n');
                Begin(0);
                continue;
            }
            bool isSpace = rune.Value is ' ' or '\t';
            int columns = rune.Value == '\t' ? Tab - _column % Tab : TerminalText.IsHidden(rune.Value) ? TerminalText.Escaped(rune).Length : TextWidth.Of(rune);
            if (_column + columns >= width)
            {
                if (isSpace)
                {
                    shown.Append('\n'); // in its place
                    Begin(0);
                    continue;
                }
                if (_wordWidth > 0 && _wordWidth < _column)
                {
                    show(shown.ToString());
                    shown.Clear();
                    back(_wordWidth);
                    shown.Append(_word);
                    _column = _wordWidth;
                }
                if (_column + columns >= width) // a word as long as the line
                {
                    shown.Append('\n');
                    Begin(0);
                }
            }
            shown.Append(rune.ToString());
            if (isSpace || columns > 1) // a line may break behind a wide character
            {
                Begin(_column + columns);
                continue;
            }
            _word.Append(rune.ToString());
            _column += columns;
            _wordWidth += columns;
        }
        show(shown.ToString());
    }

    private void Begin(int column)
    {
        _word.Clear();
        (_column, _wordWidth) = (column, 0);
    }
}
