using System.Globalization;
using QedEdge.Chat;
using QedEdge.Conversion;
using QedEdge.Gguf;
using QedEdge.Model;
using QedEdge.Sampling;
using QedEdge.Text;

#pragma warning disable xUnit1051 // every call here takes milliseconds; none needs to be cancelled

namespace QedEdge.Tests.Conversion;

/// <summary>
/// Special ids, prompts, sampling defaults and chat templates from the files that Hugging Face keeps them in. The checkpoint is the
/// sample model, whose config.json and tokenizer.json have: <c>&lt;pad&gt;</c> 0, <c>&lt;bos&gt;</c> 1, <c>&lt;eos&gt;</c> 2, <c>&lt;unk&gt;</c> 3.
/// </summary>
public sealed class SpecialTokensTests : IDisposable
{
    private const string Config = "config.json", Generation = "generation_config.json", TokenizerFile = "tokenizer.json";
    private const string TokenizerConfig = "tokenizer_config.json", TokensMap = "special_tokens_map.json", Template = "chat_template.jinja";
    private const string ConfigIds = "\"pad_token_id\": 0,\n  \"bos_token_id\": 1,\n  \"eos_token_id\": 2,";

    private readonly CheckpointFolder _folder = new();
    private List<string> _warnings = [];

    public SpecialTokensTests()
    {
        foreach (string file in (string[])[Config, "model.safetensors", TokenizerFile])
            File.Copy(Path.Combine(TestData.TinyQed, file), _folder[file]);
    }

    public void Dispose() => _folder.Dispose();

    [Theory]
    // Where the tokenizer and the model agree, or only one of them speaks.
    [InlineData("{}", "{}", 1, 2, 0)]
    [InlineData("""{"bos_token":"<bos>","eos_token":"<eos>","pad_token":"<pad>","unk_token":"<unk>"}""", null, 1, 2, 0)]
    [InlineData("""{"bos_token":{"content":"<bos>","lstrip":false,"normalized":false,"rstrip":false,"single_word":false,"__type":"AddedToken"},"eos_token":null}""", null, 1, 2, 0)]
    // Padding is never seen: the tokenizer says what it is.
    [InlineData("""{"pad_token":"<eos>"}""", """{"pad_token_id":3}""", 1, 2, 2)]
    [InlineData(null, """{"pad_token_id":3}""", 1, 2, 3)]
    public void Convert_Sources_GiveTheIds(string? tokenizerConfig, string? generation, int bos, int eos, int pad)
    {
        Write(TokenizerConfig, tokenizerConfig);
        Write(Generation, generation);
        using var file = Convert();
        Assert.Equal((bos, eos, pad), Ids(file));
        Assert.Empty(_warnings);
    }

    [Theory]
    [InlineData(TokenizerConfig, """{"bos_token":"<unk>","add_bos_token":true,"eos_token":"<pad>","add_eos_token":false,"pad_token":"<eos>"}""", 3, 0, 2)]
    [InlineData(Generation, """{"bos_token_id":1,"eos_token_id":[2],"pad_token_id":3}""", 1, 2, 3)]
    [InlineData(TokensMap, """{"pad_token":{"content":"<eos>"}}""", 1, 2, 2)]
    [InlineData(Template, "{{ x }}", 1, 2, null)] // nothing but tokenizer.json's template
    public void Convert_ConfigWithoutIds_TakesThoseOfTheOthers(string name, string text, int bos, int eos, int? pad)
    {
        File.WriteAllText(_folder[Config], File.ReadAllText(_folder[Config]).Replace(ConfigIds, "", StringComparison.Ordinal));
        Write(name, text);
        using var file = Convert();
        Assert.Equal((bos, eos, pad), Ids(file));
    }

    [Fact]
    public void Convert_OldTokensMap_CountsOnlyForConfigsOfTheOldForm()
    {
        Write(TokensMap, """{"pad_token":"<unk>"}""");
        Write(TokenizerConfig, """{"pad_token":"<eos>"}""");
        using (var file = Convert())
            Assert.Equal((1, 2, 3), Ids(file));
        Write(TokenizerConfig, """{"pad_token":"<eos>","added_tokens_decoder":{"2":{"content":"<eos>","special":true}}}""");
        using (var file = Convert())
            Assert.Equal((1, 2, 2), Ids(file));
    }

