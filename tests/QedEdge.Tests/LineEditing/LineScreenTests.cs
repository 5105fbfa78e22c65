using CsCheck;
using QedEdge.Cli.LineEditing;

namespace QedEdge.Tests.LineEditing;

/// <summary>What is sent to a terminal shows what is typed, whatever was shown before, and nothing else changes.</summary>
public sealed class LineScreenTests
{
    private const string Prompt = "> ", Before = "what was there";

    private static readonly string[] Texts = ["a", "word ", "漢字", "😀", "e\u0301", "\n", "x\n\ny", "\t", "abcdefghijklmnopqrstuvwxyz", "\u001b\u202e", "\u0301"];
    private static readonly Key[] Keys = [Key.Left, Key.Left, Key.WordLeft, Key.Right, Key.Home, Key.End, Key.Up, Key.Down, Key.Backspace, Key.Backspace, Key.DeleteToEnd, Key.DeleteWordLeft];
    private static readonly Gen<int[]> Steps = Gen.Int[0, Keys.Length + Texts.Length - 1].Array[1, 40];

    [Theory]
    [InlineData("", 0, 20, "> ", 0, 2)]
    [InlineData("abc", 1, 20, "> abc", 0, 3)]
    [InlineData("abcdefg", 7, 10, "> abcdefg", 0, 9)] // the last column is the cursor's
    [InlineData("abcdefgh", 8, 10, "> abcdefg|h", 1, 1)]
    [InlineData("abcdefgh", 7, 10, "> abcdefg|h", 1, 0)]
    [InlineData("abcdef漢", 6, 10, "> abcdef|漢", 1, 0)] // a wide character is not cut
    [InlineData("a\nb", 2, 10, "> a|… b", 1, 2)]
    [InlineData("a\n", 1, 10, "> a|… ", 0, 3)]
    [InlineData("a\u001bb", 3, 10, "> a\uFFFDb", 0, 5)]
    [InlineData("abcdefge\u0301", 9, 10, "> abcdefg|e\u0301", 1, 1)]
    public void Layout_IsRowsAndAPlace(string text, int cursor, int columns, string rows, int row, int column)
    {
        LineLayout layout = LineLayout.Of(Prompt, text, cursor, columns);
        Assert.Equal((rows, row, column), (string.Join('|', layout.Rows), layout.Row, layout.Column));
    }

    [Fact]
    public void Edits_AreShownAsTheyAre() => Gen.Select(Steps, Gen.Int[6, 40]).Sample((steps, columns) =>
    {
        const int rows = 1000;
        var shown = new Shown(rows, columns);
        foreach (int step in steps)
            shown.Apply(step);
        shown.AssertIsWhole();
    }, iter: 3000);

    [Fact]
    public void AfterAResize_AllIsShownAgain_AndNothingAboveIsTouched() => Gen.Select(Steps, Gen.Int[20, 60], Gen.Int[6, 60].Array[1, 4]).Sample((steps, columns, others) =>
    {
        const int rows = 1000;
        var shown = new Shown(rows, columns);
        int at = 0;
        foreach (int next in others)
        {
            for (int end = Math.Min(steps.Length, at + 10); at < end; at++)
                shown.Apply(steps[at]);
            shown.Resize(rows, next);
            shown.AssertIsWhole();
        }
    }, iter: 3000);

    [Fact]
    public void WhatIsHigherThanTheTerminal_IsShownAroundTheCursor() => Gen.Select(Steps, Gen.Int[6, 20], Gen.Int[1, 4]).Sample((steps, columns, rows) =>
    {
        var shown = new Shown(rows, columns);
        foreach (int step in steps)
        {
            shown.Apply(step);
            shown.AssertShowsTheCursor();
        }
        shown.Finish();
        shown.AssertEndsWithAll();
    }, iter: 3000);

    [Fact]
    public void WhatIsTypedAtTheEnd_IsAllThatIsSent()
    {
        var screen = new LineScreen();
        screen.Draw(LineLayout.Of(Prompt, "ab", 2, 20), 10);
        Assert.Equal("c", screen.Draw(LineLayout.Of(Prompt, "abc", 3, 20), 10));
        Assert.Equal("", screen.Draw(LineLayout.Of(Prompt, "abc", 3, 20), 10));
    }

    private sealed class Shown
    {
        private readonly EditBuffer _buffer = new();
        private readonly LineScreen _screen = new();
        private readonly ScreenModel _model;
        private int _rows, _columns;

        public Shown(int rows, int columns)
        {
            (_rows, _columns) = (rows, columns);
            _model = new ScreenModel(rows, 80);
            _model.Write(Before + "\r\n");
            _model.Resize(rows, columns);
            Draw();
        }

        private LineLayout Layout => LineLayout.Of(Prompt, _buffer.Text, _buffer.Cursor, _columns);

        public void Apply(int step)
        {
            if (step < Keys.Length)
                _buffer.Apply(Keys[step]);
            else
                _buffer.Insert(Texts[step - Keys.Length]);
            Draw();
        }

        public void Resize(int rows, int columns)
        {
            (_rows, _columns) = (rows, columns);
            _model.Resize(rows, columns);
            _screen.Resize(columns);
            Draw();
        }

        public void Finish()
        {
            _buffer.GoToEnd();
            _model.Write(_screen.Draw(Layout, int.MaxValue));
        }

        public void AssertIsWhole()
        {
            List<string> lines = _model.Lines;
            List<string> expected = Trimmed(Layout);
            Assert.Equal(expected, lines[^expected.Count..]);
            Assert.Equal(Before, string.Concat(lines[..^expected.Count]).Replace("whatwas", "what was").Replace("wasthere", "was there"));
            Assert.Equal((lines.Count - expected.Count + Layout.Row, Layout.Column), _model.Cursor);
        }

        public void AssertShowsTheCursor()
        {
            (int row, int column) = _model.Cursor;
            Assert.Equal((Trimmed(Layout)[Layout.Row], Layout.Column), (_model.Lines[row], column));
        }

        public void AssertEndsWithAll()
        {
            List<string> expected = Trimmed(Layout);
            Assert.Equal(expected, _model.Lines[^expected.Count..]);
        }

        private static List<string> Trimmed(LineLayout layout) => [.. layout.Rows.Select(row => row.TrimEnd(' '))];

        private void Draw() => _model.Write(_screen.Draw(Layout, _rows));
    }
}
