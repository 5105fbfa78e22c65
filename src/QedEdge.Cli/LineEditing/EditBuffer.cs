using System.Text;

namespace QedEdge.Cli.LineEditing;

/// <summary>A text that is being typed, and the place in it where one is. One moves and deletes by characters, which are code points.</summary>
internal sealed class EditBuffer
{
    /// <summary>The text; lines are parted by \n.</summary>
    public string Text { get; private set; } = "";

    /// <summary>UTF-16 units before the place; never within a character.</summary>
    public int Cursor { get; private set; }

    private int LineStart => Text.AsSpan(0, Cursor).LastIndexOf('\n') + 1;

    private int LineEnd => Text.IndexOf('\n', Cursor) is var end && end < 0 ? Text.Length : end;

    /// <summary>Takes another text, with the place behind it.</summary>
    public void Set(string text) => (Text, Cursor) = (text, text.Length);

    /// <summary>Puts text in at the place.</summary>
    public void Insert(string text)
    {
        Text = Text.Insert(Cursor, text);
        Cursor += text.Length;
    }

    /// <summary>Goes behind the text.</summary>
    public void GoToEnd() => Cursor = Text.Length;

    /// <summary>Does what a key says; false for one that says nothing of a text, and for Up and Down beyond its first and last line.</summary>
    public bool Apply(Key key)
    {
        switch (key)
        {
            case Key.Left:
                Cursor = Before(Cursor);
                return true;
            case Key.Right:
                Cursor = Behind(Cursor);
                return true;
            case Key.WordLeft:
                Cursor = WordBefore();
                return true;
            case Key.WordRight:
                Cursor = WordBehind();
                return true;
            case Key.Home:
                Cursor = LineStart;
                return true;
            case Key.End:
                Cursor = LineEnd;
                return true;
            case Key.Up when LineStart > 0:
                GoToLine(Text.AsSpan(0, LineStart - 1).LastIndexOf('\n') + 1);
                return true;
            case Key.Down when LineEnd < Text.Length:
                GoToLine(LineEnd + 1);
                return true;
            case Key.Backspace:
                Delete(Before(Cursor), Cursor);
                return true;
            case Key.Delete:
                Delete(Cursor, Behind(Cursor));
                return true;
            case Key.DeleteToEnd:
                Delete(Cursor, LineEnd);
                return true;
            case Key.DeleteToStart:
                Delete(LineStart, Cursor);
                return true;
            case Key.DeleteWordLeft:
                Delete(SpacedWordBefore(), Cursor);
                return true;
            case Key.DeleteWordRight:
                Delete(Cursor, WordBehind());
                return true;
            default:
                return false;
        }
    }

    private void Delete(int begin, int end)
    {
        Text = Text.Remove(begin, end - begin);
        Cursor = begin;
    }

    /// <summary>Goes as many characters into a line as into the one before, or to its end.</summary>
    private void GoToLine(int start)
    {
        int characters = 0;
        for (int at = LineStart; at < Cursor; at = Behind(at))
            characters++;
        Cursor = start;
        for (; characters > 0 && Cursor < LineEnd; characters--)
            Cursor = Behind(Cursor);
    }

    private int Before(int at) => at - (at > 1 && char.IsSurrogatePair(Text[at - 2], Text[at - 1]) ? 2 : Math.Min(at, 1));

    private int Behind(int at) => at + (at + 1 < Text.Length && char.IsSurrogatePair(Text[at], Text[at + 1]) ? 2 : Math.Min(Text.Length - at, 1));

    private int WordBefore()
    {
        int at = Cursor;
        while (at > 0 && !IsOfWord(Before(at)))
            at = Before(at);
        while (at > 0 && IsOfWord(Before(at)))
            at = Before(at);
        return at;
    }

    private int WordBehind()
    {
        int at = Cursor;
        while (at < Text.Length && !IsOfWord(at))
            at = Behind(at);
        while (at < Text.Length && IsOfWord(at))
            at = Behind(at);
        return at;
    }

    private int SpacedWordBefore()
    {
        int at = Cursor;
        while (at > 0 && char.IsWhiteSpace(Text[at - 1]))
            at--;
        while (at > 0 && !char.IsWhiteSpace(Text[at - 1]))
            at--;
        return at;
    }

    private bool IsOfWord(int at) => Rune.TryGetRuneAt(Text, at, out Rune rune) && Rune.IsLetterOrDigit(rune);
}
