using System.Text;

namespace QedEdge.Text;

/// <summary>
/// QED's chat format: for each message <c>&lt;|role|&gt;\n{content}\n</c>, then <c>&lt;|assistant|&gt;\n</c> to ask for an answer,
/// which ends at the end-of-text token. The tags are ordinary text. The begin-of-text token comes first and is added by
/// <see cref="Tokenizer.Encode(ReadOnlySpan{char}, List{int}, EncodeOptions)"/>, not here.
/// </summary>
public static class ChatTemplate
{
    /// <summary>The format as the Jinja template that model files carry for other programs.</summary>
    public const string Jinja =
        "{{ bos_token }}{% for message in messages %}{{ '<|' + message['role'] + '|>\\n' + message['content'] + '\\n' }}{% endfor %}"
        + "{% if add_generation_prompt %}{{ '<|assistant|>\\n' }}{% endif %}";

    /// <summary>What follows the messages to ask for an answer.</summary>
    public const string AnswerTag = "<|assistant|>\n";

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
    /// <exception cref="QedException">A role that the format does not have.</exception>
    public static string RenderPrompt(IEnumerable<ChatMessage> messages) => Render(messages) + AnswerTag;
}
