using System.Text;
using QedEdge.Memory;

namespace QedEdge.Cli.Chat;

/// <summary>Messages from standard input: a line each, longer ones with a backslash at the end of a line or between lines of three quotes.</summary>
internal sealed class ChatInput : IDisposable
{
    private const string Quotes = "\"\"\"";

    // The terminal edits lines; pipes work the same.
    private readonly StreamReader _reader = new(StandardStreams.Input(), new UTF8Encoding(false));

    private bool _isAtEnd;

    /// <summary>Whether somebody sits there.</summary>
    public bool IsTerminal { get; } = StandardStreams.InputIsTerminal && StandardStreams.ErrorIsTerminal;

    /// <inheritdoc/>
    public void Dispose() => _reader.Dispose();

    /// <summary>Shows where to type.</summary>
    public void Prompt(string text = "> ")
    {
        if (IsTerminal)
            Terminal.NotePart(text);
    }

    /// <summary>Leaves the line of the prompt that got no answer: the shell's begins at its own.</summary>
    public void End()
    {
        if (IsTerminal && _isAtEnd)
            Terminal.Note("");
    }

    /// <summary>Whether the last message was more than a line: then it is no command, whatever it begins with.</summary>
    public bool IsBlock { get; private set; }

    /// <summary>The next message, or null at the end.</summary>
    public string? Read()
    {
        Prompt();
        if (Line() is not { } line)
            return null;
        IsBlock = line.TrimEnd() == Quotes || line.EndsWith('\\');
        if (line.TrimEnd() == Quotes)
            return Block();
        var message = new StringBuilder();
        while (line.EndsWith('\\'))
        {
            message.Append(line, 0, line.Length - 1).Append('\n');
            Prompt("… ");
            if (Line() is not { } next)
                return message.ToString();
            line = next;
        }
        return message.Append(line).ToString();
    }

    private string Block()
    {
        var lines = new List<string>();
        Prompt("… ");
        while (Line() is { } line && line.TrimEnd() != Quotes)
        {
            lines.Add(line);
            Prompt("… ");
        }
        return string.Join('\n', lines);
    }

    private string? Line()
    {
        string? line = _reader.ReadLine();
        _isAtEnd = line is null;
        return line;
    }
}
