using System.IO.Compression;
using System.Runtime.CompilerServices;
using System.Text.Json;
using QedEdge.Conversion.Checkpoints;
using QedEdge.Text;

namespace QedEdge.Benchmarks;

/// <summary>The vocabularies that are committed.</summary>
internal static class Vocabularies
{
    /// <summary>The repository's folder.</summary>
    public static string Root => Path.GetFullPath("../..", Path.GetDirectoryName(Source())!);

    /// <summary>Their names.</summary>
    public static IEnumerable<string> Names => Directory.EnumerateDirectories(Path.Combine(Root, "tests", "tokenizers-real"))
        .Where(folder => File.Exists(Path.Combine(folder, "tokenizer.json.br"))).Select(folder => Path.GetFileName(folder)).Order(StringComparer.Ordinal);

    /// <summary>Reads one.</summary>
    public static TokenizerData Read(string name)
    {
        using JsonDocument json = JsonDocument.Parse(Unpack(name, "tokenizer.json"));
        return TokenizerJson.Read(json.RootElement, "tokenizer.json", 0);
    }

    /// <summary>A file of one.</summary>
    public static byte[] Unpack(string name, string file)
    {
        using var packed = new BrotliStream(File.OpenRead(Path.Combine(Root, "tests", "tokenizers-real", name, file + ".br")), CompressionMode.Decompress);
        using var bytes = new MemoryStream();
        packed.CopyTo(bytes);
        return bytes.ToArray();
    }

    private static string Source([CallerFilePath] string path = "") => path;
}
