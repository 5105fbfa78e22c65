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
    /// <summary>What begins another message: an answer has ended before it.</summary>
    public static readonly string[] Tags = ["<|user|>", "<|system|>", ChatTemplate.AnswerTag.TrimEnd()];

    private readonly string[] _stops = [.. stops, .. Tags];
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
        return [.. _unfed, .. Encode(tokenizer, messages, first)];
    }

    /// <summary>Messages and the question for an answer as token ids. Tags are ordinary text, and what a user writes is never a special token.</summary>
    /// <param name="tokenizer">The tokenizer.</param>
    /// <param name="messages">The messages.</param>
    /// <param name="first">Whether the conversation begins with them; else they follow an answer.</param>
    /// <exception cref="QedException">A role that the format does not have.</exception>
    public static List<int> Encode(Tokenizer tokenizer, IEnumerable<ChatMessage> messages, bool first)
    {
        var ids = new List<int>();
        string text = ChatTemplate.RenderPrompt(messages);
        tokenizer.Encode(first ? text : "\n" + text, ids, EncodeOptions.Plain | (first && tokenizer.BosId >= 0 ? EncodeOptions.AddBos : 0));
        return ids;
    }

    /// <summary>Answers a message.</summary>
    /// <param name="prompt">What <see cref="Prompt"/> gave for it.</param>
    /// <param name="show">Receives the answer piece by piece, no half characters, nothing of a stop text.</param>
    /// <param name="cancellation">Ends the answer; what was shown stays part of the conversation.</param>
    /// <exception cref="ContextLengthException">It does not fit; nothing has changed.</exception>
    public GenerationResult Answer(int[] prompt, SpanHandler show, CancellationToken cancellation)
    {
        var decoder = new StreamingDecoder(tokenizer);
        var stop = new StopFilter(_stops);
        int begin = session.Position, whole = 0; // tokens whose text was all shown
        var chosen = new List<int>();
        GenerationResult result = _generator.Run(prompt, (id, _) =>
        {
            chosen.Add(id);
            show(stop.Append(decoder.Append(id)));
            if (!stop.IsHolding && decoder.PendingBytes == 0)
                whole = chosen.Count;
            return !stop.Stopped;
        }, cancellation);
        show(stop.Append(decoder.Flush()));
        show(stop.Flush());
        if (result.Finish == FinishReason.Cancelled && chosen.Count == 0)
        {
            TryReturnTo(begin); // the message was not understood to its end
            return result;
        }
        int keep = stop.Stopped ? whole : chosen.Count, fed = session.Position - begin - prompt.Length;
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

/// <summary>Receives text; valid only during the call.</summary>
internal delegate void SpanHandler(ReadOnlySpan<char> text);
