using System.Text.Json;
using QedEdge.Chat;

namespace QedEdge.Cli.Chat;

/// <summary>Messages and calls as JSON in OpenAI's form.</summary>
internal static class MessagesText
{
    /// <summary>A conversation's messages: <c>{"messages": […]}</c>.</summary>
    public static byte[] Write(IEnumerable<ChatMessage> messages) => Terminal.Json(json =>
    {
        json.WriteStartArray("messages");
        foreach (ChatMessage message in messages)
        {
            json.WriteStartObject();
            json.WriteString("role", message.Role);
            json.WriteString("content", message.Content);
            if (message.Reasoning is { } reasoning)
                json.WriteString("reasoning_content", reasoning);
            WriteCalls(json, message.ToolCalls);
            json.WriteEndObject();
        }
        json.WriteEndArray();
    });

    /// <summary>An answer's parts as members of a JSON object.</summary>
    public static void WriteAnswer(Utf8JsonWriter json, ChatAnswer answer)
    {
        json.WriteString("text", answer.Text);
        if (answer.Reasoning is { } reasoning)
            json.WriteString("reasoning", reasoning);
        WriteCalls(json, answer.ToolCalls);
    }

    /// <summary>The member tool_calls, where there are calls.</summary>
    private static void WriteCalls(Utf8JsonWriter json, IReadOnlyList<ToolCall> calls)
    {
        if (calls.Count == 0)
            return;
        json.WriteStartArray("tool_calls");
        foreach (ToolCall call in calls)
        {
            json.WriteStartObject();
            json.WriteString("id", call.Id);
            json.WriteString("type", "function");
            json.WriteStartObject("function");
            json.WriteString("name", call.Name);
            json.WriteString("arguments", call.Arguments);
            json.WriteEndObject();
            json.WriteEndObject();
        }
        json.WriteEndArray();
    }
}
