using Microsoft.Extensions.AI;
using QedEdge;
using QedEdge.Extensions.AI;
using QedEdge.Generation;

using QedModel model = QedModel.Open(args[0]);
using Session session = model.CreateSession();
int[] prompt = model.Tokenizer!.EncodePrompt("Once upon a time");
GenerationOptions options = GenerationOptions.Of(model);
var text = new GeneratedText(model.Tokenizer, [], piece => Console.Write(piece));
new Generator(session, options with { MaxTokens = 50, Sampling = options.Sampling with { Seed = 7 } }).Run(prompt, (id, _) => text.Append(id));
text.End();
Console.WriteLine();

using IChatClient client = new QedChatClient(model);
ChatResponse response = await client.GetResponseAsync("Hello", new ChatOptions { Temperature = 0, MaxOutputTokens = 20 });
Console.WriteLine($"{response.Usage!.OutputTokenCount} {response.FinishReason}");
Console.WriteLine(System.Runtime.CompilerServices.RuntimeFeature.IsDynamicCodeSupported ? "compiled while it runs" : "compiled ahead of time");
