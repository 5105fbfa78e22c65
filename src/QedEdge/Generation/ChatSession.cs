using QedEdge.Chat;

namespace QedEdge.Generation;

/// <summary>What came of an answer.</summary>
public sealed class ChatResult
{
    internal ChatResult(GenerationResult generation, ChatAnswer answer) => (Generation, Answer) = (generation, answer);

    /// <summary>How it was generated.</summary>
    public GenerationResult Generation { get; }

    /// <summary>What was answered.</summary>
    public ChatAnswer Answer { get; }
}

/// <summary>
/// Answers conversations in a session. Each is written anew, as templates change what was said before; what it has in common with what the session holds is not computed again. A
/// conversation may be longer than a session that slides: the oldest of it is forgotten.
/// </summary>
public sealed class ChatSession
{
    private readonly Session _session;
    private readonly List<int> _held = []; // the tokens fed, those included that a sliding window left behind

    /// <summary>Uses a session, which stays the caller's.</summary>
    /// <param name="session">A session of a model with a chat template; nobody else may use it meanwhile.</param>
    /// <exception cref="QedException">The model has no chat template, or none that can be run.</exception>
    public ChatSession(Session session)
    {
        _session = session;
        Template = session.Model.RequireChatTemplate();
    }

    /// <summary>The model's chat template.</summary>
    public ChatTemplate Template { get; }

    /// <summary>Answers a conversation.</summary>
    /// <param name="conversation">What was said; the answer's message is to be added to it (<see cref="ChatAnswer.Message"/>).</param>
    /// <param name="options">How tokens are chosen.</param>
    /// <param name="stops">Texts that end an answer, besides the template's own.</param>
    /// <param name="show">Receives the answer piece by piece, or null.</param>
    /// <param name="cancellation">Ends the answer; what was shown is what was answered.</param>
    /// <exception cref="QedException">The template refuses the conversation.</exception>
    /// <exception cref="ContextLengthException">The conversation does not fit; nothing has changed.</exception>
    public ChatResult Answer(Conversation conversation, GenerationOptions options, IReadOnlyList<string> stops, AnswerHandler? show = null, CancellationToken cancellation = default)
    {
        RenderedText prompt = Template.Render(conversation, cancellation: cancellation);
        var reader = new AnswerReader(prompt.IsThinking, conversation.Tools is not null, show, conversation.NextCall);
        var text = GeneratedText.OfAnswer(_session.Model.Tokenizer, [.. stops, .. Template.StopTexts], reader.Append);
        GenerationResult result = Run(Template.Encode(prompt), options, text.Append, cancellation);
        text.End();
        return new ChatResult(result, reader.End());
    }

    /// <summary>Takes out of the session what is not of a conversation: a session saved afterwards does not hold what was taken back.</summary>
    /// <param name="conversation">What was said and is to stay.</param>
    /// <exception cref="QedException">The template refuses the conversation.</exception>
    public void KeepOnly(Conversation conversation)
    {
        int kept = Keep(Template.Encode(conversation, addGenerationPrompt: false));
        _held.RemoveRange(kept, _held.Count - kept);
    }

    /// <summary>Says that something else was done with the session meanwhile.</summary>
    public void Forget() => _held.Clear();

    private GenerationResult Run(int[] prompt, GenerationOptions options, Func<int, bool> append, CancellationToken cancellation)
    {
        int fed = Keep(prompt);
        _held.RemoveRange(fed, _held.Count - fed);
        _held.AddRange(prompt.AsSpan(fed));
        var chosen = new List<int>();
        try
        {
            return new Generator(_session, options).Run(prompt, (id, _) =>
            {
                chosen.Add(id);
                return append(id);
            }, cancellation, fed);
        }
        finally
        {
            _held.AddRange(chosen);
            _held.RemoveRange(_session.Position, _held.Count - _session.Position); // what was not fed
        }
    }

    /// <summary>Goes back to what the session has in common with a prompt; returns how many of its tokens need not be fed.</summary>
    private int Keep(int[] prompt)
    {
        if (_session.Position <= _session.Capacity || _held.Count != _session.Position) // or it was forgotten
        {
            int kept = _session.KeepCommonPrefix(prompt);
            _held.Clear();
            _held.AddRange(prompt.AsSpan(0, kept));
            return kept;
        }
        // The window has slid: the session does not know its first tokens any more, but has seen them.
        int common = 0;
        while (common < prompt.Length - 1 && common < _held.Count && _held[common] == prompt[common])
            common++;
        try
        {
            _session.Rollback(common);
        }
        catch (InvalidOptionException)
        {
            _session.Rollback(common = 0);
        }
        return common;
    }
}
