using System.Globalization;
using System.Text;
using QedEdge.Json;
using QedEdge.Templates;

namespace QedEdge.Chat;

/// <summary>
/// What a template sees of a conversation. All of its texts were typed by somebody, but for the usual roles: templates write <c>'&lt;|' + role + '|&gt;'</c>, and nobody can say
/// more with such a word than the template does.
/// </summary>
internal static class ConversationVariables
{
    private const string Role = "role", Content = "content";

    /// <summary>The usual roles.</summary>
    public static string[] Roles { get; } = ["system", "developer", "user", "assistant", "tool", "function", "ipython"];

    /// <summary>Whether a text was typed.</summary>
    /// <param name="key">The member that it is.</param>
    /// <param name="text">The text.</param>
    public static bool IsTyped(string key, string text) => key != Role || Array.IndexOf(Roles, text) < 0;

    /// <summary>A conversation's variables.</summary>
    /// <exception cref="QedException">Tools or variables are no JSON.</exception>
    public static DictValue Of(Conversation conversation, bool addGenerationPrompt)
    {
        var variables = new DictValue();
        var messages = new object?[conversation.Messages.Count];
        for (int i = 0; i < messages.Length; i++)
            messages[i] = Message(conversation.Messages[i]);
        variables.Set("messages", new ListValue(messages));
        variables.Set("add_generation_prompt", addGenerationPrompt);
        if (conversation.Tools is { } tools)
            variables.Set("tools", JsonVariables.ReadValue(tools, "tools", IsTyped)); // without tools there is no such variable: some templates cannot do with null
        if (conversation.EnableThinking is { } thinks)
        {
            variables.Set("enable_thinking", thinks);
            variables.Set("thinking", thinks);
        }
        if (conversation.Variables is { } more)
            Copy(Read(more), variables);
        return variables;
    }

    /// <summary>What the variable <c>now</c> says the time is, or null.</summary>
    /// <exception cref="QedException">It says no time.</exception>
    public static DateTime? TimeOf(DictValue variables)
    {
        if (!variables.TryGet("now", out object? now))
            return null;
        if (now is TemplateText { Text: [_, _, _, _, '-', _, _, '-', _, _, 'T', _, _, ':', _, _, ':', _, _] text }
            && Number(text, 0, 4) is var year and > 0 && Number(text, 5, 2) is var month and > 0 and <= 12 && Number(text, 8, 2) is var day and > 0 && day <= DateTime.DaysInMonth(year, month)
            && Number(text, 11, 2) is var hour and >= 0 and < 24 && Number(text, 14, 2) is var minute and >= 0 and < 60 && Number(text, 17, 2) is var second and >= 0 and < 60)
            return new DateTime(year, month, day, hour, minute, second);
        throw new QedException("\"now\" is no time; it is written as 2026-01-31T23:59:00");

        static int Number(string text, int start, int count) => int.TryParse(text.AsSpan(start, count), NumberStyles.None, CultureInfo.InvariantCulture, out int number) ? number : -1;
    }

    /// <summary>Gives variables further values.</summary>
    public static void Copy(DictValue from, DictValue to)
    {
        for (int i = 0; i < from.Count; i++)
            to.Set(from.KeyAt(i), from.ValueAt(i));
    }

    private static DictValue Message(ChatMessage message)
    {
        var members = new DictValue();
        members.Set(Role, Typed(message.Role, Role));
        members.Set(Content, Typed(message.Content));
        if (message.Reasoning is { } reasoning)
            members.Set("reasoning_content", Typed(reasoning));
        if (message.Name is { } name)
            members.Set("name", Typed(name));
        if (message.ToolCallId is { } id)
            members.Set("tool_call_id", Typed(id));
        if (message.ToolCalls.Count > 0)
        {
            var calls = new object?[message.ToolCalls.Count];
            for (int i = 0; i < calls.Length; i++)
                calls[i] = Call(message.ToolCalls[i]);
            members.Set("tool_calls", new ListValue(calls));
        }
        return members;
    }

    private static DictValue Call(ToolCall call)
    {
        var function = new DictValue();
        function.Set("name", Typed(call.Name));
        function.Set("arguments", Arguments(call.Arguments));
        var members = new DictValue();
        if (call.Id is { } id)
            members.Set("id", Typed(id));
        members.Set("type", new TemplateText("function"));
        members.Set("function", function);
        return members;
    }

    /// <summary>Templates expect an object where OpenAI has its text.</summary>
    private static object Arguments(string json)
    {
        try
        {
            return Read(json);
        }
        catch (QedException)
        {
            return Typed(json); // a model wrote it
        }
    }

    private static DictValue Read(string json)
    {
        byte[] utf8 = Encoding.UTF8.GetBytes(json);
        JsonValue.ParseObject(utf8);
        return JsonVariables.Read(utf8, IsTyped);
    }

    private static TemplateText Typed(string text, string key = Content) => new(text, IsTyped(key, text));
}
