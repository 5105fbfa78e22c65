using System.Text;
using System.Text.Json;
using QedEdge.Chat;
using QedEdge.Conversion.Checkpoints;
using QedEdge.Fuzz.Mutation;
using QedEdge.Gguf;
using QedEdge.Text;

namespace QedEdge.Fuzz.Targets;

/// <summary>A chat template as a model file carries it, in front of a NUL, and messages behind it, parted by NULs: parsed, run, encoded, and how turns end asked for.</summary>
internal sealed class ChatTarget : Target
{
    private static readonly string[] Roles = ["system", "user", "assistant", "tool", ""];

    private static readonly string[] Templates =
    [
        ChatTemplate.Qed,
        "{%- for m in messages %}\n{{- '<|im_start|>' + m.role ~ m['content']|trim + '<|im_end|>' }}\n{%- if not loop.last and m.role in ['user', 'tool'] %}{{ loop.index0 }}{% endif %}{% endfor %}",
        "{% set ns = namespace(n=0, t='') %}{% for m in messages[::-1] if m.content is string %}{% set ns.n = ns.n + 1 %}{% set ns.t = ns.t ~ m.content[-2:]|upper %}{% endfor %}{{ ns.n }}{{ ns.t }}",
        "{% macro show(x, y=1) %}{{ x|tojson(indent=2) }}{{ y }}{% endmacro %}{{ show(messages, y={'a': [1.5, none, true]}) }}{{ messages|map(attribute='role')|join(', ') }}",
        "{% set c = messages[0].content.split('a')[-1].lstrip('\\n').replace('b', 'z' ~ loop) %}{{ c if c else 'x' * 3 }}{{ messages|selectattr('role', 'equalto', 'user')|list|length }}",
        "{% if messages|length > 2 and messages[1].role != 'user' %}{{ raise_exception('No ' + messages[1].role) }}{% else %}{{ strftime_now('%d %b %Y') }}{{ messages }}{% endif %}",
    ];

    private TokenizerData _data = null!;
    private string _file = null!;

    public override int Share => 20;

    /// <summary>A template may make as much as its limits let it.</summary>
    public override long FixedBytes => 1L << 30;

    public override IEnumerable<byte[]> Seeds(string folder)
    {
        using var document = JsonDocument.Parse(Samples.Tokenizer());
        _data = TokenizerJson.Read(document.RootElement, TokenizerJson.FileName, 0);
        _file = Path.Combine(folder, "template.gguf");
        return [.. Templates.SelectMany(template => new[] { "ab", "ab\0a b\0ab<eos>" }.Select(messages => Encoding.UTF8.GetBytes($"{template}\0{messages}")))];
    }

    public override byte[] Mutate(Random random, byte[] input, byte[] other) => random.Next(3) > 0
        ? Bytes.Change(random, input, other)
        : [.. Encoding.UTF8.GetBytes(Templates[random.Next(Templates.Length)]), 0, .. Bytes.Change(random, input.AsSpan().IndexOf((byte)0) is >= 0 and var end ? input[(end + 1)..] : input, other)];

    public override string Execute(Input input)
    {
        string[] parts = Encoding.UTF8.GetString(input.Bytes).Split('\0');
        var writer = new GgufWriter();
        writer.Add(GgufKeys.ChatTemplate, parts[0]);
        using (FileStream stream = File.Create(_file))
        {
            writer.Begin(stream);
            writer.End();
        }
        using GgufFile file = GgufFile.Open(_file);
        var tokenizer = new Tokenizer(_data with { BosId = -1, EosId = -1 });
        ChatTemplate template = ChatTemplate.Open(file, tokenizer)!;
        _ = template.StopTexts;
        ChatMessage[] messages = [.. parts.Skip(1).Select((text, i) => new ChatMessage(Roles[text.Length % 7 == 6 ? 3 + i % 2 : i % 3], text))];
        RenderedText text = template.Render(new Conversation { Messages = messages, Now = DateTime.UnixEpoch });
        bool mayBeSpecial = parts[0].Contains('<', StringComparison.Ordinal); // else the template has no text of a special token
        if (!mayBeSpecial && template.Encode(text).Any(id => id != tokenizer.UnkId && tokenizer.IsSpecial(id)))
            throw new FaultException("what a user wrote became a special token");
        return "rendered";
    }
}
