using System.Text.Json;
using System.Text.Json.Nodes;
using QedEdge.Conversion.Checkpoints;
using QedEdge.Text;

namespace QedEdge.Tests.Text;

/// <summary>A tokenizer of nine tokens, as a tokenizer.json that tests can damage.</summary>
internal static class TinyTokenizer
{
    public const string Path = "tokenizer.json";

    public static JsonObject Json() => JsonNode.Parse("""
        {
          "added_tokens": [
            { "id": 0, "content": "<unk>", "special": true, "normalized": false },
            { "id": 1, "content": "<eos>", "special": true, "normalized": false }
          ],
          "normalizer": null,
          "pre_tokenizer": { "type": "ByteLevel", "add_prefix_space": false, "use_regex": true },
          "post_processor": null,
          "decoder": { "type": "ByteLevel" },
          "model": {
            "type": "BPE", "dropout": null, "unk_token": "<unk>", "fuse_unk": false, "byte_fallback": false, "ignore_merges": false,
            "vocab": { "<unk>": 0, "<eos>": 1, "a": 2, "b": 3, "Ġ": 4, "ab": 5, "Ġab": 6 },
            "merges": ["a b", "Ġ ab"]
          }
        }
        """)!.AsObject();

    public static TokenizerData Read(string json)
    {
        using JsonDocument document = JsonDocument.Parse(json);
        TokenizerData data = TokenizerJson.Read(document.RootElement, Path, 0);
        TokenizerJson.ReadTemplate(document.RootElement, data.Tokens, Path);
        return data;
    }

    public static Tokenizer Create(bool unknown)
    {
        JsonObject json = Json();
        if (!unknown)
            json["model"]!["unk_token"] = null;
        TokenizerData data = Read(json.ToJsonString());
        return new Tokenizer(data with { EosId = 1 });
    }
}
