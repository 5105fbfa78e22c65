using System.Diagnostics;
using System.Runtime.InteropServices;
using System.Text;
using System.Text.Json.Nodes;
using QedEdge.Gguf;

namespace QedEdge.Tests.Published;

/// <summary>qed chat --json: a conversation with a program, a line for each line.</summary>
public sealed partial class ChatJsonTests : IDisposable
{
    private const string Likely = "--logit-bias 0=1000 -n 1"; // an answer of the one token that a test has put in
    private const string Look = """{"type":"function","function":{"name":"look","description":"","parameters":{"type":"object","properties":{}}}}""";

    private readonly string _folder = Directory.CreateTempSubdirectory("qed").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void Messages_AreAnsweredAsThoseThatAreTyped()
    {
        const string options = "-n 8 --greedy";
        (int exit, JsonNode[] lines) = Chat(options,
            """{"role":"system","content":"You are a king."}""",
            """{"role":"user","content":[{"type":"text","text":"The king "},{"type":"text","text":"was old"}]}""",
            """{"role":"user","content":"And then?","name":null}""");
        string typed = Tools.Run("bash", ["-c", $"printf 'The king was old\\nAnd then?\\n' | {PublishedPrograms.File("qed", "x64")} chat {options} --system 'You are a king.'"]).Output;
        Assert.Equal(0, exit);
        Assert.Equal(["messages"], Names(lines[0]));
        Assert.Equal(["text", "finish_reason", "prompt_tokens", "cached_tokens", "generated_tokens", "prefill_tokens_per_second", "decode_tokens_per_second", "seed", "messages"], Names(lines[1]));
        Assert.Equal(typed, string.Concat(lines[1..].Select(line => line["text"] + "\n")));
        Assert.Equal([1, 3, 5], lines.Select(line => (int)line["messages"]!));
        Assert.Equal(("length", 8), ((string)lines[1]["finish_reason"]!, (int)lines[1]["generated_tokens"]!));
        Assert.True((int)lines[2]["cached_tokens"]! > (int)lines[1]["prompt_tokens"]!); // a conversation is not computed again
    }

    [Fact]
    public void TextThoughtsAndCalls_AreApart()
    {
        string model = Model("<think>\nHm.\n</think>\n\nI look.\n<tool_call>\n{\"name\": \"look\", \"arguments\": {\"at\": \"Rome\"}}\n</tool_call>\n<tool_call>\n{\"name\": \"look\", \"arguments\": {}}\n</tool_call>");
        (int exit, JsonNode[] lines) = Chat($"-m {model} {Likely}",
            $$"""{"role":"user","content":"Where?","tools":[{{Look}}]}""",
            """{"role":"tool","tool_call_id":"call_0","content":"warm"}""",
            """{"role":"tool","tool_call_id":"call_1","content":"cold"}""", // no call is without a result now
            """{"role":"tool","content":"again"}""",
            """{"role":"assistant","content":null,"tool_calls":[{"id":"a","type":"function","function":{"name":"look","arguments":"{}"}}]}""",
            """{"role":"tool","tool_call_id":"a","content":"dark","tools":[]}""");
        Assert.Equal(0, exit);
        Assert.Equal(["text", "reasoning", "tool_calls"], Names(lines[0])[..3]);
        Assert.Equal(("I look.", "Hm."), ((string)lines[0]["text"]!, (string)lines[0]["reasoning"]!));
        Assert.Equal("""[{"id":"call_0","type":"function","function":{"name":"look","arguments":"{\"at\": \"Rome\"}"}},{"id":"call_1","type":"function","function":{"name":"look","arguments":"{}"}}]""",
            lines[0]["tool_calls"]!.ToJsonString(new() { Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping }));
        Assert.Equal([2, 3, 5, 6, 7, 9], lines.Select(line => (int)line["messages"]!));
        Assert.Equal([true, false, true, false, false, true], lines.Select(line => line["text"] is not null));
        Assert.Contains("<tool_call>", (string)lines[5]["text"]!); // without tools nothing is a call
    }

