using Microsoft.Extensions.AI;
using QedEdge.Chat;
using QedEdge.Conversion;
using QedEdge.Extensions.AI;
using QedEdge.Generation;
using ChatMessage = Microsoft.Extensions.AI.ChatMessage;

namespace QedEdge.Tests.Extensions;

/// <summary>The chat client: the same text as a session of its own, however it is asked, and clear words for what cannot be.</summary>
public sealed class QedChatClientTests : IDisposable
{
    private static readonly CancellationToken None = TestContext.Current.CancellationToken;

    private readonly string _file = Path.GetTempFileName();
    private readonly QedModel _model;
    private readonly QedChatClient _client;

    public QedChatClientTests()
    {
        CheckpointConverter.Convert(TestData.TinyQed, _file, new ConversionOptions { Overwrite = true });
        _model = QedModel.Open(_file);
        _client = new QedChatClient(_model, new SessionOptions { Threads = 1 });
    }

    public void Dispose()
    {
        _client.Dispose();
        _model.Dispose();
        File.Delete(_file);
    }

    [Fact]
    public async Task AnAnswer_IsWhatASessionGenerates()
    {
        ChatMessage[] messages = [new(ChatRole.System, "You tell stories."), new(ChatRole.User, "Tell me of the king <eos>.")];
        ChatResponse response = await _client.GetResponseAsync(messages, Options(seed: 7), None);

        int[] prompt = _model.ChatTemplate!.Encode(new Conversation { Messages = [new("system", "You tell stories."), new("user", "Tell me of the king <eos>.")] });
        string expected = "";
        using Session session = _model.CreateSession();
        var text = new GeneratedText(_model.Tokenizer, _model.ChatTemplate.StopTexts, piece => expected += piece.ToString());
        var options = GenerationOptions.Of(_model) with { MaxTokens = 40, Sampling = GenerationOptions.Of(_model).Sampling with { Seed = 7, Temperature = 0.9f } };
        GenerationResult result = new Generator(session, options).Run(prompt, (id, _) => text.Append(id), None);
        text.End();

        Assert.Equal(expected, response.Text);
        Assert.NotEmpty(expected);
        Assert.Equal((prompt.Length, 0, result.GeneratedTokens, prompt.Length + result.GeneratedTokens),
            (response.Usage!.InputTokenCount, response.Usage.CachedInputTokenCount, response.Usage.OutputTokenCount, response.Usage.TotalTokenCount));
        Assert.Equal(result.Finish == FinishReason.Length ? ChatFinishReason.Length : ChatFinishReason.Stop, response.FinishReason);
        Assert.Equal(ChatRole.Assistant, Assert.Single(response.Messages).Role);
        Assert.Equal(_model.File.Name, response.ModelId);
        Assert.Equal(_model.File.Name, _client.GetService<ChatClientMetadata>()!.DefaultModelId);
    }

    [Fact]
    public async Task PiecesAreTheWhole_AndAConversationIsNotComputedAgain()
    {
        List<ChatMessage> messages = [new(ChatRole.User, "Tell me of the king.")];
        List<ChatResponseUpdate> updates = await _client.GetStreamingResponseAsync(messages, Options(seed: 1), None).ToListAsync(None);
        ChatResponse whole = await _client.GetResponseAsync(messages, Options(seed: 1), None);
        Assert.Equal(whole.Text, string.Concat(updates.Select(update => update.Text)));
        Assert.True(updates.Count > 5, "it does not stream");
        Assert.True(whole.Usage!.CachedInputTokenCount == whole.Usage.InputTokenCount - 1);

        messages.AddMessages(whole);
        messages.Add(new(ChatRole.User, "And the queen?"));
        ChatResponse next = await _client.GetResponseAsync(messages, Options(seed: 2), None);
        Assert.True(next.Usage!.CachedInputTokenCount > whole.Usage.InputTokenCount);
        using var fresh = new QedChatClient(_model);
        Assert.Equal((await fresh.GetResponseAsync(messages, Options(seed: 2), None)).Text, next.Text);
    }

