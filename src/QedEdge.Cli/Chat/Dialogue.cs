using QedEdge.Chat;
using QedEdge.Generation;
using QedEdge.Machine;

namespace QedEdge.Cli.Chat;

/// <summary>A conversation with somebody who types, held by a session.</summary>
/// <param name="session">An empty session; where it slides, the oldest of a long conversation is forgotten.</param>
/// <param name="stops">Texts that end an answer, besides the chat template's.</param>
/// <param name="thinks">Whether the model thinks before it answers, or null for the template's default.</param>
internal sealed class Dialogue(Session session, IReadOnlyList<string> stops, bool? thinks)
{
    private readonly ChatSession _chat = new(session);
    private readonly DateTime _begun = LocalTime.Now; // templates that write the date write one through all of it
    private readonly List<ChatMessage> _messages = [];

    /// <summary>Tokens that the session has seen.</summary>
    public int Position => session.Position;

    /// <summary>Messages so far, the system message not counted.</summary>
    public int Count => _messages.Count;

    /// <summary>The message that stands before the conversation, or null. A new one begins a new conversation.</summary>
    public string? System
    {
        get;
        set
        {
            field = value;
            Reset();
        }
    }

    /// <summary>Forgets everything but the system message.</summary>
    public void Reset() => _messages.Clear();

    /// <summary>Takes back the last question and its answer; returns the question, or null where there is none.</summary>
    public string? Undo()
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

    /// <summary>Goes on with a conversation that was written to a file.</summary>
    /// <exception cref="QedException">It cannot be read, is of another model, or was written by something else.</exception>
    public void Load(string path)
    {
        IReadOnlyList<ChatMessage> messages = [];
        session.RestoreWithNote(path, note => messages = note.Length > 0 ? Conversation.Parse(note).Messages : throw new QedException($"{path}: holds no messages; only what /save has written can be gone on with"));
        _chat.Forget();
        bool hasSystem = messages is [{ Role: "system" }, ..];
        System = hasSystem ? messages[0].Content : null;
        for (int i = hasSystem ? 1 : 0; i < messages.Count; i++)
            _messages.Add(messages[i]);
    }

    /// <summary>The token ids that a message of the user's adds to what the session holds.</summary>
    public int[] Prompt(string message)
    {
        int[] ids = _chat.Template.Encode(With(new("user", message)));
        return ids[session.CommonPrefix(ids)..];
    }

    /// <summary>Answers a message.</summary>
    /// <param name="message">What the user says.</param>
    /// <param name="options">How tokens are chosen.</param>
    /// <param name="show">Receives the answer piece by piece, no half characters, nothing of a stop text.</param>
    /// <param name="cancellation">Ends the answer; what was shown stays part of the conversation.</param>
    /// <exception cref="ContextLengthException">It does not fit; nothing has changed.</exception>
    public GenerationResult Answer(string message, GenerationOptions options, AnswerHandler show, CancellationToken cancellation)
    {
        var question = new ChatMessage("user", message);
        ChatResult result = _chat.Answer(With(question), options, stops, show, cancellation);
        if (result.Generation is not { Finish: FinishReason.Cancelled, GeneratedTokens: 0 }) // else the message was not understood to its end
        {
            _messages.Add(question);
            _messages.Add(result.Answer.Message);
        }
        return result.Generation;
    }

    private Conversation With(ChatMessage question) => new() { Messages = [.. All(), question], EnableThinking = thinks, Now = _begun };

    private List<ChatMessage> All() => System is null ? _messages : [new ChatMessage("system", System), .. _messages];
}
