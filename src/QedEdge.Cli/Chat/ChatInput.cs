using System.Text;
using QedEdge.Memory;

namespace QedEdge.Cli.Chat;

/// <summary>
/// Messages from standard input: a line each, longer ones with a backslash at the end of a line, between lines of three quotes, or pasted. On a terminal lines are edited
/// (<see cref="TypedLines"/>); what else standard input is, is read line by line.
/// </summary>
internal sealed class ChatInput : IDisposable
{
    private const string Quotes = "\"\"\"", First = "> ", More = "… ", Again = "(Ctrl-C again or Ctrl-D ends)";

    private readonly TypedLines? _typed;
    private readonly StreamReader? _reader;
    private bool _isAtEnd;
    private volatile bool _wasInterrupted; // signals come on a thread of their own

    /// <param name="keepsHistory">Whether what is typed is kept for other sessions.</param>
    public ChatInput(bool keepsHistory)
    {
        _typed = IsTerminal ? TypedLines.Open(keepsHistory) : null;
        _reader = _typed is null ? new(StandardStreams.Input(), new UTF8Encoding(false)) : null;
    }

    /// <summary>Whether somebody sits there.</summary>
    public bool IsTerminal { get; } = StandardStreams.InputIsTerminal && StandardStreams.ErrorIsTerminal;

    /// <summary>Whether the last message was more than a line: then it is no command, whatever it begins with.</summary>
    public bool IsBlock { get; private set; }

    /// <summary>Whether Ctrl-C was pressed twice in a row where there was no answer.</summary>
    public bool IsInterrupted => _typed is { IsInterrupted: true };

    /// <inheritdoc/>
    public void Dispose()
    {
        _typed?.Dispose();
        _reader?.Dispose();
    }

    /// <summary>Takes a Ctrl-C that came as a signal while there was no answer; says whether the program goes on: not after the second in a row that somebody pressed.</summary>
    public bool Interrupt()
    {
        if (_wasInterrupted && IsTerminal)
        {
            GiveBack();
            return false;
        }
        _wasInterrupted = true;
        Say(IsTerminal ? Again : "(/exit, or the input's end, ends)");
        return true;
    }

    /// <summary>Counts a Ctrl-C that stopped an answer as the first of two.</summary>
    public void CountStopped() => _wasInterrupted = true;

    private void Say(string note)
    {
        if (_typed is not null)
        {
            _typed.Say(note);
            return;
        }
        Terminal.Note("\n" + note);
        Prompt(First);
    }

    /// <summary>Gives the terminal back where a signal is to end the program.</summary>
    public void GiveBack() => _typed?.GiveBack();

    /// <summary>Leaves the line of the prompt that got no answer: the shell's begins at its own.</summary>
    public void End()
    {
        if (IsTerminal && _isAtEnd && !IsInterrupted)
            Terminal.Note("");
    }

    /// <summary>The next message, "" where one was given up, or null at the end.</summary>
    public string? Read()
    {
        string? message = ReadMessage();
        if (_typed is null)
            return message;
        if (!_typed.IsCancelled)
        {
            if (message is not null)
                _typed.Keep(message);
            return message;
        }
        if (_typed.IsInterrupted)
            return null;
        Terminal.Note(Again);
        return "";
    }

    private string? ReadMessage()
    {
        if (Line(First) is not { } line)
            return null;
        bool isPasted = line.Contains('\n');
        IsBlock = isPasted || line.TrimEnd() == Quotes || line.EndsWith('\\');
        if (isPasted)
            return line;
        if (line.TrimEnd() == Quotes)
            return Block();
        var message = new StringBuilder();
        while (line.EndsWith('\\'))
        {
            message.Append(line, 0, line.Length - 1).Append('\n');
            if (Line(More) is not { } next)
                return message.ToString();
            line = next;
        }
        return message.Append(line).ToString();
    }

    private string Block()
    {
        var lines = new List<string>();
        while (Line(More) is { } line && line.TrimEnd() != Quotes && _typed is not { IsCancelled: true })
            lines.Add(line);
        return string.Join('\n', lines);
    }

    private string? Line(string prompt)
    {
        if (_reader is not null)
            Prompt(prompt);
        string? line = _typed is not null ? _typed.Read(prompt, _wasInterrupted) : _reader!.ReadLine();
        (_isAtEnd, _wasInterrupted) = (line is null, _typed is { IsCancelled: true });
        return line;
    }

    private void Prompt(string text)
    {
        if (IsTerminal)
            Terminal.NotePart(text);
    }
}