    [Fact]
    public async Task Options_AreObeyed()
    {
        ChatResponse greedy = await _client.GetResponseAsync("Hello", new ChatOptions { Temperature = 0, MaxOutputTokens = 3 }, None);
        Assert.Equal((3, ChatFinishReason.Length), (greedy.Usage!.OutputTokenCount, greedy.FinishReason!.Value));
        Assert.Equal(greedy.Text, (await _client.GetResponseAsync("Hello", new ChatOptions { TopK = 1, MaxOutputTokens = 3 }, None)).Text);
        Assert.Equal(greedy.Text, (await _client.GetResponseAsync("Hello", new ChatOptions { TopP = 1e-6f, MaxOutputTokens = 3 }, None)).Text);
        Assert.Equal(greedy.Text, (await _client.GetResponseAsync("Hello", new ChatOptions { RawRepresentationFactory = _ => new GenerationOptions { MaxTokens = 3, Sampling = new() { Temperature = 0 } } }, None)).Text);

        ChatResponse longer = await _client.GetResponseAsync("Hello", new ChatOptions { Temperature = 0, MaxOutputTokens = 40 }, None);
        string stop = longer.Text[10..13];
        ChatResponse stopped = await _client.GetResponseAsync("Hello", new ChatOptions { Temperature = 0, MaxOutputTokens = 40, StopSequences = [stop] }, None);
        Assert.Equal(longer.Text[..longer.Text.IndexOf(stop, StringComparison.Ordinal)], stopped.Text);
        Assert.Equal(ChatFinishReason.Stop, stopped.FinishReason);

        ChatResponse system = await _client.GetResponseAsync([new(ChatRole.System, "Be brief."), new(ChatRole.User, "Hello")], Options(3), None);
        ChatOptions instructed = Options(3);
        instructed.Instructions = "Be brief.";
        Assert.Equal(system.Text, (await _client.GetResponseAsync("Hello", instructed, None)).Text);
    }

    [Fact]
    public async Task RequestsFromManyThreads_AreAnsweredOneByOne()
    {
        string[] questions = ["Who is the king?", "Who is the queen?", "What is a fox?", "Where is the sea?"];
        string[] expected = new string[questions.Length];
        for (int i = 0; i < questions.Length; i++)
            expected[i] = (await _client.GetResponseAsync(questions[i], Options(i), None)).Text;
        ChatResponse[] together = await Task.WhenAll(questions.Select((question, i) => Task.Run(() => _client.GetResponseAsync(question, Options(i), None))));
        Assert.Equal(expected, together.Select(response => response.Text));
    }