    [Fact]
    public void WhatGoesWithMessages_HoldsFromThenOn()
    {
        string model = Path.Combine(_folder, "says.gguf");
        File.WriteAllBytes(model, ChangedSample.WithEntry(GgufKeys.ChatTemplate, (writer, _) => writer.Add(GgufKeys.ChatTemplate,
            "{% if add_generation_prompt and messages[-1].content == 'Say' %}{{ raise_exception('x=' ~ x ~ ' thinks=' ~ enable_thinking ~ ' tools=' ~ (tools or [])|length ~ ' at ' ~ strftime_now('%Y')) }}{% endif %}a")));
        const string say = """{"role":"user","content":"Say"}""";
        (int exit, JsonNode[] lines) = Chat($"-m {model} -n 2 --greedy --chat-template-kwargs '{{\"x\": \"own\", \"now\": \"2001-02-03T04:05:06\"}}' --think on", say,
            $$"""{"role":"user","content":"Hi","tools":[{{Look}}],"enable_thinking":false}""", say,
            """{"role":"user","content":"Say","chat_template_kwargs":{"x":7,"now":"2002-02-03T04:05:06"}}""", say,
            """{"role":"user","content":"Hi","tools":[]}""", say);
        Assert.Equal(1, exit);
        // Of a line that failed nothing is taken.
        Assert.Equal(["x=own thinks=True tools=0 at 2001", "x=own thinks=False tools=1 at 2001", "x=7 thinks=False tools=1 at 2002", "x=own thinks=False tools=1 at 2001", "x=own thinks=False tools=0 at 2001"],
            lines.Where(static line => line["error"] is not null).Select(line => ((string)line["error"]!).Split("says: ")[1]));
    }

    [Fact]
    public void ALineThatCannotBeUsed_HasItsError_AndTheConversationGoesOn()
    {
        string longText = string.Concat(Enumerable.Repeat("the king and the queen ", 100));
        (int exit, JsonNode[] lines) = Chat("-n 2 --greedy -c 128 --overflow stop",
            "no json", """{"role":"king","content":"a"}""", """{"role":"user","content":[{"type":"image_url"}]}""", """{"role":"user","content":"a","mood":1}""", """{"content":"a"}""",
            $$"""{"role":"user","content":"{{longText}}"}""", """{"role":"user","content":"Hi"}""");
        Assert.Equal(1, exit);
        string[] expected = ["line 1: ", "line 2: a message's role 'king' is unknown", "line 3: a message has a part of type 'image_url'", "line 4: a message's \"mood\" is unknown", "line 5: there is no \"role\"", "line 6: the conversation has "];
        for (int i = 0; i < expected.Length; i++)
            Assert.StartsWith(expected[i], (string)lines[i]["error"]!);
        Assert.Equal(2, (int)lines[^1]["messages"]!); // none of them was taken
    }

    /// <summary>Each line has its answer before the next one is written, and a signal ends an answer alone.</summary>
    [Fact]
    public void AProgram_WritesAndReadsInTurn()
    {
        var start = new ProcessStartInfo("env", ["--default-signal", PublishedPrograms.File("qed", "x64"), "chat", "--json", "-n", "100000", "--ignore-eos", "--seed", "1", "-t", "1"])
        { RedirectStandardInput = true, RedirectStandardOutput = true, StandardOutputEncoding = Encoding.UTF8 };
        using Process process = Process.Start(start)!;
        for (int turn = 1; turn <= 2; turn++)
        {
            process.StandardInput.WriteLine("""{"role":"system","content":"a"}""");
            Assert.Equal($$"""{"messages":{{3 * turn - 2}}}""", process.StandardOutput.ReadLine());
            process.StandardInput.WriteLine("""{"role":"user","content":"Hi"}""");
            Thread.Sleep(500); // it answers
            Assert.Equal(0, Kill(process.Id, 2));
            JsonNode answer = JsonNode.Parse(process.StandardOutput.ReadLine()!)!;
            Assert.Equal(("cancelled", 3 * turn), ((string)answer["finish_reason"]!, (int)answer["messages"]!));
            Assert.NotEqual("", (string)answer["text"]!);
        }
        process.StandardInput.Close();
        process.WaitForExit();
        Assert.Equal(0, process.ExitCode);
    }

    [Fact]
    public void Variables_ThatAreNoObject_AreWrongUsage()
    {
        ProgramResult result = PublishedPrograms.Run("qed", "x64", "chat", "--chat-template-kwargs", "[1]");
        Assert.Equal(2, result.ExitCode);
        Assert.StartsWith("error: --chat-template-kwargs: ", result.Error);
    }

    private string Model(string token)
    {
        string model = Path.Combine(_folder, "model.gguf");
        File.WriteAllBytes(model, ChangedSample.WithToken(token));
        return model;
    }

    private (int Exit, JsonNode[] Lines) Chat(string options, params string[] lines)
    {
        string input = Path.Combine(_folder, "in.jsonl");
        File.WriteAllLines(input, lines);
        ProgramResult result = Tools.Run("bash", ["-c", $"{PublishedPrograms.File("qed", "x64")} chat --json {options} <{input}"], start => start.StandardOutputEncoding = Encoding.UTF8);
        Assert.Equal("", result.Error);
        JsonNode[] answers = [.. result.Output.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line => JsonNode.Parse(line)!)];
        Assert.Equal(lines.Length, answers.Length);
        return (result.ExitCode, answers);
    }

    private static string[] Names(JsonNode line) => [.. line.AsObject().Select(member => member.Key)];

    [LibraryImport("libc", EntryPoint = "kill")]
    private static partial int Kill(int process, int signal);
}
