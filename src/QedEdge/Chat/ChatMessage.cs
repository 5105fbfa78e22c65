namespace QedEdge.Chat;

/// <summary>One message of a conversation.</summary>
/// <param name="role"><c>system</c>, <c>user</c>, <c>assistant</c> or <c>tool</c>; what others there are is the template's matter.</param>
/// <param name="content">What was said.</param>
public sealed class ChatMessage(string role, string content)
{
    /// <summary>Who says it.</summary>
    public string Role => role;

    /// <summary>What was said.</summary>
    public string Content => content;

    /// <summary>What an assistant thought before it answered, or null. Most templates leave out old thoughts.</summary>
    public string? Reasoning { get; init; }

    /// <summary>The tools that an assistant called.</summary>
    public IReadOnlyList<ToolCall> ToolCalls { get; init; } = [];

    /// <summary>Of a tool's result, the call's id, or null.</summary>
    public string? ToolCallId { get; init; }

    /// <summary>Who speaks, or of a tool's result the tool, or null.</summary>
    public string? Name { get; init; }
}

/// <summary>A call of a tool.</summary>
/// <param name="name">The tool.</param>
/// <param name="arguments">A JSON object; what a model wrote may be none.</param>
/// <param name="id">The call's id, or null.</param>
public sealed class ToolCall(string name, string arguments, string? id = null)
{
    /// <summary>The tool.</summary>
    public string Name => name;

    /// <summary>A JSON object; what a model wrote may be none.</summary>
    public string Arguments => arguments;

    /// <summary>The call's id, or null.</summary>
    public string? Id => id;
}
