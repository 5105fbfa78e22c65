using Microsoft.Extensions.AI;
using QedEdge.Generation;
using QedEdge.Sampling;
using ChatMessage = Microsoft.Extensions.AI.ChatMessage;

namespace QedEdge.Extensions.AI;

/// <summary>What a request means for a QED.</summary>
internal static class RequestMapping
{
    private const int DefaultMaxTokens = 512; // as 'qed chat'

    /// <summary>The messages in QED's chat format, the instructions first.</summary>
    public static List<Text.ChatMessage> Messages(IEnumerable<ChatMessage> messages, ChatOptions? options)
    {
        var result = new List<Text.ChatMessage>();
        if (options?.Instructions is { Length: > 0 } instructions)
            result.Add(new("system", instructions));
        foreach (ChatMessage message in messages)
        {
            if (message.Contents.FirstOrDefault(content => content is not (TextContent or UsageContent)) is { } other)
                throw new NotSupportedException($"the model reads text alone, and a message has a {other.GetType().Name}");
            if (message.Role != ChatRole.System && message.Role != ChatRole.User && message.Role != ChatRole.Assistant)
                throw new NotSupportedException($"the model knows no role '{message.Role}'; it must be system, user or assistant");
            result.Add(new(message.Role.Value, message.Text));
        }
        return result;
    }

    /// <summary>How the answer is chosen: what the options say, else what the model's file says.</summary>
    public static GenerationOptions Options(IChatClient client, QedModel model, ChatOptions? options)
    {
        if (options is null)
            return Default(model);
        if (options.Tools is { Count: > 0 })
            throw new NotSupportedException("the model calls no tools");
        if (options.ToolMode is RequiredChatToolMode)
            throw new NotSupportedException("the model calls no tools, and the options require it");
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
