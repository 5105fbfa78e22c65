namespace QedEdge.Chat;

/// <summary>What a model answered, its parts apart.</summary>
public sealed class ChatAnswer
{
    internal ChatAnswer(string text, string? reasoning, IReadOnlyList<ToolCall> toolCalls) => Message = new("assistant", text) { Reasoning = reasoning, ToolCalls = toolCalls };

    /// <summary>What it says.</summary>
    public string Text => Message.Content;

    /// <summary>What it thought before, or null.</summary>
    public string? Reasoning => Message.Reasoning;

    /// <summary>The tools that it calls; none unless some were offered.</summary>
    public IReadOnlyList<ToolCall> ToolCalls => Message.ToolCalls;

    /// <summary>The answer as the conversation's next message.</summary>
    public ChatMessage Message { get; }
}

/// <summary>Which part of an answer a piece belongs to.</summary>
public enum AnswerPart
{
    /// <summary>What is said.</summary>
    Text,
    /// <summary>What is thought before.</summary>
    Reasoning,
}

/// <summary>Receives an answer as it comes. Calls of tools come at its end, in <see cref="ChatAnswer"/>.</summary>
/// <param name="part">Which part goes on.</param>
/// <param name="text">How; never empty, valid only during the call.</param>
public delegate void AnswerHandler(AnswerPart part, ReadOnlySpan<char> text);
