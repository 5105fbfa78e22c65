using System.Text;
using QedEdge.Conversion.Checkpoints;
using QedEdge.Fuzz.Mutation;
using QedEdge.Text;

namespace QedEdge.Fuzz.Targets;

/// <summary>A checkpoint's tokenizer.json: read, and text run through the tokenizer.</summary>
internal sealed class TokenizerTarget : Target
{
    private string _file = "";
    private Checkpoint _checkpoint = null!;
    private TokenizerConfig _config = null!;

    public override IEnumerable<byte[]> Seeds(string folder)
    {
        Samples.Checkpoint(folder);
        _checkpoint = Checkpoint.Open(folder);
        _config = TokenizerConfig.ReadFolder(folder);
        _file = Path.Combine(folder, TokenizerJson.FileName);
        return [Encoding.UTF8.GetBytes(Samples.Tokenizer()), Encoding.UTF8.GetBytes(Samples.Tokenizer(rich: true))];
    }

    public override byte[] Mutate(Random random, byte[] input, byte[] other) => JsonChanges.Mutate(random, input, other);

    public override string Execute(Input input)
    {
        File.WriteAllBytes(_file, input.Bytes);
        var tokenizer = new Tokenizer(TokenizerJson.Read(_file, _checkpoint, _config, []));
        var ids = new List<int>();
        tokenizer.Encode(Samples.Text, ids);
        _ = tokenizer.Decode(ids.ToArray());
        return "tokenizes";
    }
}
