// Two questions of one conversation through Microsoft.Extensions.AI; what the second shares with the first is not computed again.
using Microsoft.Extensions.AI;
using QedEdge;
using QedEdge.Extensions.AI;

using QedModel model = QedModel.Open(args[0]);
using IChatClient client = new QedChatClient(model);
var options = new ChatOptions { Seed = 1, MaxOutputTokens = 40 };

var conversation = new List<ChatMessage>();
foreach (string question in new[] { "Tell me about the king.", "And the queen?" })
{
    conversation.Add(new ChatMessage(ChatRole.User, question));
    var updates = new List<ChatResponseUpdate>();
    await foreach (ChatResponseUpdate update in client.GetStreamingResponseAsync(conversation, options))
    {
        Console.Write(update.Text);
        updates.Add(update);
    }
    ChatResponse response = updates.ToChatResponse();
    conversation.AddMessages(response);
    Console.WriteLine($"\n({response.Usage!.InputTokenCount} tokens in, {response.Usage.CachedInputTokenCount} of them known; {response.Usage.OutputTokenCount} out)");
}