    [Fact]
    public async Task ACancelledAnswer_Ends_AndTheNextIsRight()
    {
        string expected = (await _client.GetResponseAsync("Hello", Options(5), None)).Text;
        using var source = new CancellationTokenSource();
        var endless = new ChatOptions { MaxOutputTokens = 100_000, RawRepresentationFactory = _ => new GenerationOptions { IgnoreEos = true } };
        await Assert.ThrowsAnyAsync<OperationCanceledException>(async () =>
        {
            await foreach (ChatResponseUpdate update in _client.GetStreamingResponseAsync("Go on", endless, source.Token))
                await source.CancelAsync();
        });
        await foreach (ChatResponseUpdate update in _client.GetStreamingResponseAsync("Go on", endless, None))
            break; // who ceases to read ends the work
        Assert.Equal(expected, (await _client.GetResponseAsync("Hello", Options(5), None)).Text);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task ADisposedClient_EndsItsAnswersAsCancelled_AndFreesItsSession(bool byItsReader)
    {
        for (int i = 0; i < 40; i++)
        {
            QedModel model = QedModel.Open(_file);
            var client = new QedChatClient(model, new SessionOptions { Threads = 2, Overflow = ContextOverflow.Slide });
            var begun = new TaskCompletionSource();
            async Task Read()
            {
                await foreach (ChatResponseUpdate update in client.GetStreamingResponseAsync("Go on", Endless, None))
                {
                    begun.TrySetResult();
                    if (byItsReader)
                        client.Dispose();
                }
            }
            Task answer = Task.Run(Read, None);
            await begun.Task;
            Task waiting = byItsReader ? Task.FromCanceled(new CancellationToken(true)) : Task.Run(Read, None);
            await Task.Delay(i % 10, None);
            client.Dispose();
            client.Dispose();
            await Assert.ThrowsAnyAsync<OperationCanceledException>(() => answer);
            Exception? turn = await Record.ExceptionAsync(() => waiting);
            Assert.True(turn is OperationCanceledException or ObjectDisposedException, $"{turn}"); // the latter where it was not begun
            await Assert.ThrowsAsync<ObjectDisposedException>(() => client.GetResponseAsync("Hello", null, None));
            model.Dispose();
            Assert.Throws<ObjectDisposedException>(() => model.File.View.Length); // no session holds it any more
        }
    }

    [Fact]
    public async Task AClientDisposedBeforeTheFirstToken_EndsItAsCancelled()
    {
        for (int i = 0; i < 40; i++)
        {
            var client = new QedChatClient(_model, new SessionOptions { Threads = 1, Overflow = ContextOverflow.Slide });
            Task<ChatResponse> answer = client.GetResponseAsync("Hello", Endless, None); // its work is queued, or begins
            client.Dispose();
            Exception? end = await Record.ExceptionAsync(() => answer);
            Assert.True(end is OperationCanceledException, $"{end}");
        }
    }

    [Fact]
    public async Task WhatAQedCannotDo_IsSaid()
    {
        await Assert.ThrowsAsync<NotSupportedException>(() => _client.GetResponseAsync("x", new ChatOptions { Tools = [new HostedWebSearchTool()] }, None));
        await Assert.ThrowsAsync<NotSupportedException>(() => _client.GetResponseAsync("x", new ChatOptions { ResponseFormat = ChatResponseFormat.Json }, None));
        await Assert.ThrowsAsync<NotSupportedException>(() => _client.GetResponseAsync("x", new ChatOptions { ConversationId = "1" }, None));
        await Assert.ThrowsAsync<NotSupportedException>(() => _client.GetResponseAsync([new(ChatRole.User, [new DataContent(new byte[] { 1 }, "image/png")])], null, None));
        await Assert.ThrowsAsync<NotSupportedException>(() => _client.GetResponseAsync([new(new ChatRole("ghost"), "x")], null, None));
        await Assert.ThrowsAsync<NotSupportedException>(() => _client.GetResponseAsync("x", new ChatOptions { ModelId = "other" }, None));
        await Assert.ThrowsAsync<NotSupportedException>(() => _client.GetResponseAsync("x", new ChatOptions { ToolMode = ChatToolMode.RequireAny }, None));
        await Assert.ThrowsAsync<NotSupportedException>(() => _client.GetResponseAsync("x", new ChatOptions { RawRepresentationFactory = _ => "x" }, None));
        await Assert.ThrowsAsync<InvalidOptionException>(() => _client.GetResponseAsync("x", new ChatOptions { StopSequences = [""] }, None));
        await Assert.ThrowsAsync<ContextLengthException>(() => _client.GetResponseAsync(new string('x', 10_000), null, None));
        await Assert.ThrowsAsync<InvalidOptionException>(() => _client.GetResponseAsync("x", new ChatOptions { TopP = 2 }, None));
    }

    private static ChatOptions Endless { get; } = new() { RawRepresentationFactory = _ => new GenerationOptions { MaxTokens = 100_000, IgnoreEos = true, Sampling = new() { Temperature = 0 } } };

    private static ChatOptions Options(long seed) => new() { Seed = seed, Temperature = 0.9f, MaxOutputTokens = 40 };
}
