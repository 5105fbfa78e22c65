using System.Text;
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

    /// <summary>A conversation's messages as Markdown: who speaks in bold, then what was said; thoughts are quoted, calls are code.</summary>
    public static string Markdown(IEnumerable<ChatMessage> messages)
    {
        var text = new StringBuilder();
        foreach (ChatMessage message in messages)
        {
            text.Append("**").Append(message.Role).Append("**\n\n");
            if (message.Reasoning is { Length: > 0 } reasoning)
                text.Append("> ").Append(reasoning.Trim().Replace("\n", "\n> ", StringComparison.Ordinal)).Append("\n\n");
            if (message.Content.Length > 0)
                text.Append(message.Content.Trim()).Append("\n\n");
            foreach (ToolCall call in message.ToolCalls)
                text.Append("    ").Append(call.Name).Append(' ').Append(call.Arguments.ReplaceLineEndings(" ")).Append("\n\n");
        }
        return text.ToString();
    }

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
