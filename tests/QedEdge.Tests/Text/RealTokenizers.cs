using System.IO.Compression;
using System.Runtime.InteropServices;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using QedEdge.Conversion.Checkpoints;
using QedEdge.Text;

namespace QedEdge.Tests.Text;

/// <summary>
/// Tokenizers of published models with what Hugging Face's own implementation makes of texts and ids: those whose licence allows it are committed, packed; of the others the cases are,
/// and the vocabularies are looked for in the packages that QED_NODE_LLAMA names.
/// </summary>
internal static class RealTokenizers
{
    private static readonly Dictionary<string, TokenizerData> Read = [];

    /// <summary>Their names.</summary>
    public static IEnumerable<string> Names { get; } = [.. Directory.EnumerateDirectories(Folder).Select(folder => Path.GetFileName(folder)).Order(StringComparer.Ordinal)];

    private static string Folder => Path.Combine(TestData.Root, "tests", "tokenizers-real");

    /// <summary>A tokenizer; the test is skipped where its vocabulary is missing.</summary>
    public static TokenizerData Data(string name)
    {
        lock (Read)
        {
            if (Read.TryGetValue(name, out TokenizerData? known))
                return known;
            using JsonDocument document = JsonDocument.Parse(Json(name));
            TokenizerData data = TokenizerJson.Read(document.RootElement, "tokenizer.json", 0);
            (int? Bos, int? Eos)? template = TokenizerJson.ReadTemplate(document.RootElement, data.Tokens, "tokenizer.json");
            return Read[name] = data with { BosId = template?.Bos ?? -1, AddBos = template?.Bos is not null };
        }
    }

    /// <summary>A tokenizer's tokenizer.json.</summary>
    public static byte[] Json(string name)
    {
        if (File.Exists(Path.Combine(Folder, name, "tokenizer.json.br")))
            return Unpack(name, "tokenizer.json");
        string overlay = Path.Combine(Folder, name, "overlay.json");
        if (File.Exists(overlay))
        {
            JsonObject json = JsonNode.Parse(File.ReadAllText(overlay))!.AsObject(); // all of Llama 2's but its vocabulary and merges, which are Phi-3's
            json["model"] = JsonNode.Parse(Json("phi3"))!["model"]!.DeepClone();
            return Encoding.UTF8.GetBytes(json.ToJsonString());
        }
        Tools.Require(InPackage(name));
        return File.ReadAllBytes(InPackage(name));
    }

    /// <summary>Whether a tokenizer's vocabulary is here.</summary>
    public static bool IsPresent(string name) => !File.Exists(Path.Combine(Folder, name, "package.txt")) || File.Exists(InPackage(name));

    private static string InPackage(string name) =>
        Path.Combine(Environment.GetEnvironmentVariable("QED_NODE_LLAMA") ?? "/", "node_modules", File.ReadAllText(Path.Combine(Folder, name, "package.txt")).Trim());

    /// <summary>Texts with their ids, without special tokens and (where the case says) with them.</summary>
    public static IEnumerable<(string Text, int[] Ids, int[]? WithSpecial)> Cases(string name)
    {
        foreach (JsonElement line in Lines(name, "cases.jsonl"))
        {
            string text = line.TryGetProperty("utf16le_base64", out JsonElement raw) ? new string(MemoryMarshal.Cast<byte, char>(raw.GetBytesFromBase64())) : line.GetProperty("text").GetString()!;
            yield return (text, Ids(line.GetProperty("ids")), line.TryGetProperty("ids_with_special_tokens", out JsonElement special) ? Ids(special) : null);
        }
    }

    /// <summary>Ids with their text, without special tokens and with them.</summary>
    public static IEnumerable<(int[] Ids, string Text, string WithSpecial)> Decoded(string name)
    {
        foreach (JsonElement line in Lines(name, "decode.jsonl"))
            yield return (Ids(line.GetProperty("ids")), line.GetProperty("text").GetString()!, line.GetProperty("text_with_special_tokens").GetString()!);
    }

    private static int[] Ids(JsonElement list) => [.. list.EnumerateArray().Select(static id => id.GetInt32())];

    private static IEnumerable<JsonElement> Lines(string name, string file)
    {
        using var reader = new StreamReader(new MemoryStream(Unpack(name, file)));
        while (reader.ReadLine() is { } line)
        {
            using JsonDocument document = JsonDocument.Parse(line);
            yield return document.RootElement.Clone();
        }
    }

    private static byte[] Unpack(string name, string file)
    {
        using var packed = new BrotliStream(File.OpenRead(Path.Combine(Folder, name, file + ".br")), CompressionMode.Decompress);
        using var bytes = new MemoryStream();
        packed.CopyTo(bytes);
        return bytes.ToArray();
    }
}
