using System.Text;
using System.Text.Json;
using QedEdge.Conversion.Checkpoints;
using QedEdge.Fuzz.Mutation;
using QedEdge.Text;

namespace QedEdge.Fuzz.Targets;

/// <summary>A chat template as a model file carries it, in front of a NUL, and messages behind it, parted by NULs: recognised, rendered, encoded.</summary>
internal sealed class ChatTarget : Target
{
    private static readonly string[] Roles = ["system", "user", "assistant", "tool", ""];
    private TokenizerData _data = null!;

    public override int Share => 10;

    public override IEnumerable<byte[]> Seeds(string folder)
    {
        using var document = JsonDocument.Parse(Samples.Tokenizer());
        _data = TokenizerJson.Read(document.RootElement, TokenizerJson.FileName, 0);
        return [.. new[] { "", "ab", "ab\0a b\0ab<eos>" }.Select(messages => Encoding.UTF8.GetBytes($"{ChatTemplate.Jinja}\0{messages}"))];
    }

    public override byte[] Mutate(Random random, byte[] input, byte[] other) => random.Next(3) > 0
        ? [.. Encoding.UTF8.GetBytes(ChatTemplate.Jinja), 0, .. Bytes.Change(random, input.AsSpan().IndexOf((byte)0) is >= 0 and var end ? input[(end + 1)..] : input, other)]
        : Bytes.Change(random, input, other);

    public override string Execute(Input input)
    {
        string[] parts = Encoding.UTF8.GetString(input.Bytes).Split('\0');
        var tokenizer = new Tokenizer(_data with { BosId = 1, EosId = 1, ChatTemplate = parts[0] });
        ChatTemplate.EnsureSupported(tokenizer, "model.gguf");
        ChatMessage[] messages = [.. parts.Skip(1).Select((text, i) => new ChatMessage(Roles[text.Length % 7 == 6 ? 3 + i % 2 : i % 3], text))];
        List<int> ids = ChatTemplate.Encode(tokenizer, messages);
        if (ids.Skip(1).Any(id => id == 1))
            throw new FaultException("what a user wrote became a special token");
        return "rendered";
    }
}
