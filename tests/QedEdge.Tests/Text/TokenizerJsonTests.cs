using System.Text.Json.Nodes;
using QedEdge.Conversion;

namespace QedEdge.Tests.Text;

/// <summary>What a tokenizer.json must not ask for, each refused by name; and what it may.</summary>
public sealed class TokenizerJsonTests
{
    public static TheoryData<string, string, string> Refused => new()
    {
        { "normalizer", """{"type":"NFKC"}""", "NFKC" },
        { "normalizer", """{"type":"Sequence","normalizers":[{"type":"NFC"},{"type":"Lowercase"}]}""", "'NFC', 'Lowercase'" },
        { "normalizer", """{"type":"Sequence"}""", "normalizers" },
        { "normalizer", """{"type":"Replace","pattern":{"String":" "},"content":"_"}""", "Replace" },
        { "normalizer", """{"type":"Replace","pattern":{"String":" "},"content":"▁"}""", "spaces" },
        { "normalizer", """{"type":"\ud800"}""", "Unicode" },
        { "pre_tokenizer", """{"type":5}""", "type" },
        { "pre_tokenizer", "null", "decoder 'ByteLevel'" },
        { "pre_tokenizer", """{"type":"Metaspace"}""", "Metaspace" },
        { "pre_tokenizer", """{"type":"ByteLevel","add_prefix_space":true}""", "add_prefix_space" },
        { "pre_tokenizer", """{"type":"ByteLevel","add_prefix_space":false,"use_regex":false}""", "regular expression" },
        { "pre_tokenizer", """{"type":"Sequence","pretokenizers":[{"type":"Digits","individual_digits":false},{"type":"ByteLevel","add_prefix_space":false}]}""", "Digits" },
        { "pre_tokenizer", """{"type":"Sequence","pretokenizers":[{"type":"Split"},{"type":"ByteLevel","add_prefix_space":false}]}""", "Split" },
        { "pre_tokenizer", """{"type":"Sequence","pretokenizers":[{"type":"Split","pattern":{"Regex":"\\d+"},"behavior":"Isolated"},{"type":"ByteLevel","add_prefix_space":false,"use_regex":false}]}""", "the regular expression '\\d+'" },
        { "decoder", """{"type":"Metaspace"}""", "decoder" },
        { "post_processor", """{"type":"BertProcessing"}""", "BertProcessing" },
        { "model.type", "\"Unigram\"", "Unigram" },
        { "model.type", "5", "model.type" },
        { "model.dropout", "0.1", "dropout" },
        { "model.byte_fallback", "true", "byte_fallback" },
        { "model.continuing_subword_prefix", "\"##\"", "continuing_subword_prefix" },
        { "model.continuing_subword_prefix", "7", "continuing_subword_prefix" },
        { "model.end_of_word_suffix", "\"</w>\"", "end_of_word_suffix" },
        { "model.unk_token", "\"<nothing>\"", "unk_token" },
        { "model.unk_token", "5", "unk_token" },
        { "model.vocab", "[]", "model.vocab" },
        { "model.vocab", "{}", "model." },
        { "model.vocab", """{"<unk>":0,"<eos>":1,"a":2,"b":2}""", "model.vocab" },
        { "model.vocab", """{"<unk>":0,"<eos>":1,"":2}""", "model.vocab" },
        { "model.vocab", """{"<unk>":0,"<eos>":1,"a":-1}""", "model.vocab" },
        { "model.vocab", """{"<unk>":0,"<eos>":1,"\ud800":2}""", "model.vocab" },
        { "model.merges", "{}", "model.merges" },
        { "model.merges", "[\"ab\"]", "model.merges" },
        { "model.merges", "[\"a b c\"]", "model.merges" },
        { "model.merges", "[[\"a\"]]", "model.merges" },
        { "model.merges", "[[\"a\",\"\\ud800\"]]", "model.merges" },
        { "model.merges", "[\"b a\"]", "model.merges" },
        { "model.merges", "[\"a b\",\"a b\"]", "model.merges" },
        { "added_tokens", "{}", "added_tokens" },
        { "added_tokens", """[{"id":0,"content":"<unk>","special":true,"single_word":true}]""", "single_word" },
        { "added_tokens", """[{"id":2,"content":"<x>","special":true}]""", "added_tokens" },
        { "added_tokens", """[{"id":7,"content":"","special":true}]""", "added_tokens" },
        { "added_tokens", """[{"id":7,"content":"\ud800","special":true}]""", "added_tokens" },
        // In the vocabulary é is the byte E9, in text it is the two bytes C3 A9.
        { "added_tokens", """[{"id":7,"content":"é","special":false}]""", "added_tokens" },
    };

