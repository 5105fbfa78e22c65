using System.Text.Json;
using Microsoft.Extensions.AI;
using QedEdge.Chat;
using QedEdge.Extensions.AI;
using QedEdge.Generation;
using QedEdge.Tests.Published;
using ChatMessage = Microsoft.Extensions.AI.ChatMessage;

namespace QedEdge.Tests.Extensions;

/// <summary>A chat client with tools, of a model that answers with one token: thoughts, text, a call, and what became of it.</summary>
public sealed class ToolCallTests : IDisposable
{
    private const string Answer = "<think>\nHm.\n</think>\n\nI look.\n<tool_call>\n{\"name\": \"look\", \"arguments\": {\"at\": \"Rome\", \"days\": 2}}\n</tool_call>\n<tool_call>\n{\"name\": \"look\", \"arguments\": {}}\n</tool_call>";

    private static readonly CancellationToken None = TestContext.Current.CancellationToken;

    private readonly string _file = Path.GetTempFileName();
    private readonly QedModel _model;
    private readonly QedChatClient _client;

    public ToolCallTests()
    {
        File.WriteAllBytes(_file, ChangedSample.WithToken(Answer));
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
    public async Task Calls_ThoughtsAndText_AreContentsOfTheirOwn()
    {
        ChatResponse response = await _client.GetResponseAsync("Where?", Options(Look), None);
        FunctionCallContent[] calls = [.. response.Messages.Single().Contents.OfType<FunctionCallContent>()];
        Assert.Equal(("I look.", "Hm.", ChatFinishReason.ToolCalls), (response.Text.TrimEnd(), Thoughts(response).Trim(), response.FinishReason));
        Assert.Equal(["look", "look"], calls.Select(call => call.Name));
        Assert.Equal("""{"at":"Rome","days":2}""", JsonSerializer.Serialize(calls[0].Arguments));
        Assert.Empty(calls[1].Arguments!);
        Assert.NotEqual(calls[0].CallId, calls[1].CallId);
        Assert.NotEqual(calls[0].CallId, (await _client.GetResponseAsync("Where?", Options(Look), None)).Messages.Single().Contents.OfType<FunctionCallContent>().First().CallId);
    }

    /// <summary>As the template has them: the prompt that follows is that of the same conversation.</summary>
    [Fact]
    public async Task Results_GoOnWithTheConversation()
    {
        List<ChatMessage> messages = [new(ChatRole.User, "Where?")];
        ChatResponse response = await _client.GetResponseAsync(messages, Options(Look), None);
        messages.AddMessages(response);
        FunctionCallContent[] calls = [.. response.Messages.Single().Contents.OfType<FunctionCallContent>()];
        messages.Add(new(ChatRole.Tool, [new FunctionResultContent(calls[0].CallId, "warm"), new FunctionResultContent(calls[1].CallId, "cold")]));
        ChatResponse next = await _client.GetResponseAsync(messages, Options(Look), None);
        int[] prompt = _model.ChatTemplate!.Encode(new Conversation
        {
            Messages = [new("user", "Where?"), new("assistant", response.Text) { Reasoning = Thoughts(response) }, new("tool", "warm"), new("tool", "cold")],
        });
        Assert.Equal(prompt.Length, next.Usage!.InputTokenCount);
    }

    [Fact]
    public async Task WithoutTools_NothingIsACall()
    {
        foreach (ChatOptions options in new[] { Options(), Options(Look) })
        {
            options.ToolMode = ChatToolMode.None;
            ChatResponse response = await _client.GetResponseAsync("Where?", options, None);
            Assert.Empty(response.Messages.Single().Contents.OfType<FunctionCallContent>());
            Assert.Contains("<tool_call>", response.Text);
            Assert.Equal(ChatFinishReason.Stop, response.FinishReason);
        }
    }

    private static AIFunction Look { get; } = AIFunctionFactory.Create((string at, int days) => $"{at} {days}", "look", "Looks at the weather");

    private static string Thoughts(ChatResponse response) => string.Concat(response.Messages.Single().Contents.OfType<TextReasoningContent>().Select(content => content.Text));

    private static ChatOptions Options(params AITool[] tools) => new()
    {
        Tools = tools,
        StopSequences = ["</tool_call><think>"], // the answer's end, and what it would begin again with
        RawRepresentationFactory = _ => new GenerationOptions { MaxTokens = 2, Sampling = new() { Temperature = 0, LogitBias = new Dictionary<int, float> { [0] = 1000 } } },
    };
}
