using QedEdge.Cli.LineEditing;
using QedEdge.Memory;

namespace QedEdge.Cli.Chat;

/// <summary>
/// Lines that somebody types on a terminal, edited there. The terminal is taken key by key only while a line is typed: whatever ends the program in an answer finds it as it was.
/// </summary>
internal sealed class TypedLines : IDisposable
{
    private const string PasteOn = "\e[?2004h", PasteOff = "\e[?2004l"; // pastes come between marks
    private const string ClearScreen = "\e[H\e[2J";
    private const int UsualColumns = 80, UsualRows = 24;

    private readonly Stream _input = StandardStreams.Input();
    private readonly byte[] _buffer = new byte[1 << 12];
    private readonly HistoryFile? _file;
    private readonly LineHistory _history;
    private readonly LineEditor _editor;
    private readonly KeyDecoder _keys = new();
    private readonly LineScreen _screen = new();
    private readonly Lock _gate = new(); // signals come on a thread of their own
    private readonly IDisposable?[] _signals;
    private string _prompt = "";
    private bool _isTyping;

    private TypedLines(HistoryFile? file)
    {
        _file = file;
        _history = new LineHistory(file?.Read() ?? []);
        _editor = new LineEditor(_history);
        _signals = TerminalKeys.Listen(onSize: () => Redraw(() => _screen.Resize(Columns)), onContinue: () => Redraw(_screen.Forget));
    }

    /// <summary>Whether the last line was given up with Ctrl-C.</summary>
    public bool IsCancelled { get; private set; }

    /// <summary>Whether it was for the second time in a row: to leave.</summary>
    public bool IsInterrupted { get; private set; }

    private static int Columns => StandardStreams.ErrorWidth ?? UsualColumns;

    /// <summary>Lines typed on the terminal of standard input and shown on that of standard error; null where these can do no more than lines.</summary>
    /// <param name="keepsHistory">Whether lines are kept for other sessions.</param>
    public static TypedLines? Open(bool keepsHistory) =>
        Terminal.MovesCursor && TerminalKeys.AreSupported ? new TypedLines(keepsHistory ? HistoryFile.Find() : null) : null;

    /// <summary>The next line, or null where there is none any more. A paste can have line ends.</summary>
    /// <param name="prompt">What stands before it.</param>
    /// <param name="isSecond">Whether a Ctrl-C as the first key is the second in a row.</param>
    public string? Read(string prompt, bool isSecond)
    {
        lock (_gate)
        {
            _prompt = prompt;
            _editor.Begin();
        }
        IsCancelled = false;
        if (!Begin())
            return null;
        try
        {
            while (true)
            {
                switch (Edit())
                {
                    case EditStop.Entered:
                        return _editor.Buffer.Text;
                    case EditStop.Interrupted:
                        IsInterrupted = isSecond && !_editor.IsUsed;
                        IsCancelled = true;
                        return IsInterrupted ? null : "";
                    case EditStop.Ended:
                        return null;
                    case EditStop.Suspended:
                        End();
                        TerminalKeys.Stop();
                        if (!Begin())
                            return null;
                        break;
                    case EditStop.NoKeys:
                        int count = _input.Read(_buffer);
                        if (count == 0)
                            return null;
                        _keys.Feed(_buffer.AsSpan(0, count));
                        break;
                }
            }
        }
        catch (IOException)
        {
            return null; // the terminal has gone
        }
        finally
        {
            End();
        }
    }

    /// <summary>Keeps what was entered, to go back to.</summary>
    public void Keep(string line)
    {
        if (_history.Add(line))
            _file?.Add(line);
    }

    /// <summary>Says something while a line is typed, and shows it again below.</summary>
    public void Say(string note) => Redraw(() =>
    {
        Terminal.Draw("\n");
        Terminal.Note(note);
        _screen.Forget();
    });

    /// <summary>Gives the terminal back where a signal is to end the program: .NET does the rest then.</summary>
    public void GiveBack()
    {
        if (Volatile.Read(ref _isTyping))
            Terminal.Draw(PasteOff + "\n");
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (IDisposable? signal in _signals)
            signal?.Dispose();
        _input.Dispose();
    }

    /// <summary>Uses the keys that have come, and shows what they did.</summary>
    private EditStop Edit()
    {
        lock (_gate)
        {
            EditStop stop = _editor.Apply(_keys);
            if (stop is EditStop.Entered or EditStop.Interrupted or EditStop.Suspended)
            {
                Show(int.MaxValue, _editor.Buffer.Text.Length);
                Terminal.Draw((stop == EditStop.Interrupted ? "^C" : stop == EditStop.Suspended ? "^Z" : "") + "\n");
                _screen.Forget();
                return stop;
            }
            if (stop == EditStop.Cleared)
            {
                Terminal.Draw(ClearScreen);
                _screen.Forget();
            }
            if (stop != EditStop.Ended)
                Show();
            return stop;
        }
    }

    private void Redraw(Action before)
    {
        lock (_gate)
        {
            if (_isTyping)
            {
                before();
                Show();
            }
        }
    }

    private void Show() => Show(StandardStreams.ErrorHeight ?? UsualRows, _editor.Buffer.Cursor);

    private void Show(int rows, int cursor) => Terminal.Draw(_screen.Draw(LineLayout.Of(_prompt, _editor.Buffer.Text, cursor, Columns), rows));

    private bool Begin()
    {
        lock (_gate)
        {
            _isTyping = TerminalKeys.Begin();
            if (_isTyping)
                Terminal.Draw(PasteOn);
            _screen.Forget();
            return _isTyping;
        }
    }

    private void End()
    {
        lock (_gate)
        {
            if (!_isTyping)
                return;
            _isTyping = false;
            Terminal.Draw(PasteOff);
            TerminalKeys.End();
        }
    }
}