    [Theory]
    [MemberData(nameof(Refused))]
    public void Read_WhatIsNotExact_IsRefusedByName(string key, string value, string named)
    {
        string text = TinyTokenizer.Json().ToJsonString();
        var error = Assert.ThrowsAny<QedException>(() => TinyTokenizer.Read(With(text, key, value)));
        Assert.Contains(named, error.Message, StringComparison.Ordinal);
        Assert.DoesNotContain('\n', error.Message);
    }

    /// <summary>A user learns of everything at once.</summary>
    [Fact]
    public void Read_SeveralThings_AreRefusedTogether()
    {
        JsonObject json = TinyTokenizer.Json();
        json["normalizer"] = JsonNode.Parse("""{"type":"NFKC"}""");
        json["pre_tokenizer"] = JsonNode.Parse("""{"type":"Whitespace"}""");
        json["decoder"] = JsonNode.Parse("""{"type":"WordPiece"}""");
        json["model"]!["dropout"] = 0.5;
        string message = Assert.ThrowsAny<QedException>(() => TinyTokenizer.Read(json.ToJsonString())).Message;
        Assert.Contains("model.dropout: dropout; normalizer: normalizer 'NFKC'; pre_tokenizer: pre-tokenizer 'Whitespace'; decoder: decoder 'WordPiece' cannot be tokenized", message, StringComparison.Ordinal);
    }

    [Fact]
    public void Read_AnEmptyObject_IsSaidToLackItsModel() =>
        Assert.Contains("key 'model': the key is missing", Assert.ThrowsAny<QedException>(() => TinyTokenizer.Read("{}")).Message, StringComparison.Ordinal);

    [Theory]
    [InlineData("post_processor", """{"type":"ByteLevel","trim_offsets":false}""")]
    [InlineData("post_processor", """{"type":"TemplateProcessing","single":[{"Sequence":{"id":"A","type_id":0}},{"SpecialToken":{"id":"<eos>","type_id":0}}]}""")]
    [InlineData("pre_tokenizer", """{"type":"Sequence","pretokenizers":[{"type":"ByteLevel","add_prefix_space":false}]}""")]
    [InlineData("normalizer", """{"type":"NFC"}""")]
    [InlineData("normalizer", """{"type":"Sequence","normalizers":[]}""")]
    [InlineData("model.ignore_merges", "true")]
    [InlineData("model.fuse_unk", "true")]
    [InlineData("added_tokens", """[{"id":0,"content":"<unk>","special":true,"rstrip":true,"lstrip":true}]""")]
    [InlineData("post_processor", """{"type":"Sequence","processors":[{"type":"ByteLevel"},{"type":"TemplateProcessing","single":[{"SpecialToken":{"id":"<eos>","type_id":0}},{"Sequence":{"id":"A","type_id":0}}]}]}""")]
    [InlineData("model.dropout", "0.0")]
    [InlineData("model.end_of_word_suffix", "\"\"")]
    [InlineData("model.merges", """[["a","b"],["Ġ","ab"]]""")]
    [InlineData("added_tokens", """[{"id":9,"content":"<x>","special":false,"normalized":true}]""")]
    public void Read_WhatChangesNothing_IsTaken(string key, string value) =>
        TokenizerCrossCheck.Compare(TinyTokenizer.Read(With(TinyTokenizer.Json().ToJsonString(), key, value)), TinyTokenizer.Path, "ab abΩ<eos> <x>ab");

    /// <summary>The text with one value replaced; as text, since JsonNode would not hold lone surrogates.</summary>
    private static string With(string json, string key, string value)
    {
        const string mark = "REPLACE-HERE";
        JsonObject root = JsonNode.Parse(json)!.AsObject();
        JsonObject parent = key.StartsWith("model.", StringComparison.Ordinal) ? root["model"]!.AsObject() : root;
        parent[key[(key.IndexOf('.') + 1)..]] = mark;
        return root.ToJsonString().Replace($"\"{mark}\"", value, StringComparison.Ordinal);
    }
}