    [Fact]
    public void Convert_GenerationConfigAgainstConfig_TakesTheFormerAndWarns()
    {
        File.WriteAllText(_folder[Config], File.ReadAllText(_folder[Config]).Replace(ConfigIds, "\"bos_token_id\": 3, \"eos_token_id\": [5, 6],", StringComparison.Ordinal));
        Write(Generation, """{"bos_token_id":1,"eos_token_id":2}""");
        using var file = Convert();
        Assert.Equal((1, 2, null), Ids(file));
        Assert.Contains(_warnings, static warning => warning.Contains("bos_token_id 3", StringComparison.Ordinal));
        Assert.Contains(_warnings, static warning => warning.Contains("eos_token_id 5, 6", StringComparison.Ordinal));
    }

    /// <summary>All that a file names end a text; the tokenizer's is the one that is put behind texts.</summary>
    [Theory]
    [InlineData(null, """{"eos_token_id":[7,2,2,9]}""", "2,7,9")]
    [InlineData(null, """{"eos_token_id":[2]}""", "2")]
    [InlineData(null, """{"eos_token_id":[]}""", "2")]
    [InlineData(null, """{"eos_token_id":9}""", "2,9")] // tokenizer.json's template has 2
    [InlineData("""{"eos_token":{"content":"<unk>"},"add_eos_token":false}""", null, "3,2")]
    [InlineData(null, """{"eos_token_id":[7,8,9,10,11]}""", "2,7,8,9,10,11")]
    public void Convert_EveryEnd_EndsAText(string? tokenizerConfig, string? generation, string ends)
    {
        Write(TokenizerConfig, tokenizerConfig);
        Write(Generation, generation);
        using var file = Convert();
        Assert.Equal(ends, string.Join(',', ModelConfig.Read(file).EndIds));
        Assert.Equal(int.Parse(ends.Split(',')[0], CultureInfo.InvariantCulture), Ids(file).Eos);
        Assert.Contains(ModelCard.Of(file), line => line.Key == "ends a text" && line.Value.Split(", ").Select(static end => end.Split(' ')[0]).SequenceEqual(ends.Split(',')));
    }

    [Theory]
    [InlineData(TokenizerConfig, """{"bos_token":"<unk>","add_bos_token":true}""", "bos_token_id", "tokenizer_config.json's bos_token token 3")]
    [InlineData(TokenizerConfig, """{"bos_token":"<unk>"}""", "post_processor", "bos_token 3")]
    [InlineData(TokensMap, """{"eos_token":"<unk>"}""", "post_processor", "special_tokens_map.json has the eos_token 3")]
    [InlineData(Generation, """{"bos_token_id":3}""", "bos_token_id", "post_processor token 1")]
    [InlineData(Generation, """{"eos_token_id":[5,2048]}""", "eos_token_id", "2047")]
    [InlineData(Generation, """{"eos_token_id":"<eos>"}""", "eos_token_id", "whole number")]
    // What no vocabulary has.
    [InlineData(TokenizerConfig, """{"bos_token":"<nobody>"}""", "bos_token", "<nobody>")]
    [InlineData(TokenizerConfig, """{"unk_token":{"content":"<nobody>"}}""", "unk_token", "<nobody>")]
    [InlineData(TokenizerConfig, """{"additional_special_tokens":["<eos>","<nobody>"]}""", "additional_special_tokens", "<nobody>")]
    [InlineData(TokenizerConfig, """{"extra_special_tokens":{"image_token":"<nobody>"}}""", "extra_special_tokens", "<nobody>")]
    [InlineData(TokenizerConfig, """{"added_tokens_decoder":{"2048":{"content":"<nobody>","special":true}}}""", "added_tokens_decoder", "<nobody>")]
    [InlineData(TokenizerConfig, """{"added_tokens_decoder":{"4":{"content":"<eos>","special":true}}}""", "added_tokens_decoder", "<eos>")]
    [InlineData(TokensMap, """{"pad_token":"<nobody>"}""", "pad_token", "<nobody>")]
    // What is not exact, or no token at all.
    [InlineData(TokenizerConfig, """{"added_tokens_decoder":{"2":{"content":"<eos>","single_word":true}}}""", "added_tokens_decoder", "single_word")]
    [InlineData(TokenizerConfig, """{"mask_token":"a"}""", "mask_token", "byte alphabet")]
    [InlineData(TokenizerConfig, """{"bos_token":1}""", "bos_token", "no text")]
    [InlineData(TokenizerConfig, """{"bos_token":{"text":"<bos>"}}""", "bos_token", "content")]
    [InlineData(TokenizerConfig, """{"added_tokens_decoder":[]}""", "added_tokens_decoder", "object")]
    [InlineData(TokenizerConfig, """{"added_tokens_decoder":{"two":{"content":"<eos>"}}}""", "added_tokens_decoder", "two")]
    [InlineData(TokenizerConfig, """{"additional_special_tokens":"<eos>"}""", "additional_special_tokens", "list")]
    [InlineData(TokenizerConfig, """{"add_bos_token":"yes"}""", "add_bos_token", "neither")]
    [InlineData(TokenizerConfig, """{"add_prefix_space":true}""", "add_prefix_space", "false")]
    [InlineData(TokenizerConfig, """{"split_special_tokens":true}""", "split_special_tokens", "false")]
    // Templates.
    [InlineData(TokenizerConfig, """{"chat_template":[{"name":"tool_use","template":"t"},{"name":"rag","template":"r"}]}""", "chat_template", "(tool_use, rag)")]
    [InlineData(TokenizerConfig, """{"chat_template":[]}""", "chat_template", "default")]
    [InlineData(TokenizerConfig, """{"chat_template":["default"]}""", "chat_template", "name and template")]
    [InlineData(TokenizerConfig, """{"chat_template":[{"name":"default"}]}""", "chat_template", "name and template")]
    [InlineData(TokenizerConfig, """{"chat_template":5}""", "chat_template", "no text")]
    public void Convert_WhatDoesNotFit_IsRefusedByName(string name, string text, string key, string named)
    {
        Write(name, text);
        var refused = Assert.Throws<ModelFormatException>(() => Convert());
        Assert.Equal(key, refused.Key);
        Assert.Contains(named, refused.Message, StringComparison.Ordinal);
        Assert.DoesNotContain('\n', refused.Message);
        Assert.False(File.Exists(_folder["out.gguf"]));
    }

