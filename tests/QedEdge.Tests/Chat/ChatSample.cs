using System.Text.Json.Nodes;
using QedEdge.Chat;
using QedEdge.Gguf;
using QedEdge.Tests.Text;
using QedEdge.Text;

namespace QedEdge.Tests.Chat;

/// <summary>A chat template with a small tokenizer that has the special tokens of many models.</summary>
internal sealed class ChatSample : IDisposable
{
    private readonly string _file = Path.GetTempFileName();
    private readonly GgufFile _gguf;

    /// <summary>What begins and ends turns in published formats.</summary>
    public static string[] Special { get; } =
    [
        "<s>", "</s>", "<|im_start|>", "<|im_end|>", "<|user|>", "<|assistant|>", "<|system|>", "<|end|>", "<|endoftext|>", "<end_of_turn>", "<start_of_turn>", "<|eot_id|>", "<|start|>",
        "<|message|>", "<|channel|>", "<|call|>", "<|return|>", "[INST]", "[/INST]", "[TOOL_CALLS]", "[TOOL_RESULTS]", "<|start_of_role|>", "<|end_of_role|>", "<|end_of_text|>", "<|end_of_turn|>",
    ];

    /// <param name="source">The template, or null for a file that has none.</param>
    /// <param name="further">Another template and its name, or null.</param>
    /// <param name="architecture">The file's architecture.</param>
    public ChatSample(string? source, (string Name, string Source)? further = null, string architecture = "llama")
    {
        JsonObject json = TinyTokenizer.Json();
        for (int i = 0; i < Special.Length; i++)
            json["added_tokens"]!.AsArray().Add(new JsonObject { ["id"] = 7 + i, ["content"] = Special[i], ["special"] = true, ["normalized"] = false });
        TokenizerData data = TinyTokenizer.Read(json.ToJsonString());
        Tokenizer = new Tokenizer(data with { BosId = 7, EosId = 1 });
        var writer = new GgufWriter();
        writer.Add(GgufKeys.Architecture, architecture);
        if (source is not null)
            writer.Add(GgufKeys.ChatTemplate, source);
        if (further is { } other)
            writer.Add($"{GgufKeys.ChatTemplate}.{other.Name}", other.Source);
        using (FileStream stream = File.Create(_file))
        {
            writer.Begin(stream);
            writer.End();
        }
        _gguf = GgufFile.Open(_file);
    }

    public Tokenizer Tokenizer { get; }

    /// <summary>The template, as a model's.</summary>
    public ChatTemplate? Open() => ChatTemplate.Open(_gguf, Tokenizer);

    /// <summary>The special tokens among ids, by their texts.</summary>
    public string[] SpecialOf(IEnumerable<int> ids) => [.. ids.Where(Tokenizer.IsSpecial).Where(id => id != Tokenizer.UnkId).Select(id => System.Text.Encoding.UTF8.GetString(Tokenizer.Piece(id)))];

    public void Dispose()
    {
        _gguf.Dispose();
        File.Delete(_file);
    }
}
