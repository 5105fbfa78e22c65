// Tells a story, token by token, and says which of two endings is likelier.
using QedEdge;
using QedEdge.Evaluation;
using QedEdge.Generation;

using QedModel model = QedModel.Open(args[0]);
using Session session = model.CreateSession();

int[] prompt = model.Tokenizer!.EncodePrompt("Once upon a time");
GenerationOptions options = GenerationOptions.Of(model); // what the model's file asks for
options = options with { MaxTokens = 50, Sampling = options.Sampling with { Seed = 7 } };
var text = new GeneratedText(model.Tokenizer, stops: [], piece => Console.Write(piece));
new Generator(session, options).Run(prompt, (id, logits) => text.Append(id));
text.End();
Console.WriteLine();

ChoiceScore[] scores = ChoiceScorer.Score(session, "The king was very", [" old", " Tuesday"]);
Console.WriteLine(scores[0].Sum > scores[1].Sum ? "old" : "Tuesday");
