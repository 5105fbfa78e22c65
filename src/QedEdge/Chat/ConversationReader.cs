using System.Text;
using QedEdge.Json;

namespace QedEdge.Chat;

/// <summary>Reads conversations in OpenAI's form. What it does not know is refused, unless it is null.</summary>
internal static class ConversationReader
{
    /// <summary>Members of a conversation, besides which a line of a batch has others.</summary>
    public static IReadOnlyList<string> Members { get; } = ["messages", .. Beside];

    /// <summary>Those of them that say how messages become a prompt.</summary>
    public static string[] Beside => ["tools", "enable_thinking", "chat_template_kwargs"];

    /// <summary>Reads a conversation that nothing else stands beside.</summary>
    /// <exception cref="QedException">It is none.</exception>
    public static Conversation Read(JsonValue json)
    {
        RequireKnown(json, "a conversation's", [.. Members]);
        return ReadMembers(json);
    }

    /// <summary>Reads a conversation's members out of an object that may have others.</summary>
    /// <exception cref="QedException">They are none.</exception>
    public static Conversation ReadMembers(JsonValue json) => Read(json, Messages(json.Get("messages")));

    /// <summary>Reads the members <see cref="Beside"/> alone.</summary>
    /// <exception cref="QedException">They are none.</exception>
    public static Conversation ReadBeside(JsonValue json) => Read(json, []);

    /// <summary>Reads a message.</summary>
    /// <param name="message">Its object.</param>
    /// <param name="beside">Members that it may have besides its own.</param>
    /// <exception cref="QedException">It is none.</exception>
    public static ChatMessage ReadMessage(JsonValue message, params string[] beside)
    {
        RequireKnown(message, "a message's", ["role", "content", "name", "tool_calls", "tool_call_id", "reasoning_content", .. beside]);
        string role = message.Get("role").String();
        if (Array.IndexOf(ConversationVariables.Roles, role) < 0)
            throw new QedException($"a message's role '{ModelFormatException.OneLine(role)}' is unknown; known are {string.Join(", ", ConversationVariables.Roles)}");
        return new ChatMessage(role, Content(message))
        {
            Reasoning = message.Find("reasoning_content")?.String(),
            ToolCalls = message.Find("tool_calls") is { } calls ? Calls(calls) : [],
            ToolCallId = message.Find("tool_call_id")?.String(),
            Name = message.Find("name")?.String(),
        };
    }

    private static Conversation Read(JsonValue json, ChatMessage[] messages)
    {
        JsonValue? tools = json.Find("tools"), variables = json.Find("chat_template_kwargs");
        variables?.RequireObject();
        return new Conversation
        {
            Messages = messages,
            Tools = tools is { } list && list.Array(RequestLimits.Messages).Length > 0 ? Text(list) : null,
            EnableThinking = json.Find("enable_thinking")?.Boolean(),
            Variables = variables is null ? null : Text(variables),
        };
    }

    private static ChatMessage[] Messages(JsonValue json)
    {
        JsonValue[] given = json.Array(RequestLimits.Messages);
        var messages = new ChatMessage[given.Length];
        for (int i = 0; i < messages.Length; i++)
            messages[i] = ReadMessage(given[i]);
        return messages;
    }

    /// <summary>A text, or parts of one.</summary>
    private static string Content(JsonValue message)
    {
        if (message.Find("content") is not { } content)
            return message.Find("tool_calls") is null && !(message.Has("content") && message.Find("role")?.String() == "assistant") ? message.Get("content").String() : "";
        if (!content.IsArray)
            return content.String();
        var text = new StringBuilder();
        foreach (JsonValue part in content.Array(RequestLimits.Messages))
        {
            if (part.Get("type").String() is not "text" and var type)
                throw new QedException($"a message has a part of type '{ModelFormatException.OneLine(type)}', and the model reads text alone");
            text.Append(part.Get("text").String());
        }
        return text.ToString();
    }

    private static ToolCall[] Calls(JsonValue json)
    {
        JsonValue[] given = json.Array(RequestLimits.Messages);
        var calls = new ToolCall[given.Length];
        for (int i = 0; i < calls.Length; i++)
        {
            JsonValue function = given[i].Get("function"), arguments = function.Get("arguments");
            calls[i] = new ToolCall(function.Get("name").String(), arguments.IsString ? arguments.String() : Text(arguments), given[i].Find("id")?.String());
        }
        return calls;
    }

    private static void RequireKnown(JsonValue json, string what, params string[] known)
    {
        foreach ((string name, JsonValue value) in json.Members())
        {
            if (Array.IndexOf(known, name) < 0 && !value.IsNull && !(value.IsArray && !value.Array().Any())) // nothing is said by them
                throw new QedException($"{what} \"{ModelFormatException.OneLine(name)}\" is unknown; known are {string.Join(", ", known)}");
        }
    }

    private static string Text(JsonValue json) => Encoding.UTF8.GetString(json.Raw.Span);
}
