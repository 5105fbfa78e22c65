using System.Text;
using System.Text.Json;
using BenchmarkDotNet.Attributes;
using BenchmarkDotNet.Configs;
using BenchmarkDotNet.Running;
using QedEdge.Text;

namespace QedEdge.Benchmarks;

/// <summary>
/// Encoding of a megabyte, by each vocabulary that is committed: the sample model's held-out tales, and the texts of Qwen3's cases, which are in all scripts and full of what is rare. Run with
/// <c>dotnet run --project bench/QedEdge.Benchmarks -c Release -- --filter *Tokenizer* --job short</c>.
/// </summary>
[Config(typeof(Columns))]
public class TokenizerBenchmarks
{
    private const int Bytes = 1 << 20;

    private readonly List<int> _ids = new(Bytes);
    private Tokenizer _tokenizer = null!;
    private byte[] _text = [];

    public static IEnumerable<string> Names => Vocabularies.Names;

    [ParamsSource(nameof(Names))]
    public string Vocabulary { get; set; } = "";

    [Params("English", "mixed")]
    public string Text { get; set; } = "";

    [GlobalSetup]
    public void Setup()
    {
        _tokenizer = new Tokenizer(Vocabularies.Read(Vocabulary));
        byte[] once = Text == "English" ? File.ReadAllBytes(Path.Combine(Vocabularies.Root, "samples", "tiny-qed", "heldout.txt")) : Mixed();
        _text = new byte[Bytes];
        for (int at = 0; at < Bytes; at += once.Length)
            once.AsSpan(0, Math.Min(once.Length, Bytes - at)).CopyTo(_text.AsSpan(at));
        _text = Encoding.UTF8.GetBytes(Encoding.UTF8.GetString(_text).TrimEnd('\uFFFD')); // a character cut off at the end
    }

    [Benchmark]
    public int Encode()
    {
        _ids.Clear();
        _tokenizer.Encode(_text, _ids, EncodeOptions.Plain);
        return _ids.Count;
    }

    private static byte[] Mixed()
    {
        var text = new StringBuilder();
        using var lines = new StreamReader(new MemoryStream(Vocabularies.Unpack("qwen3", "cases.jsonl")));
        while (lines.ReadLine() is { } line)
        {
            using JsonDocument json = JsonDocument.Parse(line);
            if (json.RootElement.TryGetProperty("text", out JsonElement value))
                text.Append(value.GetString()).Append('\n');
        }
        return Encoding.UTF8.GetBytes(text.ToString());
    }

    private sealed class Columns : ManualConfig
    {
        public Columns() => AddColumn(new RateColumn("MB/s", static (BenchmarkCase _) => 1000.0 * Bytes));
    }
}
