using System.Runtime.CompilerServices;
using System.Threading.Channels;
using Microsoft.Extensions.AI;
using QedEdge.Generation;
using QedEdge.Text;
using ChatMessage = Microsoft.Extensions.AI.ChatMessage;

namespace QedEdge.Extensions.AI;

/// <summary>
/// Answers with a QED model. Requests are answered one after the other, whatever thread they come from. What a conversation has in common with the request
/// before is not computed again.
/// </summary>
/// <remarks>
/// What <see cref="ChatOptions"/> can say that a QED cannot do (tools, JSON, pictures in a message) ends with a <see cref="NotSupportedException"/>. For everything that
/// has no option there, <see cref="ChatOptions.RawRepresentationFactory"/> may return <see cref="GenerationOptions"/>;
/// they take the place of all defaults (the model file's, 512 tokens at most, a random seed).
/// </remarks>
public sealed class QedChatClient : IChatClient
{
    private readonly QedModel _model;
    private readonly Tokenizer _tokenizer;
    private readonly Session _session;
    private readonly SemaphoreSlim _turn = new(1, 1);
    private readonly CancellationTokenSource _closing = new();
    private readonly ChatClientMetadata _metadata;

    /// <summary>A client of a model.</summary>
    /// <param name="model">An open model; it stays the caller's.</param>
    /// <param name="options">How its session is opened: threads, context length, storage of keys and values.</param>
    /// <exception cref="QedException">The model has no tokenizer, or another chat format than QED's.</exception>
    public QedChatClient(QedModel model, SessionOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(model);
        _model = model;
        _tokenizer = model.RequireTokenizer();
        ChatTemplate.EnsureSupported(_tokenizer, model.File.Name);
        _session = model.CreateSession(options ?? new SessionOptions());
        _metadata = new ChatClientMetadata("qededge", defaultModelId: model.File.Name);
    }

    /// <inheritdoc/>
    /// <exception cref="NotSupportedException">The messages or options ask for something that a QED cannot do.</exception>
    /// <exception cref="ContextLengthException">The conversation is longer than the context.</exception>
    public async Task<ChatResponse> GetResponseAsync(IEnumerable<ChatMessage> messages, ChatOptions? options = null, CancellationToken cancellationToken = default) =>
        await GetStreamingResponseAsync(messages, options, cancellationToken).ToChatResponseAsync(cancellationToken).ConfigureAwait(false);

    /// <inheritdoc/>
    /// <exception cref="NotSupportedException">The messages or options ask for something that a QED cannot do.</exception>
    /// <exception cref="ContextLengthException">The conversation is longer than the context.</exception>
    public async IAsyncEnumerable<ChatResponseUpdate> GetStreamingResponseAsync(IEnumerable<ChatMessage> messages, ChatOptions? options = null, [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(messages);
        ObjectDisposedException.ThrowIf(_closing.IsCancellationRequested, this);
        List<Text.ChatMessage> conversation = RequestMapping.Messages(messages, options);
        if (_session.Overflow == ContextOverflow.Stop)
            _model.RequireFits(conversation.Sum(message => (long)message.Content.Length), _session.Capacity);
        int[] prompt = [.. ChatTemplate.Encode(_tokenizer, conversation)];
        GenerationOptions generation = RequestMapping.Options(this, _model, options);
        string[] stops = [.. options?.StopSequences ?? [], .. ChatTemplate.StopTexts];
        string id = Guid.NewGuid().ToString("N");

        using var ended = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, _closing.Token);
        await _turn.WaitAsync(ended.Token).ConfigureAwait(false);
        try
        {
            var pieces = Channel.CreateUnbounded<string>(new UnboundedChannelOptions { SingleReader = true, SingleWriter = true });
            Task<GenerationResult> work = Task.Run(() => Generate(prompt, generation, stops, pieces.Writer, ended.Token), CancellationToken.None);
            try
            {
                await foreach (string piece in pieces.Reader.ReadAllAsync(CancellationToken.None).ConfigureAwait(false))
                    yield return Update(new TextContent(piece));
            }
            finally
            {
                await ended.CancelAsync().ConfigureAwait(false); // who ceases to read ends the work
                await ((Task)work).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
            GenerationResult result = await work.ConfigureAwait(false);
            cancellationToken.ThrowIfCancellationRequested();
            _closing.Token.ThrowIfCancellationRequested();
            ChatResponseUpdate last = Update(new UsageContent(new UsageDetails
            {
                InputTokenCount = result.PromptTokens,
                CachedInputTokenCount = result.CachedTokens,
                OutputTokenCount = result.GeneratedTokens,
                TotalTokenCount = result.PromptTokens + result.GeneratedTokens,
            }));
            last.FinishReason = result.Finish == FinishReason.Length ? ChatFinishReason.Length : ChatFinishReason.Stop;
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

    private GenerationResult Generate(int[] prompt, GenerationOptions options, string[] stops, ChannelWriter<string> pieces, CancellationToken cancellation)
    {
        try
        {
            int common = _session.KeepCommonPrefix(prompt);
            var text = new GeneratedText(_tokenizer, stops, piece =>
            {
                if (piece.Length > 0)
                    pieces.TryWrite(piece.ToString());
            });
            GenerationResult result = new Generator(_session, options).Run(prompt, (id, _) => text.Append(id), cancellation, common);
            text.End();
            return result;
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
