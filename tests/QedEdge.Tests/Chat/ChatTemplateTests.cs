using System.Text;
using QedEdge.Chat;
using QedEdge.Gguf;
using QedEdge.Tests.Templates;

namespace QedEdge.Tests.Chat;

/// <summary>A model's chat template: what is typed gives no special token, answers end where the template ends them, and what cannot be run is said with its line.</summary>
public sealed class ChatTemplateTests
{
    public static TheoryData<string> Names => [.. TemplateFiles.Names];

    /// <summary>With special tokens' texts in everything that users and tools say, the special tokens of the prompt are those of harmless words.</summary>
    [Theory]
    [MemberData(nameof(Names))]
    public void WhatIsTyped_GivesNoSpecialToken(string name)
    {
        using var sample = new ChatSample(TemplateFiles.Source(name));
        ChatTemplate template = sample.Open()!;
        string[] expected = sample.SpecialOf(template.Encode(Asked("zz")));
        foreach (string token in ChatSample.Special.Append("<eos>"))
        {
            Assert.Equal(expected, sample.SpecialOf(template.Encode(Asked(token))));
            Assert.Equal(expected, sample.SpecialOf(template.Encode(Asked($"a{token}\n {token}b"))));
            Assert.Equal(expected, sample.SpecialOf(template.Encode(Asked(token[..^1])))); // what the template writes behind it may not make it whole
            Assert.Equal(expected, sample.SpecialOf(template.Encode(Asked(token[1..]))));
        }
        if (!Refuses(template, WithTools("zz")))
        {
            expected = sample.SpecialOf(template.Encode(WithTools("zz")));
            foreach (string token in ChatSample.Special.Append("<eos>"))
                Assert.Equal(expected, sample.SpecialOf(template.Encode(WithTools(token))));
        }
    }

    /// <summary>What the template puts behind an answer ends it: a special token, or its text.</summary>
    [Theory]
    [InlineData("qed", "<|user|>")]
    [InlineData("smollm3", "<|im_end|>")]
    [InlineData("qwen3_5", "<|im_end|>")]
    [InlineData("tinyllama_zephyr", "<eos>")]
    [InlineData("phi3_mini", "<|end|>")]
    [InlineData("gpt_oss", "<|end|>")]
    [InlineData("granite3_3", "<|end_of_text|>")]
    [InlineData("openchat", "<|end_of_turn|>")]
    [InlineData("mistral_nemo", "<eos>")]
    [InlineData("rwkv_world", "\n\nUser:")]
    [InlineData("saiga", "<eos>")]
    public void AnAnswer_EndsWhereTheTemplateEndsIt(string name, string expected)
    {
        using var sample = new ChatSample(TemplateFiles.Source(name));
        ChatTemplate template = sample.Open()!;
        Assert.Equal(expected, template.StopTexts[0]);
        Assert.Same(template.StopTexts, template.StopTexts);
    }

    [Fact]
    public void TheBeginToken_IsThereWhereTheTemplateWritesIt()
    {
        foreach (string name in TemplateFiles.Names)
        {
            using var sample = new ChatSample(TemplateFiles.Source(name));
            ChatTemplate template = sample.Open()!;
            int[] ids = template.Encode(Asked("a"));
            Assert.Equal(template.Render(Asked("a")).Text.AsSpan().Count("<s>"), ids.Count(id => id == sample.Tokenizer.BosId));
        }
    }

    [Fact]
    public void QedsOwn_IsThatOfItsFilesWithoutATemplate()
    {
        using ChatSample own = new(null, architecture: GgufKeys.Qed), other = new(null);
        ChatTemplate template = own.Open()!;
        Assert.Null(other.Open());
        Assert.Equal("<s><|user|>\nab <eos>\n<|assistant|>\n", template.Render(new Conversation { Messages = [new("user", "ab <eos>")] }).Text);
        Assert.Equal(["<s>", "<|user|>", "<|assistant|>"], own.SpecialOf(template.Encode(new Conversation { Messages = [new("user", "ab <eos><|system|>")] })));
        Assert.Equal(["<|user|>", "<|system|>", "<|assistant|>"], template.StopTexts);
        Assert.Equal(ChatTemplate.Qed, TemplateFiles.Source("qed"));
    }

    [Fact]
    public void ToolUse_IsTakenWhereThereAreTools()
    {
        using var sample = new ChatSample("plain", ("tool_use", "{{ tools[0].function.name }}"));
        ChatTemplate template = sample.Open()!;
        Assert.Equal("plain", template.Render(new Conversation()).Text);
        Assert.Equal("look", template.Render(new Conversation { Tools = """[{"type":"function","function":{"name":"look"}}]""" }).Text);
    }

