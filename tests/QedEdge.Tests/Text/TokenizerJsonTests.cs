using System.Text.Json.Nodes;
using QedEdge.Conversion;

namespace QedEdge.Tests.Text;

/// <summary>What a tokenizer.json must not ask for, each refused by name; and what it may.</summary>
public sealed class TokenizerJsonTests
{
    public static TheoryData<string, string, string> Refused => new()
    {
        { "normalizer", """{"type":"NFC"}""", "NFC" },
        { "normalizer", """{"type":"\ud800"}""", "Unicode" },
        { "pre_tokenizer", """{"type":5}""", "type" },
        { "pre_tokenizer", "null", "none is set" },
        { "pre_tokenizer", """{"type":"Metaspace"}""", "Metaspace" },
        { "pre_tokenizer", """{"type":"ByteLevel","add_prefix_space":true}""", "add_prefix_space" },
        { "pre_tokenizer", """{"type":"ByteLevel","add_prefix_space":false,"use_regex":false}""", "regular expression" },
        { "pre_tokenizer", """{"type":"Sequence","pretokenizers":[{"type":"Digits","individual_digits":false},{"type":"ByteLevel","add_prefix_space":false}]}""", "Digits" },
        { "pre_tokenizer", """{"type":"Sequence","pretokenizers":[{"type":"Split"},{"type":"ByteLevel","add_prefix_space":false}]}""", "Split" },
        { "decoder", """{"type":"Metaspace"}""", "decoder" },
        { "post_processor", """{"type":"BertProcessing"}""", "BertProcessing" },
        { "model.type", "\"Unigram\"", "Unigram" },
        { "model.type", "5", "model.type" },
        { "model.dropout", "0.1", "dropout" },
        { "model.byte_fallback", "true", "byte_fallback" },
        { "model.ignore_merges", "true", "ignore_merges" },
        { "model.fuse_unk", "true", "fuse_unk" },
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
        { "added_tokens", """[{"id":0,"content":"<unk>","special":true,"lstrip":true}]""", "lstrip" },
        { "added_tokens", """[{"id":0,"content":"<unk>","special":true,"rstrip":true}]""", "rstrip" },
        { "added_tokens", """[{"id":0,"content":"<unk>","special":true,"single_word":true}]""", "single_word" },
        { "added_tokens", """[{"id":2,"content":"<x>","special":true}]""", "added_tokens" },
        { "added_tokens", """[{"id":7,"content":"","special":true}]""", "added_tokens" },
        { "added_tokens", """[{"id":7,"content":"\ud800","special":true}]""", "added_tokens" },
        // In the vocabulary é is the byte E9, in text it is the two bytes C3 A9.
        { "added_tokens", """[{"id":7,"content":"é","special":false}]""", "added_tokens" },
        // Hugging Face looks for the ones before the others, so overlaps are not leftmost-longest.
        { "added_tokens", """[{"id":7,"content":"<x","special":false,"normalized":true},{"id":8,"content":"x>","special":true,"normalized":false}]""", "normalized" },
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

    [Fact]
    public void Read_AnEmptyObject_IsSaidToLackItsModel() =>
        Assert.Contains("key 'model': the key is missing", Assert.ThrowsAny<QedException>(() => TinyTokenizer.Read("{}")).Message, StringComparison.Ordinal);

    [Theory]
    [InlineData("post_processor", """{"type":"ByteLevel","trim_offsets":false}""")]
    [InlineData("post_processor", """{"type":"TemplateProcessing","single":[{"Sequence":{"id":"A","type_id":0}},{"SpecialToken":{"id":"<eos>","type_id":0}}]}""")]
    [InlineData("pre_tokenizer", """{"type":"Sequence","pretokenizers":[{"type":"ByteLevel","add_prefix_space":false}]}""")]
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
