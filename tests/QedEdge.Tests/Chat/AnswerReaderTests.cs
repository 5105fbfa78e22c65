using System.Text.Json.Nodes;
using QedEdge.Chat;
using QedEdge.Generation;
using QedEdge.Tests.Text;
using QedEdge.Text;

namespace QedEdge.Tests.Chat;

/// <summary>Thoughts, text and calls of an answer are told apart, wherever the borders of its pieces fall.</summary>
public sealed class AnswerReaderTests
{
    public static TheoryData<string, bool, bool, string, string?, string[]> Answers => new()
    {
        { " Hello <there>.\n", false, false, " Hello <there>.\n", null, [] },
        { "", false, true, "", null, [] },
        { "<think>\nHm, 1 < 2.\n</think>\n\nYes.", false, false, "Yes.", "Hm, 1 < 2.", [] },
        { "<think>\n\n</think>\n\nYes.", false, true, "Yes.", "", [] },
        { "Hm.\n</think>\n\nYes.", true, false, "Yes.", "Hm.", [] },
        { "Hm. And", true, false, "", "Hm. And", [] },
        { "A <think> in it</think>", false, false, "A <think> in it</think>", null, [] },
        { "<thin", false, false, "<thin", null, [] },
        { "<tool_call>\n{\"name\": \"look\", \"arguments\": {\"at\": \"Rome\", \"n\": 1.0}}\n</tool_call>", false, true, "", null, ["look {\"at\": \"Rome\", \"n\": 1.0}"] },
        { "<think>\nHm.\n</think>\n\nI look.\n<tool_call>\n{\"name\": \"a\", \"arguments\": {}}\n</tool_call>\n<tool_call>\n{\"name\": \"b\", \"arguments\": \"{}\"}\n</tool_call>", false, true, "I look.", "Hm.", ["a {}", "b {}"] },
        { "<tool_call>\n{\"name\": \"look\", \"arguments\": {}}", false, true, "", null, ["look {}"] },
        { "<tool_call>no</tool_call> x", false, true, "<tool_call>no</tool_call> x", null, [] },
        { "<tool_call>{\"name\": \"a\", \"arguments\": {}}</tool_call>", false, false, "<tool_call>{\"name\": \"a\", \"arguments\": {}}</tool_call>", null, [] },
        { "<tool_call>\n<function=look>\n<parameter=at>\nRome\nand \"Pisa\"\n</parameter>\n<parameter=n>\n3\n</parameter>\n</function>\n</tool_call>", false, true, "", null, ["look {\"at\": \"Rome\\nand \\\"Pisa\\\"\", \"n\": 3}"] },
        { "<tool_call><function=f><parameter=a>1, \"b\": 2</parameter><parameter=b>{\"c\": [1]}</parameter></function></tool_call>", false, true, "", null, ["f {\"a\": \"1, \\\"b\\\": 2\", \"b\": {\"c\": [1]}}"] },
        { "<tool_call>{\"name\": \"a\", \"arguments\": {\"tag\": \"</tool_</tool>\"}}</tool_call>", false, true, "", null, ["a {\"tag\": \"</tool_</tool>\"}"] },
        { "{\"name\": \"look\", \"parameters\": {\"at\": \"Rome\"}}", false, true, "", null, ["look {\"at\": \"Rome\"}"] },
        { "{\"name\": \"look\"}", false, true, "{\"name\": \"look\"}", null, [] },
        { "{\"name\": \"look\", \"parameters\": {}}", false, false, "{\"name\": \"look\", \"parameters\": {}}", null, [] },
    };

    [Theory]
    [MemberData(nameof(Answers))]
    public void Parts_AreToldApart(string answer, bool isThinking, bool hasTools, string text, string? reasoning, string[] calls)
    {
        for (int size = 1; size <= answer.Length + 1; size++)
        {
            string shown = "", thought = "";
            var reader = new AnswerReader(isThinking, hasTools, (part, piece) =>
            {
                Assert.False(piece.IsEmpty);
                if (part == AnswerPart.Text)
                    shown += piece.ToString();
                else
                    thought += piece.ToString();
            });
            for (int at = 0; at < answer.Length; at += size)
                reader.Append(answer.AsSpan(at, Math.Min(size, answer.Length - at)));
            ChatAnswer result = reader.End();
            Assert.Equal(text, result.Text);
            Assert.Equal(reasoning, result.Reasoning);
            Assert.Equal(calls, result.ToolCalls.Select(call => $"{call.Name} {call.Arguments}"));
            Assert.Equal(text, calls.Length > 0 ? shown.TrimEnd() : shown);
            Assert.Equal(reasoning ?? "", thought.Trim());
        }
    }

    /// <summary>A conversation's results name their calls, so no two may have one id.</summary>
    [Fact]
    public void IdsOfCalls_GoOnThroughAConversation()
    {
        const string calls = """<tool_call>{"name": "a", "arguments": {}}</tool_call><tool_call>{"name": "b", "arguments": {}}</tool_call>""";
        var reader = new AnswerReader(isThinking: false, hasTools: true, firstCall: 3);
        reader.Append(calls);
        Assert.Equal(["call_3", "call_4"], reader.End().ToolCalls.Select(call => call.Id));
    }

    /// <summary>Beyond all that a conversation has, whoever made them and whatever of it was left out.</summary>
    [Fact]
    public void TheNextCall_IsBeyondAllOfTheConversation()
    {
        static ChatMessage Calling(params string[] ids) => new("assistant", "") { ToolCalls = [.. ids.Select(static id => new ToolCall("a", "{}", id))] };

        Assert.Equal(0, new Conversation { Messages = [new("user", "Hi")] }.NextCall);
        Assert.Equal(0, new Conversation { Messages = [Calling("abc", "call_x")] }.NextCall);
        Assert.Equal(8, new Conversation { Messages = [Calling("call_2", "call_7"), new("user", "Hi"), Calling("call_3")] }.NextCall);
    }

    /// <summary>Files of other tools call the tags control tokens, which give no text otherwise.</summary>
    [Fact]
    public void TagsThatAreControlTokens_AreRead()
    {
        JsonObject json = TinyTokenizer.Json();
        string[] tags = ["<think>", "</think>", "<tool_call>", "</tool_call>", "<|other|>"];
        for (int i = 0; i < tags.Length; i++)
            json["added_tokens"]!.AsArray().Add(new JsonObject { ["id"] = 7 + i, ["content"] = tags[i], ["special"] = true, ["normalized"] = false });
        const string call = """{"name": "look", "arguments": {}}""";
        json["added_tokens"]!.AsArray().Add(new JsonObject { ["id"] = 12, ["content"] = call, ["special"] = false, ["normalized"] = false });
        var tokenizer = new Tokenizer(TinyTokenizer.Read(json.ToJsonString()));
        var reader = new AnswerReader(isThinking: false, hasTools: true);
        var text = GeneratedText.OfAnswer(tokenizer, [], reader.Append);
        foreach (int id in (int[])[7, 2, 8, 11, 3, 9, 12, 10]) // a thought, another control token, text, a call
            Assert.True(text.Append(id));
        text.End();
        ChatAnswer answer = reader.End();
        Assert.Equal(("b", "a", "look"), (answer.Text, answer.Reasoning, Assert.Single(answer.ToolCalls).Name));

        string shown = "";
        var other = new GeneratedText(tokenizer, [], piece => shown += piece.ToString());
        Assert.True(other.Append(7) && other.Append(2));
        Assert.Equal("a", shown); // a text that is no answer leaves them out
    }
}
