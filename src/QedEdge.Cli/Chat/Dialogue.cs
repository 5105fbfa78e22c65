using System.Text;
using QedEdge.Chat;
using QedEdge.Generation;
using QedEdge.Machine;
using QedEdge.Memory;

namespace QedEdge.Cli.Chat;

/// <summary>A conversation with somebody who types, or with a program, held by a session.</summary>
/// <param name="session">An empty session; where it slides, the oldest of a long conversation is forgotten.</param>
/// <param name="stops">Texts that end an answer, besides the chat template's.</param>
internal sealed class Dialogue(Session session, IReadOnlyList<string> stops)
{
    private readonly ChatSession _chat = new(session);
    private readonly DateTime _begun = LocalTime.Now; // templates that write the date write one through all of it
    private readonly List<ChatMessage> _messages = [];
    private string? _system;

    /// <summary>Tokens that the session has seen.</summary>
    public int Position => session.Position;

    /// <summary>Tokens that it can hold.</summary>
    public int Capacity => session.Capacity;

    /// <summary>Messages so far, the system message not counted.</summary>
    public int Count => _messages.Count;

    /// <summary>Whether the model thinks before it answers, or null for the template's default.</summary>
    public bool? Thinks { get; set; }

    /// <summary>The tools that may be called: a JSON array in OpenAI's form, or null.</summary>
    public string? Tools { get; set; }

    /// <summary>Further variables of the template: a JSON object, or null.</summary>
    public string? Variables { get; set; }

    /// <summary>Whether there is a message that was answered.</summary>
    public bool HasQuestion => _messages.Exists(static message => message.Role == "user");

    /// <summary>Calls of tools that have no result yet.</summary>
    public int OpenCalls
    {
        get
        {
            int last = _messages.FindLastIndex(static message => message.Role == "assistant");
            int results = 0;
            for (int i = last + 1; i < _messages.Count; i++)
                results += _messages[i].Role == "tool" ? 1 : 0;
            return last < 0 ? 0 : Math.Max(0, _messages[last].ToolCalls.Count - results);
        }
    }

    /// <summary>The message that stands before the conversation, or null. A new one begins a new conversation.</summary>
    public string? System
    {
        get => _system;
        set
        {
            _system = value;
            Reset();
        }
    }

    /// <summary>Forgets everything but the system message, in the session too: what is saved later must not hold it.</summary>
    public void Reset()
    {
        _messages.Clear();
        session.Rollback(0);
        _chat.Forget();
    }

    /// <summary>Takes back the last question and its answer, in the session too; returns the question, or null where there is none.</summary>
    public string? Undo()
    {
        if (TakeBack() is not { } question)
            return null;
        if (_messages.Count == 0)
            Reset();
        else
            _chat.KeepOnly(Of(All()));
        return question;
    }

    /// <summary>Answers the last question anew, of which there is one (<see cref="HasQuestion"/>); where that comes to nothing, the answer that it had stays.</summary>
    /// <inheritdoc cref="Answer"/>
    public ChatResult AnswerAgain(GenerationOptions options, AnswerHandler? show, CancellationToken cancellation)
    {
        ChatMessage[] before = [.. _messages];
        var question = new ChatMessage("user", TakeBack()!);
        int taken = _messages.Count;
        try
        {
            return Answer(question, options, show, cancellation);
        }
        finally
        {
            if (_messages.Count == taken) // nothing was answered
                _messages.AddRange(before[taken..]);
        }
    }

    private string? TakeBack()
    {
        int last = _messages.FindLastIndex(static message => message.Role == "user");
        if (last < 0)
            return null;
        string question = _messages[last].Content;
        _messages.RemoveRange(last, _messages.Count - last);
        return question;
    }

    /// <summary>Writes the conversation to a file: its messages, and what the session computed of them.</summary>
    /// <exception cref="QedException">It cannot be written.</exception>
    public void Save(string path, bool overwrite) => session.SaveWithNote(path, overwrite, flush: true, MessagesText.Write(All()));

    /// <summary>Writes what was said to a file as Markdown, for people.</summary>
    /// <exception cref="QedException">It is there already, or cannot be written.</exception>
    public void SaveText(string path)
    {
        using var file = new AtomicFile(path, overwrite: false, isPrivate: true);
        file.Fill(stream => stream.Write(Encoding.UTF8.GetBytes(MessagesText.Markdown(All()))));
    }

    /// <summary>Goes on with a conversation that was written to a file.</summary>
    /// <exception cref="QedException">It cannot be read, is of another model, or was written by something else.</exception>
    public void Load(string path)
    {
        IReadOnlyList<ChatMessage> messages = [];
        session.RestoreWithNote(path, note => messages = note.Length > 0 ? Conversation.Parse(note).Messages : throw new QedException($"{path}: holds no messages; only what /save has written can be gone on with"));
        _chat.Forget();
        bool hasSystem = messages is [{ Role: "system" }, ..];
        _system = hasSystem ? messages[0].Content : null;
        _messages.Clear();
        for (int i = hasSystem ? 1 : 0; i < messages.Count; i++)
            _messages.Add(messages[i]);
    }

    /// <summary>The token ids that a message adds to what the session holds.</summary>
    public int[] Prompt(ChatMessage message)
    {
        int[] ids = _chat.Template.Encode(With(message));
        return ids[session.CommonPrefix(ids)..];
    }

    /// <summary>Takes a message that is not answered.</summary>
    public void Add(ChatMessage message) => _messages.Add(message);

    /// <summary>Answers a message.</summary>
    /// <param name="message">What was said.</param>
    /// <param name="options">How tokens are chosen.</param>
    /// <param name="show">Receives the answer piece by piece, no half characters, nothing of a stop text; or null.</param>
    /// <param name="cancellation">Ends the answer; what was shown stays part of the conversation.</param>
    /// <exception cref="ContextLengthException">It does not fit; nothing has changed.</exception>
    public ChatResult Answer(ChatMessage message, GenerationOptions options, AnswerHandler? show, CancellationToken cancellation)
    {
        ChatResult result = _chat.Answer(With(message), options, stops, show, cancellation);
        if (result.Generation is not { Finish: FinishReason.Cancelled, GeneratedTokens: 0 }) // else the message was not understood to its end
        {
            _messages.Add(message);
            _messages.Add(result.Answer.Message);
        }
        return result;
    }

    private Conversation With(ChatMessage message) => Of([.. All(), message]);

    private Conversation Of(IReadOnlyList<ChatMessage> messages) => new() { Messages = messages, Tools = Tools, EnableThinking = Thinks, Variables = Variables, Now = _begun };

    private List<ChatMessage> All() => System is null ? _messages : [new ChatMessage("system", System), .. _messages];
}
