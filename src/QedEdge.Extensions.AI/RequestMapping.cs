using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Microsoft.Extensions.AI;
using QedEdge.Chat;
using QedEdge.Generation;
using QedEdge.Sampling;
using ChatMessage = Microsoft.Extensions.AI.ChatMessage;

namespace QedEdge.Extensions.AI;

/// <summary>What a request means for a QED.</summary>
internal static class RequestMapping
{
    private const int DefaultMaxTokens = 512; // as 'qed chat'
    private static readonly JsonTypeInfo Arguments = AIJsonUtilities.DefaultOptions.GetTypeInfo(typeof(IDictionary<string, object?>));

    /// <summary>The conversation, the instructions first.</summary>
    public static Conversation Conversation(IEnumerable<ChatMessage> messages, ChatOptions? options)
    {
        var result = new List<Chat.ChatMessage>();
        if (options?.Instructions is { Length: > 0 } instructions)
            result.Add(new("system", instructions));
        foreach (ChatMessage message in messages)
            Add(message, result);
        return new Conversation { Messages = result, Tools = options?.ToolMode is NoneChatToolMode ? null : ToolMapping.Json(options?.Tools) };
    }

    /// <summary>A call as the abstractions have it.</summary>
    /// <param name="call">What the model wrote.</param>
    /// <param name="response">The response's id, which makes the call's unique.</param>
    public static FunctionCallContent Call(ToolCall call, string response) =>
        FunctionCallContent.CreateFromParsedArguments(call.Arguments, $"{call.Id}_{response}", call.Name, static json => (IDictionary<string, object?>?)JsonSerializer.Deserialize(json, Arguments));

    private static void Add(ChatMessage message, List<Chat.ChatMessage> result)
    {
        if (message.Contents.FirstOrDefault(content => content is not (TextContent or TextReasoningContent or FunctionCallContent or FunctionResultContent or UsageContent)) is { } other)
            throw new NotSupportedException($"the model reads text alone, and a message has a {other.GetType().Name}");
        if (message.Role != ChatRole.System && message.Role != ChatRole.User && message.Role != ChatRole.Assistant && message.Role != ChatRole.Tool)
            throw new NotSupportedException($"the model knows no role '{message.Role}'; it must be system, user, assistant or tool");
        FunctionResultContent[] results = [.. message.Contents.OfType<FunctionResultContent>()];
        foreach (FunctionResultContent given in results)
            result.Add(new("tool", ToolMapping.Text(given.Result)) { ToolCallId = given.CallId });
        if (results.Length > 0)
            return;
        string reasoning = string.Concat(message.Contents.OfType<TextReasoningContent>().Select(content => content.Text));
        result.Add(new(message.Role.Value, message.Text)
        {
            Reasoning = reasoning.Length > 0 ? reasoning : null,
            ToolCalls = [.. message.Contents.OfType<FunctionCallContent>().Select(call => new ToolCall(call.Name, JsonSerializer.Serialize(call.Arguments ?? new Dictionary<string, object?>(), Arguments), call.CallId))],
        });
    }

    /// <summary>How the answer is chosen: what the options say, else what the model's file says.</summary>
    public static GenerationOptions Options(IChatClient client, QedModel model, ChatOptions? options)
    {
        if (options is null)
            return Default(model);
        if (options.ToolMode is RequiredChatToolMode)
            throw new NotSupportedException("whether it calls a tool is the model's choice, and the options require it");
        if (options.ModelId is { } wanted && wanted != model.File.Name)
            throw new NotSupportedException($"this client answers with {model.File.Name}, and the options ask for {wanted}");
        if (options.ResponseFormat is not (null or ChatResponseFormatText))
            throw new NotSupportedException("the model answers in text; other response formats are not supported");
        if (options.ConversationId is not null)
            throw new NotSupportedException("conversations are not kept; send all messages");
        GenerationOptions own = options.RawRepresentationFactory?.Invoke(client) switch
        {
            null => Default(model),
            GenerationOptions given => given,
            var other => throw new NotSupportedException($"the raw representation of the options is {nameof(GenerationOptions)}, not {other.GetType().Name}"),
        };
        SamplingOptions sampling = own.Sampling;
        return own with
        {
            MaxTokens = options.MaxOutputTokens ?? own.MaxTokens,
            Sampling = sampling with
            {
                Temperature = options.Temperature ?? sampling.Temperature,
                TopK = options.TopK ?? sampling.TopK,
                TopP = options.TopP ?? sampling.TopP,
                FrequencyPenalty = options.FrequencyPenalty ?? sampling.FrequencyPenalty,
                PresencePenalty = options.PresencePenalty ?? sampling.PresencePenalty,
                Seed = (ulong?)options.Seed ?? sampling.Seed,
            },
        };
    }

    private static GenerationOptions Default(QedModel model)
    {
        GenerationOptions own = GenerationOptions.Of(model);
        return own with { MaxTokens = DefaultMaxTokens, Sampling = own.Sampling with { PenalizesPrompt = false, Seed = (ulong)Random.Shared.NextInt64() } };
    }
}
