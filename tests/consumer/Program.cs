using Microsoft.Extensions.AI;
using QedEdge;
using QedEdge.Extensions.AI;
using QedEdge.Generation;

using QedModel model = QedModel.Open(args[0]);
using Session session = model.CreateSession();
GenerationOptions options = GenerationOptions.Of(model);
await foreach (string piece in session.GenerateAsync("Once upon a time", options with { MaxTokens = 50, Sampling = options.Sampling with { Seed = 7 } }))
    Console.Write(piece);
Console.WriteLine();

using IChatClient client = new QedChatClient(model);
ChatResponse response = await client.GetResponseAsync("Hello", new ChatOptions { Temperature = 0, MaxOutputTokens = 20 });
Console.WriteLine($"{response.Usage!.OutputTokenCount} {response.FinishReason}");
Console.WriteLine(System.Runtime.CompilerServices.RuntimeFeature.IsDynamicCodeSupported ? "compiled while it runs" : "compiled ahead of time");
Console.WriteLine(model.InstructionSet == "scalar" ? "scalar" : "vectors");
