using System.Text;

namespace QedEdge.Text;

/// <summary>
/// QED's chat format: for each message <c>&lt;|role|&gt;\n{content}\n</c>, then <c>&lt;|assistant|&gt;\n</c> to ask for an answer,
/// which ends at the end-of-text token. The tags are ordinary text. The begin-of-text token comes first and is added by
/// <see cref="Encode"/>, not to the text.
/// </summary>
public static class ChatTemplate
{
    /// <summary>The format as the Jinja template that model files carry for other programs.</summary>
    public const string Jinja =
        "{{ bos_token }}{% for message in messages %}{{ '<|' + message['role'] + '|>\\n' + message['content'] + '\\n' }}{% endfor %}"
        + "{% if add_generation_prompt %}{{ '<|assistant|>\\n' }}{% endif %}";

    /// <summary>What follows the messages to ask for an answer.</summary>
    public const string AnswerTag = "<|assistant|>\n";

    /// <summary>What begins another message: an answer has ended before it.</summary>
    public static IReadOnlyList<string> StopTexts { get; } = ["<|user|>", "<|system|>", AnswerTag.TrimEnd()];

    private static readonly string[] Roles = ["system", "user", "assistant"];

    /// <summary>Checks that a model file asks for this format.</summary>
    /// <param name="tokenizer">The model file's tokenizer; without a template text, QED's is meant.</param>
    /// <param name="file">The file's name, for the error.</param>
    /// <exception cref="QedException">The file asks for another format. Templates are recognised, not run.</exception>
    public static void EnsureSupported(Tokenizer tokenizer, string file)
    {
        if (tokenizer.ChatTemplateText is not (null or Jinja))
            throw new QedException($"{file}: the chat template is not QED's, and others are not supported; use plain generation, or convert without the template");
    }

    /// <summary>The messages as text, without asking for an answer.</summary>
    /// <param name="messages">Roles system, user, assistant.</param>
    /// <exception cref="QedException">A role that the format does not have.</exception>
    public static string Render(IEnumerable<ChatMessage> messages)
    {
        var text = new StringBuilder();
        foreach (var message in messages)
        {
            if (!Roles.Contains(message.Role))
                throw new QedException($"chat role '{message.Role}' is unknown; it must be system, user or assistant");
            text.Append("<|").Append(message.Role).Append("|>\n").Append(message.Content).Append('\n');
        }
        return text.ToString();
    }

    /// <summary>The messages as text, and the tag that asks for an answer.</summary>
    /// <param name="messages">Roles system, user, assistant.</param>
    /// <exception cref="QedException">A role that the format does not have.</exception>
    public static string RenderPrompt(IEnumerable<ChatMessage> messages) => Render(messages) + AnswerTag;

    /// <summary>Messages and the question for an answer as token ids. Tags are ordinary text, and what a user writes is never a special token.</summary>
    /// <param name="tokenizer">The tokenizer.</param>
    /// <param name="messages">The messages.</param>
    /// <param name="first">Whether the conversation begins with them; else they follow an answer.</param>
    /// <exception cref="QedException">A role that the format does not have.</exception>
    public static List<int> Encode(Tokenizer tokenizer, IEnumerable<ChatMessage> messages, bool first = true)
    {
        var ids = new List<int>();
        string text = RenderPrompt(messages);
        tokenizer.Encode(first ? text : "\n" + text, ids, EncodeOptions.Plain | (first && tokenizer.BosId >= 0 ? EncodeOptions.AddBos : 0));
        return ids;
    }
}