    [Theory]
    [InlineData(null, null, true, false)]                                                              // <bos> $A <eos>
    [InlineData("""{"add_bos_token":true,"add_eos_token":true}""", null, true, true)]
    [InlineData("""{"add_bos_token":false}""", null, false, false)]
    [InlineData(null, """{"type":"TemplateProcessing","single":[{"Sequence":{"id":"A"}}]}""", false, false)]
    [InlineData("""{"add_bos_token":true}""", """{"type":"TemplateProcessing","single":[{"Sequence":{"id":"A"}}]}""", true, false)]
    [InlineData(null, """{"type":"ByteLevel"}""", true, false)]                                        // QED's prompts
    public void Convert_Prompts_BeginAndEndAsTheTokenizerSays(string? tokenizerConfig, string? postProcessor, bool bos, bool eos)
    {
        Write(TokenizerConfig, tokenizerConfig);
        SetPostProcessor(postProcessor);
        using var file = Convert();
        var tokenizer = Tokenizer.Open(file)!;
        Assert.Equal(bos, tokenizer.PromptOptions.HasFlag(EncodeOptions.AddBos));
        Assert.Equal(eos, tokenizer.PromptOptions.HasFlag(EncodeOptions.AddEos));
        Assert.Equal(eos, _warnings.Any(static warning => warning.Contains("add_eos_token", StringComparison.Ordinal)));
    }

