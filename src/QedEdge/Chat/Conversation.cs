using QedEdge.Json;

namespace QedEdge.Chat;

/// <summary>What a chat template makes a prompt of.</summary>
public sealed class Conversation
{
    /// <summary>The messages, the first one first.</summary>
    public IReadOnlyList<ChatMessage> Messages { get; init; } = [];

    /// <summary>The tools that may be called: a JSON array in OpenAI's form, or null.</summary>
    public string? Tools { get; init; }

    /// <summary>Whether the model thinks before it answers, where its template lets one choose; null is the template's default.</summary>
    public bool? EnableThinking { get; init; }

    /// <summary>Further variables of the template, which go before all others: a JSON object, or null.</summary>
    public string? Variables { get; init; }

    /// <summary>What the template takes for the time, or null for now: some write the date into the prompt.</summary>
    public DateTime? Now { get; init; }

    /// <summary>The number of the next call's id: beyond all that calls of the messages have.</summary>
    internal int NextCall => 1 + Messages.SelectMany(static message => message.ToolCalls).Max(static call => (int?)ToolCallText.NumberOf(call.Id)) ?? 0;

    /// <summary>Reads a conversation in OpenAI's form.</summary>
    /// <param name="utf8">A JSON object: <c>messages</c>, and where wanted <c>tools</c>, <c>enable_thinking</c>, <c>chat_template_kwargs</c>.</param>
    /// <exception cref="QedException">It is none; the message names the place.</exception>
    public static Conversation Parse(ReadOnlyMemory<byte> utf8) => ConversationReader.Read(JsonValue.ParseObject(utf8));
}
