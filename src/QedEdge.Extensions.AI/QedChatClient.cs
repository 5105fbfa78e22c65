using System.Runtime.CompilerServices;
using System.Threading.Channels;
using Microsoft.Extensions.AI;
using QedEdge.Chat;
using QedEdge.Generation;
using ChatMessage = Microsoft.Extensions.AI.ChatMessage;

namespace QedEdge.Extensions.AI;

/// <summary>
/// Answers with a QED model. Requests are answered one after the other, whatever thread they come from. What a conversation has in common with the request
/// before is not computed again.
/// </summary>
/// <remarks>
/// Tools are offered to the model where its chat template knows them; its calls come as <see cref="FunctionCallContent"/>, what it thinks as <see cref="TextReasoningContent"/>.
/// What <see cref="ChatOptions"/> can say that it cannot do (JSON, pictures in a message) ends with a <see cref="NotSupportedException"/>. For everything that
/// has no option there, <see cref="ChatOptions.RawRepresentationFactory"/> may return <see cref="GenerationOptions"/>;
/// they take the place of all defaults (the model file's, 512 tokens at most, a random seed).
/// </remarks>
public sealed class QedChatClient : IChatClient
{
    private readonly QedModel _model;
    private readonly Session _session;
    private readonly ChatSession _chat;
    private readonly SemaphoreSlim _turn = new(1, 1);
    private readonly CancellationTokenSource _closing = new();
    private readonly ChatClientMetadata _metadata;

    /// <summary>A client of a model.</summary>
    /// <param name="model">An open model; it stays the caller's.</param>
    /// <param name="options">How its session is opened: threads, context length, storage of keys and values.</param>
    /// <exception cref="QedException">The model has no tokenizer or chat template, or none that can be used.</exception>
    public QedChatClient(QedModel model, SessionOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(model);
        _model = model;
        model.RequireChatTemplate();
        _session = model.CreateSession(options ?? new SessionOptions());
        _chat = new ChatSession(_session);
        _metadata = new ChatClientMetadata("qededge", defaultModelId: model.File.Name);
    }

    /// <inheritdoc/>
    /// <exception cref="NotSupportedException">The messages or options ask for something that the model cannot do.</exception>
    /// <exception cref="ContextLengthException">The conversation is longer than the context.</exception>
    public async Task<ChatResponse> GetResponseAsync(IEnumerable<ChatMessage> messages, ChatOptions? options = null, CancellationToken cancellationToken = default) =>
        await GetStreamingResponseAsync(messages, options, cancellationToken).ToChatResponseAsync(cancellationToken).ConfigureAwait(false);

    /// <inheritdoc/>
    /// <exception cref="NotSupportedException">The messages or options ask for something that the model cannot do.</exception>
    /// <exception cref="ContextLengthException">The conversation is longer than the context.</exception>
    public async IAsyncEnumerable<ChatResponseUpdate> GetStreamingResponseAsync(IEnumerable<ChatMessage> messages, ChatOptions? options = null, [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(messages);
        ObjectDisposedException.ThrowIf(_closing.IsCancellationRequested, this);
        Conversation conversation = RequestMapping.Conversation(messages, options);
        if (_session.Overflow == ContextOverflow.Stop)
            _model.RequireFits(conversation.Messages.Sum(message => (long)message.Content.Length), _session.Capacity);
        GenerationOptions generation = RequestMapping.Options(this, _model, options);
        string[] stops = [.. options?.StopSequences ?? []];
        string id = Guid.NewGuid().ToString("N");

        using var ended = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, _closing.Token);
        await _turn.WaitAsync(ended.Token).ConfigureAwait(false);
        try
        {
            var pieces = Channel.CreateUnbounded<AIContent>(new UnboundedChannelOptions { SingleReader = true, SingleWriter = true });
            Task<ChatResult> work = Task.Run(() => Generate(conversation, generation, stops, pieces.Writer, ended.Token), CancellationToken.None);
            try
            {
                await foreach (AIContent piece in pieces.Reader.ReadAllAsync(CancellationToken.None).ConfigureAwait(false))
                    yield return Update(piece);
            }
            finally
            {
                await ended.CancelAsync().ConfigureAwait(false); // who ceases to read ends the work
                await ((Task)work).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
            ChatResult whole = await work.ConfigureAwait(false);
            GenerationResult result = whole.Generation;
            cancellationToken.ThrowIfCancellationRequested();
            _closing.Token.ThrowIfCancellationRequested();
            foreach (ToolCall call in whole.Answer.ToolCalls)
                yield return Update(RequestMapping.Call(call, id));
            ChatResponseUpdate last = Update(new UsageContent(new UsageDetails
            {
                InputTokenCount = result.PromptTokens,
                CachedInputTokenCount = result.CachedTokens,
                OutputTokenCount = result.GeneratedTokens,
                TotalTokenCount = result.PromptTokens + result.GeneratedTokens,
            }));
            last.FinishReason = result.Finish == FinishReason.Length ? ChatFinishReason.Length : whole.Answer.ToolCalls.Count > 0 ? ChatFinishReason.ToolCalls : ChatFinishReason.Stop;
            yield return last;
        }
        finally
        {
            _turn.Release();
        }

        ChatResponseUpdate Update(AIContent content) => new(ChatRole.Assistant, [content]) { ResponseId = id, MessageId = id, ModelId = _model.File.Name, CreatedAt = DateTimeOffset.UtcNow };
    }

    /// <inheritdoc/>
    public object? GetService(Type serviceType, object? serviceKey = null)
    {
        ArgumentNullException.ThrowIfNull(serviceType);
        return serviceKey is not null ? null
            : serviceType == typeof(ChatClientMetadata) ? _metadata
            : serviceType == typeof(QedModel) ? _model
            : serviceType.IsInstanceOfType(this) ? this
            : null;
    }

    /// <summary>
    /// Frees the keys and values; the model stays open. An answer that is under way and those that wait for their turn end as cancelled
    /// (<see cref="OperationCanceledException"/>). Never throws.
    /// </summary>
    public void Dispose()
    {
        _closing.Cancel();
        _session.Dispose(); // waits for the answer's last token
    }

    private ChatResult Generate(Conversation conversation, GenerationOptions options, string[] stops, ChannelWriter<AIContent> pieces, CancellationToken cancellation)
    {
        try
        {
            return _chat.Answer(conversation, options, stops,
                (part, text) => pieces.TryWrite(part == AnswerPart.Reasoning ? new TextReasoningContent(text.ToString()) : new TextContent(text.ToString())), cancellation);
        }
        catch (ObjectDisposedException) when (_closing.IsCancellationRequested) // before the answer's first token
        {
            throw new OperationCanceledException(_closing.Token);
        }
        finally
        {
            pieces.Complete();
        }
    }
}
