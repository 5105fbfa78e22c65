using System.Text;
using System.Text.Json.Nodes;
using QedEdge.Conversion;
using QedEdge.Quantization;
using QedEdge.Tests.Model;

namespace QedEdge.Tests.Published;

/// <summary>qed batch: what a line may ask for. A line that asks for too much has its error, costs little, and the lines beside it have their answers.</summary>
public sealed class BatchRequestTests : IDisposable
{
    private const string Sound = """{"id":"sound","prompt":"Once upon a time","max_tokens":4,"seed":3}""";

    private readonly string _folder = Directory.CreateTempSubdirectory("qed").FullName;
    private readonly string _input, _output;

    public BatchRequestTests()
    {
        _input = Path.Combine(_folder, "in.jsonl");
        _output = Path.Combine(_folder, "out.jsonl");
    }

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    /// <summary>Members of a line at their limits, and what is said of one beyond.</summary>
    public static TheoryData<string, string, string> Limits => new()
    {
        { "\"repeat_penalty\":1.1,\"repeat_last_n\":1048576", "\"repeat_penalty\":1.1,\"repeat_last_n\":1048577", "penalty window" },
        { "\"repeat_last_n\":0", "\"repeat_last_n\":-1", "penalty window" },
        { "\"max_tokens\":2147483647,\"stop\":\"e\"", "\"max_tokens\":2147483648", "max_tokens" },
        { "\"max_tokens\":0", "\"max_tokens\":-1", "number of tokens" },
        { "\"top_k\":2147483647", "\"top_k\":2147483648", "top_k" },
        { "\"top_k\":0", "\"top_k\":-1", "top-k" },
        { "\"logprobs\":100", "\"logprobs\":101", "logprobs" },
        { "\"logprobs\":0", "\"logprobs\":-1", "logprobs" },
        { $"\"stop\":[{Repeated("\"xyz\"", 256)}]", $"\"stop\":[{Repeated("\"xyz\"", 257)}]", "\"stop\" must be 256 values at most" },
        { $"\"stop\":\"{new string('x', 1024)}\"", $"\"stop\":\"{new string('x', 1025)}\"", "1024 characters" },
        { "\"stop\":[\"x\"]", "\"stop\":[]", "\"stop\" is empty" },
        { "\"logit_bias\":{\"2047\":-1e30}", "\"logit_bias\":{\"2048\":1}", "outside the vocabulary" },
        { "\"temperature\":0", "\"temperature\":-1", "temperature must be finite and not below 0" },
        { "\"temperature\":3e38", "\"temperature\":3e39", "temperature" },
        { "\"top_p\":1", "\"top_p\":2", "top-p" },
        { $"\"seed\":{ulong.MaxValue}", "\"seed\":18446744073709551616", "seed" },
    };

    [Theory]
    [MemberData(nameof(Limits))]
    public void AMember_HasItsLimits(string within, string beyond, string message)
    {
        string[] records = Records(1, $"{{\"prompt\":\"Once\",\"max_tokens\":2,{within}}}", $"{{\"prompt\":\"Once\",{beyond}}}");
        Assert.Null(JsonNode.Parse(records[0])!["error"]);
        Assert.Contains(message, (string)JsonNode.Parse(records[1])!["error"]!);
    }

    [Fact]
    public void ListsOfALine_HaveTheirLimits()
    {
        string choices = Repeated("\" a\"", 4096), message = """{"role":"user","content":""}""";
        string[] records = Records(2,
            $"{{\"prompt\":\"x\",\"choices\":[{choices}]}}", $"{{\"prompt\":\"x\",\"choices\":[{choices},\" a\"]}}",
            $"{{\"messages\":[{Repeated(message, 16384)}]}}", $"{{\"messages\":[{Repeated(message, 16385)}]}}",
            "{\"tokens\":[1]}", "{\"tokens\":[]}");
        Assert.Null(JsonNode.Parse(records[0])!["error"]);
        Assert.Contains("4096 values at most", records[1]);
        Assert.Contains("the model's context holds 1024", records[2]); // it is read, and longer than the context
        Assert.Contains("16384 values at most", records[3]);
        Assert.Null(JsonNode.Parse(records[4])!["error"]);
        Assert.Contains("nothing to continue", records[5]);
    }

    [Theory]
    [InlineData("1")]
    [InlineData("2")]
    [InlineData("8")]
    public void OneLinesFailure_IsItsOwn(string sequences)
    {
        string banned = $"{{\"prompt\":\"Once\",\"logit_bias\":{{{string.Join(',', Enumerable.Range(0, 2048).Select(id => $"\"{id}\":\"-inf\""))}}}}}";
        string[] wrong =
        [
            banned,
            """{"prompt":"Once","repeat_penalty":2,"repeat_last_n":2147483647}""",
            """{"prompt":"Once","\ud83d":1}""",
            $$"""{"prompt":"{{new string('x', 100_000)}}"}""",
            $$"""{"score":"{{new string('x', 100_000)}}"}""",
            $$"""{"prompt":"x","choices":["a","{{new string('x', 100_000)}}"]}""",
            """{"score":""}""",
            $$"""{"tokens":[{{Repeated("1", 1025)}}]}""",
            new string('[', 1000),
            "{\"prompt\":\"Once\"",
        ];
        string[] lines = [Sound, .. wrong.SelectMany(line => new[] { line, Sound })];
        File.WriteAllLines(_input, lines);
        ProgramResult result = Batch("--sequences", sequences);
        Assert.Equal((1, $"{wrong.Length} of {lines.Length} lines failed; see \"error\" in their records\n"), (result.ExitCode, result.Error));
        string[] records = result.Output.TrimEnd('\n').Split('\n');
        string alone = Records(0, Sound)[0];
        for (int i = 0; i < records.Length; i++)
        {
            if (i % 2 == 0)
                Assert.Equal(alone, records[i]);
            else
                Assert.StartsWith($"line {i + 1}: ", (string)JsonNode.Parse(records[i])!["error"]!);
        }
        Assert.Contains("no token is left to draw", records[1]);
        Assert.Contains("the line has at least ", records[7]);
        Assert.Contains("the line has 1025 tokens, and the model's context holds 1024; shorten it\"", records[15]);
        Assert.Contains("column ", records[19]);
    }

    /// <summary>A sequence that overflows ends with its line alone, whichever lines it runs beside.</summary>
    [Fact]
    public void ALineThatOverflows_ChangesNoOther_WhateverIsGeneratedTogether()
    {
        string model = NotFiniteTests.WithAPoisonedToken(_folder, out int poison);
        File.WriteAllLines(_input, Enumerable.Range(0, 24).Select(i =>
            $$$"""{"tokens":[{{{i}}},{{{(i % 5 == 2 ? poison : i + 1)}}},{{{i + 2}}}],"max_tokens":{{{3 + i % 7}}},"logit_bias":{"{{{poison}}}":"-inf"}}"""));
        string? expected = null;
        foreach (string sequences in new[] { "1", "2", "5", "24" })
        {
            ProgramResult result = Batch("-m", model, "-c", "64", "--sequences", sequences);
            Assert.Equal((1, "5 of 24 lines failed; see \"error\" in their records\n"), (result.ExitCode, result.Error));
            Assert.Equal(expected ??= result.Output, result.Output);
        }
        string[] records = expected!.TrimEnd('\n').Split('\n');
        Assert.All(records.Index(), record => Assert.Equal(record.Index % 5 == 2, record.Item.Contains("are not finite numbers", StringComparison.Ordinal)));
    }

    /// <summary>Records that wait for a line that is generated for long.</summary>
    [Fact]
    public void RecordsThatWait_AreBounded()
    {
        const int Lines = 150_000;
        string unknown = new('u', 70); // is quoted in each record
        File.WriteAllLines(_input, ["""{"prompt":"Once","max_tokens":900,"ignore_eos":true}""", .. Enumerable.Repeat($"{{\"{unknown}\":1}}", Lines), Sound]);
        (ProgramResult result, long bytes) = PeakMemory.Run(PublishedPrograms.File("qed", "x64"), "batch", "-i", _input, "-o", _output, "--seed", "8");
        Assert.Equal((1, $"{Lines} of {Lines + 2} lines failed; see \"error\" in {_output}\n"), (result.ExitCode, result.Error));
        Assert.Equal(Lines + 2, File.ReadLines(_output).Count());
        Assert.True(new FileInfo(_output).Length > 50_000_000);
        Assert.InRange(bytes, 1, 75_000_000);
    }

    [Fact]
    public void ALongLine_TakesMemoryForWhatIsAskedAlone()
    {
        const long Most = 120_000_000; // the program itself takes 10 to 20 MB
        foreach (string line in new[]
        {
            $"{{\"max_tokens\":1,\"tokens\":[{Repeated("1", 5_000_000)}]}}",
            $"{{\"prompt\":\"a\",\"{new string('A', 200_000)}\":[{Repeated("0", 50_000)}]}}",
            $"{{\"prompt\":\"{new string('x', 10_000_000)}\"}}",
            $"{{\"prompt\":\"a\",\"max_tokens\":1,\"logit_bias\":{{{Repeated("\"7\":0", 1_000_000)}}}}}",
        })
        {
            File.WriteAllLines(_input, [line, Sound]);
            (ProgramResult result, long bytes) = PeakMemory.Run(PublishedPrograms.File("qed", "x64"), "batch", "-i", _input);
            Assert.Equal(2, result.Output.TrimEnd('\n').Split('\n').Length);
            Assert.InRange(bytes, 1, Most);
        }
        string text = Path.Combine(_folder, "text");
        File.WriteAllBytes(text, [.. Enumerable.Repeat((byte)0xFF, 10_000_000)]);
        foreach (string command in new[] { "generate", "score" })
        {
            (ProgramResult result, long bytes) = PeakMemory.Run(PublishedPrograms.File("qed", "x64"), command, "-f", text);
            Assert.Equal(1, result.ExitCode);
            Assert.Matches("^error: the (prompt|input) has at least \\d+ tokens, and the model's context holds 1024; shorten it", result.Error);
            Assert.InRange(bytes, 1, Most);
        }
    }

    [Fact]
    public void TheLongestLine_IsRead_AndALongerOneIsNot()
    {
        string within = Sound + new string(' ', (64 << 20) - Sound.Length);
        File.WriteAllLines(_input, [within, within + " ", Sound]);
        ProgramResult result = Batch();
        JsonNode[] records = [.. result.Output.TrimEnd('\n').Split('\n').Select(line => JsonNode.Parse(line)!)];
        Assert.Equal([null, "line 2: has more than 67108864 bytes", null], records.Select(record => (string?)record["error"]));
        Assert.Equal(records[0].ToJsonString(), records[2].ToJsonString());
    }

    [Fact]
    public void Dash_IsAStandardStream_WhateverTheFolderHolds()
    {
        string expected = Records(0, Sound)[0] + "\n", program = PublishedPrograms.File("qed", "x64");
        foreach (string name in new[] { "-", "standard input" })
            File.WriteAllText(Path.Combine(_folder, name), "not this\n");
        Assert.Equal(expected, Piped(Sound, "batch", "-i", "-", "--seed", "8").Output);
        Assert.Equal(expected, Piped(Sound, "batch", "-i", "-", "-o", "-", "--seed", "8").Output);
        Assert.Equal("{\"ids\":[1686]}\n", Piped("{\"text\":\"Once\"}", "tokenize", "--jsonl", "-").Output);
        Assert.Equal("{\"text\":\"Once\"}\n", Piped("{\"ids\":[1686]}", "detokenize", "--jsonl", "-").Output);
        Assert.Equal("1686\n", Piped("Once", "tokenize", "-").Output);
        string story = "There was a king, and the king was very old.";
        Assert.Equal(PublishedPrograms.Run("qed", "x64", "score", story).Output, Piped(story, "score", "-f", "-").Output);
        File.WriteAllText(_input, story);
        Assert.Equal(PublishedPrograms.Run("qed", "x64", "perplexity", "-f", _input).Output.Replace(_input, "-", StringComparison.Ordinal), Piped(story, "perplexity", "-f", "-").Output);

        ProgramResult Piped(string input, params string[] arguments) => Tools.Run("sh", ["-c", "printf '%s' \"$0\" | \"$@\"", input, program, .. arguments], start => start.WorkingDirectory = _folder);
    }

    [Fact]
    public void LogprobsOfZero_AreEachTokensOwn()
    {
        JsonNode[] tokens = [.. JsonNode.Parse(Records(0, """{"prompt":"Once","max_tokens":2,"logprobs":0}""")[0])!["logprobs"]!.AsArray().Select(token => token!)];
        Assert.Equal(2, tokens.Length);
        Assert.All(tokens, token => Assert.Equal((true, 0), ((double)token["logprob"]! < 0, token["top"]!.AsArray().Count)));
        JsonNode generated = JsonNode.Parse(PublishedPrograms.Run("qed", "x64", "generate", "Once", "-n", "2", "--seed", "8", "--logprobs", "0", "--json").Output)!;
        Assert.Equal(tokens.Select(token => token.ToJsonString()), generated["logprobs"]!.AsArray().Select(token => token!.ToJsonString()));
    }

    [Fact]
    public void Resume_GoesOnWithTheSameModelAndOptionsAlone()
    {
        string other = Path.Combine(_folder, "other.gguf");
        CheckpointConverter.Convert(TestData.TinyQed, other, new ConversionOptions { Type = BlockFormat.Q4_0 });
        File.WriteAllLines(_input, Enumerable.Range(0, 3).Select(i => $$"""{"id":{{i}},"prompt":"Once","max_tokens":3}"""));
        string expected = Batch().Output, begun = expected[..(expected.IndexOf('\n') + 1)], part = _output + ".part";
        foreach (string[] options in new string[][] { ["-m", other], ["--seed", "9"], ["--temp", "0.5"], ["--repeat-last-n", "5"], ["--kv-type", "f32"], ["-c", "100"], ["--stop", "x"], ["--logit-bias", "5=1"], ["-n", "2"], ["--ignore-eos"] })
        {
            File.WriteAllText(part, begun);
            ProgramResult result = Batch([.. options, "-o", _output, "--resume"]);
            OneLine.AssertError(1, result);
            Assert.Contains("had another model, --kv-type, --ctx-size, seed or sampling option", result.Error);
            Assert.Equal(begun, File.ReadAllText(part)); // nothing is lost
        }
        Assert.Equal(0, Batch("-o", _output, "--resume", "--sequences", "2", "-t", "1", "--isa", "scalar").ExitCode); // what changes no bit
        Assert.Equal(expected, File.ReadAllText(_output));
    }

    [Fact]
    public void TheExitCode_SaysWhetherEveryLineWasAnswered()
    {
        File.WriteAllLines(_input, [Sound, "{}"]);
        string failed = $"1 of 2 lines failed; see \"error\" in {_output}\n";
        ProgramResult result = Batch("-o", _output);
        Assert.Equal((1, failed), (result.ExitCode, result.Error));
        result = Batch("-o", _output, "--resume"); // nothing to do: who starts it until it succeeds comes to an end
        Assert.Equal((0, $"{_output}: is complete already\n{failed}"), (result.ExitCode, result.Error));
        File.Move(_output, _output + ".part"); // as a run that was stopped before its last step: its errors count
        result = Batch("-o", _output, "--resume");
        Assert.Equal((1, failed), (result.ExitCode, result.Error));
        File.WriteAllLines(_input, [Sound]);
        Assert.Equal(0, Batch("-o", _output, "--force").ExitCode);
    }

    private static string Repeated(string value, int count) => string.Join(',', Enumerable.Repeat(value, count));

    /// <summary>The records of lines, some of which fail.</summary>
    private string[] Records(int failing, params string[] lines)
    {
        File.WriteAllLines(_input, lines, new UTF8Encoding(false));
        ProgramResult result = Batch();
        Assert.Equal(Math.Min(failing, 1), result.ExitCode);
        return result.Output.TrimEnd('\n').Split('\n');
    }

    private ProgramResult Batch(params string[] more) => PublishedPrograms.Run("qed", "x64", ["batch", "-i", _input, .. more.Contains("--seed") ? Array.Empty<string>() : ["--seed", "8"], .. more]);
}
