using System.Text;
using CsCheck;
using QedEdge.Cli.LineEditing;

namespace QedEdge.Tests.LineEditing;

/// <summary>Keys in, text and place out, against a list of characters that is edited the simplest way.</summary>
public sealed class EditBufferTests
{
    private const char Line = '\n';

    private static readonly Key[] Keys =
    [
        Key.Left, Key.Right, Key.WordLeft, Key.WordRight, Key.Home, Key.End, Key.Backspace, Key.Delete, Key.DeleteToEnd, Key.DeleteToStart, Key.DeleteWordLeft, Key.DeleteWordRight, Key.Up, Key.Down,
    ];

    private static readonly string[] Texts = ["a", "Wort", " ", "  ", "ü", "漢", "😀", "e\u0301", ", ", "\n", "x\ny", "7", "\t"];

    [Fact]
    public void AnyKeys_DoWhatTheyDoToAListOfCharacters() => Gen.Int[0, Keys.Length + Texts.Length - 1].Array[1, 60].Sample(steps =>
    {
        var buffer = new EditBuffer();
        var model = new Model();
        foreach (int step in steps)
        {
            if (step >= Keys.Length)
            {
                buffer.Insert(Texts[step - Keys.Length]);
                model.Insert(Texts[step - Keys.Length]);
            }
            else
            {
                Assert.Equal(model.Apply(Keys[step]), buffer.Apply(Keys[step]));
            }
            Assert.Equal((model.Text, model.Cursor), (buffer.Text, buffer.Cursor));
        }
    }, iter: 3000);

    [Fact]
    public void Set_GoesBehindTheText()
    {
        var buffer = new EditBuffer();
        buffer.Set("ab\nc");
        Assert.Equal(4, buffer.Cursor);
        Assert.True(buffer.Apply(Key.Up));
        Assert.Equal(1, buffer.Cursor);
        Assert.False(buffer.Apply(Key.Up)); // the first line: history's
    }

    private sealed class Model
    {
        private readonly List<Rune> _runes = [];
        private int _at;

        public string Text => string.Concat(_runes);

        public int Cursor => _runes.Take(_at).Sum(rune => rune.Utf16SequenceLength);

        private int Start => _at == 0 ? 0 : _runes.FindLastIndex(_at - 1, _at, IsLineEnd) + 1;

        private int End => _runes.FindIndex(_at, IsLineEnd) is var end && end < 0 ? _runes.Count : end;

        public void Insert(string text)
        {
            Rune[] runes = [.. text.EnumerateRunes()];
            _runes.InsertRange(_at, runes);
            _at += runes.Length;
        }

        public bool Apply(Key key)
        {
            switch (key)
            {
                case Key.Up:
                    if (Start == 0)
                        return false;
                    int column = _at - Start, end = Start - 1;
                    _at = end;
                    _at = Math.Min(Start + column, end);
                    return true;
                case Key.Down:
                    if (End == _runes.Count)
                        return false;
                    int into = _at - Start;
                    _at = End + 1;
                    _at = Math.Min(_at + into, End);
                    return true;
                case Key.Backspace or Key.DeleteToStart or Key.DeleteWordLeft:
                    int begin = key == Key.Backspace ? Math.Max(0, _at - 1) : key == Key.DeleteToStart ? Start : Left(Rune.IsWhiteSpace, rune => !Rune.IsWhiteSpace(rune));
                    _runes.RemoveRange(begin, _at - begin);
                    _at = begin;
                    return true;
                case Key.Delete or Key.DeleteToEnd or Key.DeleteWordRight:
                    int last = key == Key.Delete ? Math.Min(_runes.Count, _at + 1) : key == Key.DeleteToEnd ? End : Right();
                    _runes.RemoveRange(_at, last - _at);
                    return true;
                default:
                    _at = key switch
                    {
                        Key.Left => Math.Max(0, _at - 1),
                        Key.Right => Math.Min(_runes.Count, _at + 1),
                        Key.WordLeft => Left(rune => !Rune.IsLetterOrDigit(rune), Rune.IsLetterOrDigit),
                        Key.WordRight => Right(),
                        Key.Home => Start,
                        _ => End,
                    };
                    return true;
            }
        }

        private static bool IsLineEnd(Rune rune) => rune.Value == Line;

        private int Left(Predicate<Rune> between, Predicate<Rune> word)
        {
            int at = _at;
            while (at > 0 && between(_runes[at - 1]))
                at--;
            while (at > 0 && word(_runes[at - 1]))
                at--;
            return at;
        }

        private int Right()
        {
            int at = _at;
            while (at < _runes.Count && !Rune.IsLetterOrDigit(_runes[at]))
                at++;
            while (at < _runes.Count && Rune.IsLetterOrDigit(_runes[at]))
                at++;
            return at;
        }
    }
}
