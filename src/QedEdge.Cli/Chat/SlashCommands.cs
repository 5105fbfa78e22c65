using System.Globalization;
using QedEdge.CommandLine;
using QedEdge.Memory;

namespace QedEdge.Cli.Chat;

/// <summary>What can be typed besides messages: lines that begin with a slash.</summary>
/// <param name="conversation">The conversation.</param>
/// <param name="settings">How answers are generated.</param>
/// <param name="file">The file that it came from, or null.</param>
internal sealed class SlashCommands(Dialogue conversation, ChatSettings settings, string? file)
{
    private const string TextEnding = ".md";

    private const string Help = """
        /reset           forget the conversation
        /undo            take back the last message and its answer
        /retry           answer the last message again
        /system TEXT     begin anew with this system message (none: without)
        /set NAME VALUE  generate otherwise, by the options' names: /set temp 0.7; /set alone lists all
        /status          tokens and context used
        /save FILE       write the conversation to a file; FILE.md for people to read, any other to go on with
        /load FILE       go on with one that was written
        /help            this list
        /exit            end, as Ctrl-D does, or Ctrl-C twice; Ctrl-C stops an answer, and clears the line
        A line that ends with \ goes on in the next one, as after Alt-Enter; lines between two lines of three quotes are one message, and so is a paste.
        Up and Down bring what was typed before, Ctrl and an arrow go by words; Ctrl-A, E, K, U, W and L do what they do in a shell.
        """;

    private string? _file = file;

    /// <summary>Does what a line says; false where it says to end.</summary>
    /// <exception cref="QedException">It cannot be done.</exception>
    public bool Obey(string line)
    {
        string[] words = line.TrimEnd().Split(' ', 2, StringSplitOptions.TrimEntries);
        string rest = words.Length > 1 ? words[1] : "";
        switch (words[0])
        {
            case "/exit" or "/quit":
                return false;
            case "/help":
                Terminal.NoteWords(Help);
                return true;
            case "/reset":
                conversation.Reset();
                return true;
            case "/retry": // where there is nothing to answer again, or more was typed
                Terminal.Note(rest.Length > 0 ? "error: /retry takes nothing; write the message anew instead" : "error: no message was answered yet");
                return true;
            case "/undo":
                Terminal.Note(conversation.Undo() is { } question ? $"taken back: {TerminalText.OneLine(question)}" : "error: no message was answered yet");
                return true;
            case "/set":
                Set(rest);
                return true;
            case "/status":
                Terminal.Note(Status());
                return true;
            case "/system":
                conversation.System = rest.Length > 0 ? rest : null;
                return true;
            case "/save" or "/load" when rest.Contains('\uFFFD') && !FileStatus.Exists(rest): // what was typed was something else
                Terminal.Note($"error: the file's name is no UTF-8; {words[0]} takes another");
                return true;
            case "/save" when rest == "-":
                Terminal.Note("error: /save takes a file, and no standard output; a file of that name is ./-");
                return true;
            case "/save" when rest.EndsWith(TextEnding, StringComparison.OrdinalIgnoreCase):
                conversation.SaveText(rest);
                Terminal.Note($"{TerminalText.OneLine(rest)}: {conversation.Count} messages");
                return true;
            case "/save" when rest.Length > 0:
                if (rest != _file && FileStatus.Exists(rest)) // a file of this conversation's is its own
                    throw new QedException($"{rest}: exists already; save it under another name");
                conversation.Save(rest, overwrite: rest == _file);
                IsOf(rest);
                return true;
            case "/load" when rest.Length > 0:
                conversation.Load(rest);
                IsOf(rest);
                return true;
            case "/save" or "/load":
                Terminal.Note($"error: {words[0]} needs a file name");
                return true;
            default:
                Terminal.Note($"error: unknown: {TerminalText.OneLine(words[0])}; /help lists what there is (a message cannot begin with /; put a space before it)");
                return true;
        }
    }

    private void IsOf(string file)
    {
        _file = file;
        Terminal.Note($"{file}: {conversation.Position} tokens");
    }

    private void Set(string words)
    {
        try
        {
            if (settings.Set(words) is { } said)
                Terminal.Note(said);
        }
        catch (UsageException e)
        {
            Terminal.Note("error: " + TerminalText.OneLine(e.Message));
        }
    }

    private string Status()
    {
        int used = Math.Min(conversation.Position, conversation.Capacity), forgotten = conversation.Position - used;
        string rest = forgotten > 0 ? $", the oldest {forgotten} forgotten" : "";
        return string.Create(CultureInfo.InvariantCulture, $"{conversation.Count} messages, {used} of the context's {conversation.Capacity} tokens ({100.0 * used / conversation.Capacity:0} %){rest}");
    }
}
