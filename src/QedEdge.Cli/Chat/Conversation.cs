using QedEdge.Generation;
using QedEdge.Text;

namespace QedEdge.Cli.Chat;

/// <summary>A conversation in QED's chat format, held by a session: each turn feeds only what is new.</summary>
/// <param name="session">An empty session; where it slides, the oldest of a long conversation is forgotten.</param>
/// <param name="tokenizer">The model's tokenizer.</param>
/// <param name="options">How answers are chosen.</param>
/// <param name="stops">Texts that end an answer, besides the tags of other roles.</param>
internal sealed class Conversation(Session session, Tokenizer tokenizer, GenerationOptions options, IReadOnlyList<string> stops)
{
    private readonly Generator _generator = new(session, options);
    private readonly string[] _stops = [.. stops, .. ChatTemplate.StopTexts];
    private readonly List<int> _unfed = []; // what the last turn chose and did not feed

    /// <summary>Tokens of the conversation.</summary>
    public int Position => session.Position;

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
    public void Reset()
    {
        session.Rollback(0);
        _unfed.Clear();
    }

    /// <summary>Writes the conversation to a file.</summary>
    /// <exception cref="QedException">It cannot be written.</exception>
    public void Save(string path, bool overwrite)
    {
        if (_unfed.Count > 0 && !session.IsFull)
        {
            session.Feed([.. _unfed]);
            _unfed.Clear();
        }
        session.Save(path, overwrite);
    }

    /// <summary>Goes on with a conversation that was written to a file.</summary>
    /// <exception cref="QedException">It cannot be read, or is of another model.</exception>
    public void Load(string path)
    {
        session.Restore(path);
        _unfed.Clear();
    }

    /// <summary>The token ids that a message of the user's adds.</summary>
    public int[] Prompt(string message)
    {
        bool first = session.Position == 0 && _unfed.Count == 0;
        List<ChatMessage> messages = first && System is not null ? [new ChatMessage("system", System)] : [];
        messages.Add(new ChatMessage("user", message));
        return [.. _unfed, .. ChatTemplate.Encode(tokenizer, messages, first)];
    }

    /// <summary>Answers a message.</summary>
    /// <param name="prompt">What <see cref="Prompt"/> gave for it.</param>
    /// <param name="show">Receives the answer piece by piece, no half characters, nothing of a stop text.</param>
    /// <param name="cancellation">Ends the answer; what was shown stays part of the conversation.</param>
    /// <exception cref="ContextLengthException">It does not fit; nothing has changed.</exception>
    public GenerationResult Answer(int[] prompt, TextHandler show, CancellationToken cancellation)
    {
        var text = new GeneratedText(tokenizer, _stops, show);
        int begin = session.Position, whole = 0; // tokens whose text was all shown
        var chosen = new List<int>();
        GenerationResult result = _generator.Run(prompt, (id, _) =>
        {
            chosen.Add(id);
            bool goesOn = text.Append(id);
            if (text.IsWhole)
                whole = chosen.Count;
            return goesOn;
        }, cancellation);
        text.End();
        if (result.Finish == FinishReason.Cancelled && chosen.Count == 0)
        {
            TryReturnTo(begin); // the message was not understood to its end
            return result;
        }
        int keep = text.IsStopped ? whole : chosen.Count, fed = session.Position - begin - prompt.Length;
        if (fed > keep)
            TryReturnTo(begin + prompt.Length + keep);
        _unfed.Clear();
        _unfed.AddRange(chosen.Take(keep).Skip(fed));
        return result;
    }

    /// <summary>Takes tokens back, unless a sliding window has passed them: then they stay, and the model sees a piece of a tag.</summary>
    private void TryReturnTo(int position)
    {
        try
        {
            session.Rollback(position);
        }
        catch (InvalidOptionException)
        {
        }
    }
}