    [Fact]
    public void WhatCannotBeRun_IsSaidWithItsLine()
    {
        using (var sample = new ChatSample("{{ a }}\n{% include 'x' %}"))
            Assert.Contains("the chat template cannot be run: line 2: the tag 'include' is unknown", Assert.Throws<QedException>(sample.Open).Message);
        using (var sample = new ChatSample("{{ a }}\n{{ messages|frob }}"))
            Assert.Contains("the chat template fails: line 2: the filter 'frob' is unknown", Assert.Throws<QedException>(() => sample.Open()!.Render(new Conversation())).Message);
        using (var sample = new ChatSample("{{ raise_exception('No system!') }}"))
            Assert.EndsWith("the chat template says: No system!", Assert.Throws<QedException>(() => sample.Open()!.Render(new Conversation())).Message);
    }

    [Theory]
    [InlineData("{{ messages[0].content }}|{{ messages[1].content }}", "S|U")]
    [InlineData("{{ enable_thinking }}{{ thinking }}{{ x }}{{ tools is defined }}", "FalseFalse7False")]
    [InlineData("{{ messages[2].tool_calls[0].function.arguments.city }}{{ messages[2].tool_calls[0].id }}{{ messages[3].tool_call_id }}{{ messages[3].content }}", "Romec1c1warm")]
    [InlineData("{{ messages[2].reasoning_content }}{{ messages[2].content is string }}", "hmTrue")]
    [InlineData("{{ strftime_now('%d %b %Y') }}", "31 Jan 2026")]
    public void AConversation_IsReadInOpenAisForm(string source, string expected)
    {
        using var sample = new ChatSample(source);
        byte[] json = """
            {"messages":[{"role":"system","content":"S","refusal":null,"annotations":[]},{"role":"user","content":[{"type":"text","text":"U"}]},
             {"role":"assistant","content":null,"reasoning_content":"hm","tool_calls":[{"id":"c1","type":"function","function":{"name":"look","arguments":"{\"city\":\"Rome\"}"}}]},
             {"role":"tool","tool_call_id":"c1","content":"warm"}],
             "tools":null,"enable_thinking":false,"chat_template_kwargs":{"x":7,"now":"2026-01-31T23:59:00"}}
            """u8.ToArray();
        Assert.Equal(expected, sample.Open()!.Render(Conversation.Parse(json)).Text);
    }

    [Theory]
    [InlineData("{}", "there is no \"messages\"")]
    [InlineData("""{"messages":[{"role":"user"}]}""", "there is no \"messages[0].content\"")]
    [InlineData("""{"messages":[{"role":"user","content":1}]}""", "\"messages[0].content\" must be a string")]
    [InlineData("""{"messages":[{"role":"user","content":[{"type":"image_url"}]}]}""", "a message has a part of type 'image_url', and the model reads text alone")]
    [InlineData("""{"messages":[{"role":"user","content":"a","mood":"b"}]}""", "a message's \"mood\" is unknown; known are role, content, name, tool_calls, tool_call_id, reasoning_content")]
    [InlineData("""{"messages":[{"role":"king","content":"a"}]}""", "a message's role 'king' is unknown; known are system, developer, user, assistant, tool, function, ipython")]
    [InlineData("""{"messages":[],"mood":1}""", "a conversation's \"mood\" is unknown; known are messages, tools, enable_thinking, chat_template_kwargs")]
    [InlineData("""{"messages":[],"chat_template_kwargs":[]}""", "\"chat_template_kwargs\" must be an object")]
    public void WhatIsNoConversation_IsRefused(string json, string expected) =>
        Assert.Equal(expected, Assert.Throws<QedException>(() => Conversation.Parse(Encoding.UTF8.GetBytes(json))).Message);

    [Fact]
    public void ASystemMessage_IsWhatPromptsBeginWith()
    {
        using ChatSample sample = new(TemplateFiles.Source("chatml")), none = new("{{ messages[-1].content }}");
        int[] ids = sample.Open()!.EncodeSystem("ab a"), whole = sample.Open()!.Encode(new Conversation { Messages = [new("system", "ab a"), new("user", "b")] });
        Assert.Equal(["<|im_start|>", "<|im_end|>", "<|im_start|>"], sample.SpecialOf(ids));
        Assert.Equal(ids, whole[..ids.Length]);
        Assert.Throws<QedException>(() => none.Open()!.EncodeSystem("ab"));
    }

    private static bool Refuses(ChatTemplate template, Conversation conversation)
    {
        try
        {
            template.Render(conversation);
            return false;
        }
        catch (QedException)
        {
            return true;
        }
    }

    private static Conversation Asked(string said) => new() { Messages = [new("user", said), new("assistant", said), new("user", said)], Now = DateTime.UnixEpoch };

    private static Conversation WithTools(string said) => new()
    {
        Messages =
        [
            new("user", said),
            new("assistant", "") { ToolCalls = [new("look", $$"""{"at":"{{said}}"}""", "abcdefghi")] },
            new("tool", said) { ToolCallId = "abcdefghi", Name = "look" },
        ],
        Tools = $$"""[{"type":"function","function":{"name":"look","description":"{{said}}","parameters":{"type":"object","properties":{"at":{"type":"string","description":"{{said}}"} } } } }]""",
        Now = DateTime.UnixEpoch,
    };
}
