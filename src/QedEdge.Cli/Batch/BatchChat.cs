using System.Text;
using QedEdge.Chat;
using QedEdge.Json;

namespace QedEdge.Cli.Batch;

/// <summary>A line's conversation.</summary>
/// <param name="template">The model's chat template.</param>
/// <param name="text">What it makes of the conversation.</param>
/// <param name="hasTools">Whether tools may be called.</param>
internal sealed class BatchChat(ChatTemplate template, RenderedText text, bool hasTools)
{
    /// <summary>What ends an answer.</summary>
    public IReadOnlyList<string> Stops => template.StopTexts;

    /// <summary>Reads the conversation of a line.</summary>
    /// <exception cref="QedException">It is none, or the template refuses it.</exception>
    public static BatchChat Read(JsonValue line, QedModel model, int capacity)
    {
        ChatTemplate template = model.RequireChatTemplate();
        Conversation conversation = ConversationReader.ReadMembers(line);
        long bytes = 0;
        foreach (ChatMessage message in conversation.Messages)
            bytes += Encoding.UTF8.GetByteCount(message.Content);
        model.RequireFits(bytes, capacity);
        return new BatchChat(template, template.Render(conversation), conversation.Tools is not null);
    }

    /// <summary>The prompt's token ids.</summary>
    public int[] Encode() => template.Encode(text);

    /// <summary>The ids of the prompt and an answer, and the first one that belongs to the answer: what it shares with the prompt does, and white space at the prompt's end.</summary>
    public (int[] Ids, int Begin) Encode(string answer)
    {
        int[] whole = EncodeWith(answer);
        return (whole, template.Encode(text.TrimEnd()).AsSpan().CommonPrefixLength(whole));
    }

    /// <summary>The ids of the prompt and all of an answer.</summary>
    public int[] EncodeWith(string answer) => template.Encode(text.With(answer));

    /// <summary>The parts of an answer.</summary>
    public ChatAnswer Answer(string said)
    {
        var reader = new AnswerReader(text.IsThinking, hasTools);
        reader.Append(said);
        return reader.End();
    }
}
