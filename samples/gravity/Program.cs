// The example of QED-75M's model card (generate_gravity_example.py): the same question, the same options, and what it prints.
using QedEdge;
using QedEdge.Generation;
using QedEdge.Text;

using QedModel model = QedModel.Open(args[0]);
using Session session = model.CreateSession();
Tokenizer tokenizer = model.Tokenizer!;

var ids = new List<int>();
tokenizer.Encode("Explain gravity in one sentence. \n<|assistant|>", ids); // special tokens: none is added
int[] prompt = ids.ToArray();
var options = new GenerationOptions { MaxTokens = 64, Sampling = new() { Temperature = 0.8f, TopK = 50, Seed = args.Length > 1 ? ulong.Parse(args[1]) : (ulong)Random.Shared.Next() } };
new Generator(session, options).Run(prompt, (id, logits) =>
{
    ids.Add(id);
    return true;
});
Console.WriteLine(tokenizer.Decode(ids.ToArray()));
