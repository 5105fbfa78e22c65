using BenchmarkDotNet.Attributes;
using QedEdge.Conversion;
using QedEdge.Gguf;
using QedEdge.Text;

namespace QedEdge.Benchmarks;

/// <summary>
/// Opening of a packed file that holds a vocabulary alone, header and tokenizer, the file being in the page cache. Run with
/// <c>dotnet run --project bench/QedEdge.Benchmarks -c Release -- --filter *VocabularyOpening* --job short</c>.
/// </summary>
[MemoryDiagnoser]
public class VocabularyOpeningBenchmarks
{
    private string _file = "";

    public static IEnumerable<string> Names => Vocabularies.Names;

    [ParamsSource(nameof(Names))]
    public string Vocabulary { get; set; } = "";

    [GlobalSetup]
    public void Setup()
    {
        _file = Path.GetTempFileName();
        var writer = new GgufWriter();
        writer.Add(GgufKeys.Architecture, "llama");
        TokenizerConversion.Write(writer, Vocabularies.Read(Vocabulary), FileLayout.Packed);
        using FileStream stream = File.Create(_file);
        writer.Begin(stream);
        writer.End();
    }

    [GlobalCleanup]
    public void Cleanup() => File.Delete(_file);

    [Benchmark]
    public int Open()
    {
        using GgufFile file = GgufFile.Open(_file);
        return Tokenizer.Open(file)!.VocabSize;
    }
}