    [Theory]
    [InlineData("""{"type":"TemplateProcessing","single":[{"SpecialToken":{"id":"<cls>"}},{"Sequence":{"id":"A"}}]}""", "<cls>")]
    [InlineData("""{"type":"TemplateProcessing","single":[{"SpecialToken":{"id":"x"}},{"Sequence":{"id":"A"}}],"special_tokens":{"x":{"id":"x","ids":[1,2]}}}""", "'x'")]
    [InlineData("""{"type":"TemplateProcessing","single":[{"SpecialToken":{"id":"x"}},{"Sequence":{"id":"A"}}],"special_tokens":{"x":{"id":"x","ids":[2048]}}}""", "'x'")]
    [InlineData("""{"type":"TemplateProcessing","single":[{"Other":{"id":"<bos>"}},{"Sequence":{"id":"A"}}]}""", "neither")]
    [InlineData("""{"type":"TemplateProcessing","single":[{"SpecialToken":{"id":"<bos>"}}]}""", "other than")]
    public void Convert_TemplateOfUnknownTokens_IsRefused(string postProcessor, string named)
    {
        SetPostProcessor(postProcessor);
        var refused = Assert.Throws<ModelFormatException>(() => Convert());
        Assert.Equal("post_processor", refused.Key);
        Assert.Contains(named, refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Convert_NamedTokenOfTheVocabulary_IsRecognisedInText()
    {
        Write(TokenizerConfig, """{"additional_special_tokens":["But"],"added_tokens_decoder":{"3":{"content":"<unk>","special":true}}}""");
        using var file = Convert();
        var tokenizer = Tokenizer.Open(file)!;
        int but = tokenizer.Find("But"u8);
        var ids = new List<int>();
        tokenizer.Encode("aButter", ids);
        Assert.Contains(but, ids);
        Assert.True(tokenizer.IsSpecial(but));
    }

    [Fact]
    public void Convert_WithoutTokenizer_TakesTheModelsIds()
    {
        File.Delete(_folder[TokenizerFile]);
        Write(Generation, """{"eos_token_id":[5,7]}""");
        using var file = Convert();
        Assert.Equal((1, 5, 0), Ids(file));
        Assert.Equal([5, 7], ModelConfig.Read(file).EndIds);
    }

    [Fact]
    public void Convert_SamplingDefaults_AreStoredOrNamed()
    {
        Write(Generation, """{"do_sample":true,"temperature":0.7,"top_k":40,"top_p":0.9,"max_new_tokens":12,"repetition_penalty":1.1,"min_p":0,"num_beams":4,"stop_strings":null}""");
        using var file = Convert();
        Assert.Equal((0.7f, 40u, 0.9f, 12u, true), (file.Metadata.GetFloat32(GgufKeys.SamplingTemperature), file.Metadata.GetUInt32(GgufKeys.SamplingTopK),
            file.Metadata.GetFloat32(GgufKeys.SamplingTopP), file.Metadata.GetUInt32(GgufKeys.SamplingMaxNewTokens), file.Metadata.FindBool(GgufKeys.SamplingDoSample)!.Value));
        Assert.Contains("repetition_penalty, num_beams, ", Assert.Single(_warnings), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("top_p", "0")]
    [InlineData("top_p", "1e-60")] // 0 as a float
    [InlineData("top_p", "-0.5")]
    [InlineData("top_p", "1.01")]
    [InlineData("top_k", "-1")]
    [InlineData("temperature", "1e39")]
    [InlineData("max_new_tokens", "-1")]
    public void Convert_SamplingDefaultThatTheRuntimeRefuses_IsRefusedByName(string key, string value)
    {
        Write(Generation, $$"""{"{{key}}":{{value}}}""");
        var refused = Assert.Throws<ModelFormatException>(() => Convert());
        Assert.Equal((_folder[Generation], key), (refused.File, refused.Key));
    }

    [Theory]
    [InlineData("top_p", "1e-30")]
    [InlineData("top_p", "1")]
    [InlineData("top_k", "2147483647")]
    [InlineData("temperature", "0")]
    [InlineData("temperature", "-1")] // greedy, as 0
    [InlineData("temperature", "1e-38")]
    [InlineData("temperature", "3e38")]
    public void Convert_SamplingDefaultThatTheRuntimeTakes_IsStored(string key, string value)
    {
        Write(Generation, $$"""{"{{key}}":{{value}}}""");
        using var file = Convert();
        var options = new SamplingOptions
        {
            Temperature = file.Metadata.FindFloat32(GgufKeys.SamplingTemperature) ?? 1,
            TopK = (int?)file.Metadata.FindUInt32(GgufKeys.SamplingTopK) ?? 1,
            TopP = file.Metadata.FindFloat32(GgufKeys.SamplingTopP) ?? 1,
        };
        options.Validate();
        Assert.Contains(Math.Max(0f, float.Parse(value, CultureInfo.InvariantCulture)), (float[])[options.Temperature, options.TopK, options.TopP]);
    }

    [Theory]
    [InlineData(null, """[{"name":"rag","template":"r"},{"name":"default","template":"d"}]""", "d")]
    [InlineData(null, "\"text\"", "text")]
    [InlineData(null, "null", ChatTemplate.Qed)]
    [InlineData("a{{ b }}\r\nc\r\n", "\"text\"", "a{{ b }}\r\nc\r\n")] // the file counts, as it is
    [InlineData("\uFEFFa\n\n", """[{"name":"rag","template":"r"}]""", "a\n\n")]
    [InlineData(ChatTemplate.Qed + "\n", "null", ChatTemplate.Qed + "\n")]
    public void Convert_ChatTemplate_IsTheDefaultOne(string? jinja, string key, string expected)
    {
        Write(Template, jinja);
        Write(TokenizerConfig, $$"""{"chat_template":{{key}}}""");
        using var file = Convert();
        Assert.Equal(expected, file.Metadata.GetString(GgufKeys.ChatTemplate));
    }

    /// <summary>Other tools may run them; the warning names line and feature.</summary>
    [Theory]
    [InlineData("a\n{% include 'b' %}", "line 2: the tag 'include' is unknown")]
    [InlineData("a\n\n{{ messages|from_json }}", "line 3: the filter 'from_json' is unknown")]
    [InlineData("{{ a }}", null)]
    public void Convert_ATemplateThatCannotBeRun_IsStoredWithAWarning(string jinja, string? expected)
    {
        Write(Template, jinja);
        using var file = Convert();
        Assert.Equal(jinja, file.Metadata.GetString(GgufKeys.ChatTemplate));
        if (expected is null)
            Assert.DoesNotContain(_warnings, warning => warning.Contains("chat template", StringComparison.Ordinal));
        else
            Assert.Contains(_warnings, warning => warning.Contains(expected, StringComparison.Ordinal));
    }

    [Fact]
    public void Convert_FurtherTemplates_HaveTheirNames()
    {
        Write(TokenizerConfig, """{"chat_template":[{"name":"default","template":"d"},{"name":"tool_use","template":"t"},{"name":"a b","template":"x"}]}""");
        using var file = Convert();
        Assert.Equal("t", file.Metadata.GetString($"{GgufKeys.ChatTemplate}.tool_use"));
        Assert.Equal(2, file.Metadata.Keys.Count(key => key.StartsWith(GgufKeys.ChatTemplate, StringComparison.Ordinal)));
        Assert.Contains("the checkpoint has several chat templates: conversations use the default one, and 'tool_use' where tools are offered", _warnings);
    }

    /// <summary>Files go before tokenizer_config.json, as with transformers.</summary>
    [Fact]
    public void Convert_FurtherTemplateFiles_AreThoseThatAreUsed()
    {
        Write(TokenizerConfig, """{"chat_template":[{"name":"default","template":"d"},{"name":"tool_use","template":"t"},{"name":"old","template":"o"}]}""");
        Directory.CreateDirectory(_folder["additional_chat_templates"]);
        Write("additional_chat_templates/rag.jinja", "r");
        Write("additional_chat_templates/tool_use.jinja", "u");
        Write("additional_chat_templates/notes.txt", "none");
        Assert.Contains("has others (rag, tool_use); copy the one to take to chat_template.jinja", Assert.Throws<ModelFormatException>(() => Convert()).Message, StringComparison.Ordinal);
        Write(Template, "file");
        using var file = Convert();
        Assert.Equal(["file", "r", "u"], new[] { "", ".rag", ".tool_use" }.Select(name => file.Metadata.GetString(GgufKeys.ChatTemplate + name)));
        Assert.False(file.Metadata.Contains(GgufKeys.ChatTemplate + ".old"));
        Assert.Contains("the checkpoint has several chat templates: conversations use the default one, and 'tool_use' where tools are offered; stored, and used by nothing here: rag", _warnings);
    }

    [Fact]
    public void Convert_TemplateThatIsNoText_IsRefused()
    {
        File.WriteAllBytes(_folder[Template], [0x61, 0xff]);
        Assert.Contains("UTF-8", Assert.Throws<ModelFormatException>(() => Convert()).Message, StringComparison.Ordinal);
    }

    private void Write(string name, string? text)
    {
        if (text is not null)
            File.WriteAllText(_folder[name], text);
    }

    private void SetPostProcessor(string? json)
    {
        if (json is null)
            return;
        var root = System.Text.Json.Nodes.JsonNode.Parse(File.ReadAllText(_folder[TokenizerFile]))!;
        root["post_processor"] = System.Text.Json.Nodes.JsonNode.Parse(json);
        File.WriteAllText(_folder[TokenizerFile], root.ToJsonString());
    }

    private GgufFile Convert()
    {
        _warnings = CheckpointConverter.Convert(_folder.Path, _folder["out.gguf"], new() { Threads = 1, Overwrite = true }).Warnings;
        return GgufFile.Open(_folder["out.gguf"]);
    }

    private static (int? Bos, int? Eos, int? Pad) Ids(GgufFile file) =>
        ((int?)file.Metadata.FindUInt32(GgufKeys.BosTokenId), (int?)file.Metadata.FindUInt32(GgufKeys.EosTokenId), (int?)file.Metadata.FindUInt32(GgufKeys.PaddingTokenId));
}
