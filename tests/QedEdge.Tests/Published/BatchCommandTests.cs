using System.Diagnostics;
using System.Text;
using System.Text.Json.Nodes;

namespace QedEdge.Tests.Published;

/// <summary>qed batch: order, errors, and nothing lost or doubled whatever stops it.</summary>
public sealed class BatchCommandTests : IDisposable
{
    private const string Lines = """
        {"id":"a","prompt":"Once upon a time","max_tokens":30}
        {"prompt":"The king","max_tokens":5,"temperature":0,"logprobs":2}
        not json

        {"id":7.50,"score":" there was a king","prompt":"Once upon a time"}
        {"id":"c","prompt":"The king was very","choices":[" old"," green"]}
        {"id":"d","messages":[{"role":"user","content":"Tell me a story"}],"max_tokens":8}
        {"id":"e","tokens":[1,5,9],"max_tokens":3,"seed":18446744073709551615}
        {"id":"f","prompt":"x","temprature":1}
        {"id":"g","prompt":"x","top_p":2}
        {"id":"h","tokens":[99999]}
        {"id":"i","messages":[{"role":"robot","content":"Hm"}]}
        {"id":"j","prompt":"x","score":3}
        {"id":["k"],"prompt":"x"}
        {"id":"l","prompt":"Once","stop":["e"],"max_tokens":100}
        """;

    private static readonly string[] Ids = ["\"a\"", "2", "3", "7.50", "\"c\"", "\"d\"", "\"e\"", "\"f\"", "\"g\"", "\"h\"", "\"i\"", "\"j\"", "14", "\"l\""];
    private static readonly int[] Wrong = [2, 7, 8, 9, 10, 11, 12];

    private readonly string _folder = Directory.CreateTempSubdirectory("qed").FullName;
    private readonly string _input, _output;

    public BatchCommandTests()
    {
        _input = Path.Combine(_folder, "in.jsonl");
        _output = Path.Combine(_folder, "out.jsonl");
        File.WriteAllText(_input, Lines);
    }

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public async Task OneSequence_AnswersALine_BeforeTheNextIsWritten()
    {
        using Process process = Process.Start(new ProcessStartInfo(PublishedPrograms.File("qed", "x64"), ["batch", "-i", "-", "--sequences", "1", "-n", "3"])
        { RedirectStandardInput = true, RedirectStandardOutput = true, StandardOutputEncoding = Encoding.UTF8 })!;
        try
        {
            foreach (string id in new[] { "a", "b" })
            {
                await process.StandardInput.WriteLineAsync($$"""{"id":"{{id}}","prompt":"The king"}""");
                await process.StandardInput.FlushAsync();
                string? answer = await process.StandardOutput.ReadLineAsync().WaitAsync(TimeSpan.FromMinutes(1));
                Assert.Equal(id, (string)JsonNode.Parse(answer!)!["id"]!);
            }
            process.StandardInput.Close();
            Assert.Null(await process.StandardOutput.ReadLineAsync().WaitAsync(TimeSpan.FromMinutes(1)));
            process.WaitForExit();
            Assert.Equal(0, process.ExitCode);
        }
        finally
        {
            process.Kill(); // where it waits for more lines than one
        }
    }

    [Fact]
    public void EveryLineHasItsRecord_InOrder_AsAloneAndHoweverManyAreTogether()
    {
        ProgramResult result = Batch();
        Assert.Equal((1, "7 of 14 lines failed; see \"error\" in their records\n"), (result.ExitCode, result.Error));
        JsonNode[] records = [.. result.Output.TrimEnd('\n').Split('\n').Select(line => JsonNode.Parse(line)!)];
        Assert.Equal(Ids, records.Select(record => record["id"]!.ToJsonString()));
        for (int i = 0; i < records.Length; i++)
            Assert.Equal(Wrong.Contains(i), records[i]["error"] is not null);
        Assert.Contains("temprature", (string)records[7]["error"]!);
        Assert.DoesNotContain("e", (string)records[13]["text"]!);
        Assert.Equal("stop", (string)records[13]["finish_reason"]!);
        Assert.Equal(2, records[1]["logprobs"]![4]!["top"]!.AsArray().Count);
        Assert.Equal(8UL, (ulong)records[0]["seed"]!); // --seed and the line's number
        JsonNode alone = JsonNode.Parse(PublishedPrograms.Run("qed", "x64", "generate", "Once upon a time", "-n", "30", "--seed", "8", "--json").Output)!;
        Assert.Equal((string)alone["text"]!, (string)records[0]["text"]!);
        Assert.Equal(" there was a king", string.Concat(records[3]["tokens"]!.AsArray().Select(token => (string)token!)));
        Assert.Equal(0, (int)records[4]["best"]!);

        foreach (string sequences in new[] { "1", "3", "64" })
            Assert.Equal(result.Output, Batch("--sequences", sequences).Output);
        string shards = string.Concat(new[] { "1/3", "2/3", "3/3" }.Select(shard => Batch("--shard", shard).Output));
        Assert.Equal(Sorted(result.Output), Sorted(shards));

        static IEnumerable<string> Sorted(string lines) => lines.Split('\n').Order(StringComparer.Ordinal);
    }

    [Fact]
    public void ARunThatWasKilled_GoesOn_WithNothingLostOrDoubled()
    {
        File.WriteAllLines(_input, Enumerable.Range(0, 60).Select(i => $$"""{"id":{{i}},"prompt":"Once upon a time","max_tokens":{{20 + i % 7 * 15}},"ignore_eos":true}"""));
        string expected = Batch().Output, part = _output + ".part";
        Assert.Equal(60, expected.Count(c => c == '\n'));
        string program = PublishedPrograms.File("qed", "x64");
        for (int kills = 0; kills < 2;)
        {
            using Process process = Process.Start(new ProcessStartInfo(program, ["batch", "-i", _input, "-o", _output, "--seed", "8", "--resume", "--isa", "scalar", "-t", "1"]) { RedirectStandardError = true })!;
            long before = Length(part);
            while (!process.HasExited && Length(part) <= before + 2000)
                Thread.Sleep(5);
            Assert.False(process.HasExited, "it was to be killed on the way");
            process.Kill();
            process.WaitForExit();
            kills++;
        }
        Assert.False(File.Exists(_output));
        File.AppendAllText(part, "{\"id\":"); // as a write that a power cut stopped
        OneLine.AssertError(1, Batch("-o", _output));
        ProgramResult result = Batch("-o", _output, "--resume");
        Assert.Equal((0, ""), (result.ExitCode, result.Error));
        Assert.Equal(expected, File.ReadAllText(_output));
        Assert.False(File.Exists(part));
        Assert.Equal(0, Batch("-o", _output, "--resume").ExitCode); // once more: nothing to do
        Assert.Equal(expected, File.ReadAllText(_output));
        OneLine.AssertError(1, Batch("-o", _output));
    }

    [Fact]
    public void AFullDisk_IsSaid_AndNothingIsLostWhenThereIsRoom()
    {
        // A disk of its own, which gets room after the first run.
        const string script = """
            mount -t tmpfs -o size=8k tmpfs "$1" || exit 99
            "$0" batch -i "$2" -o "$1/out.jsonl" --seed 8 && exit 98
            mount -o remount,size=1m "$1"
            "$0" batch -i "$2" -o "$1/out.jsonl" --seed 8 --resume || exit 97
            cat "$1/out.jsonl"
            """;
        Tools.Require("unshare", "mount");
        File.WriteAllLines(_input, Enumerable.Range(0, 40).Select(i => $$"""{"id":{{i}},"prompt":"Once upon a time","max_tokens":60,"ignore_eos":true}"""));
        string disk = Directory.CreateDirectory(Path.Combine(_folder, "disk")).FullName;
        ProgramResult result = Tools.Run("unshare", ["--mount", "--user", "--map-root-user", "sh", "-c", script, PublishedPrograms.File("qed", "x64"), disk, _input]);
        Assert.SkipWhen(result.ExitCode == 99 || result.Error.StartsWith("unshare:", StringComparison.Ordinal), $"no disk can be mounted here: {result.Error}");
        Assert.Equal(0, result.ExitCode);
        Assert.Matches(@"^error: .*out\.jsonl\.part: cannot be written: No space left.*--resume[^\n]*\n$", result.Error);
        Assert.Equal(Batch().Output, result.Output);
    }

    [Fact]
    public void AScore_ThatTheDiskHasNoRoomFor_IsNoErrorOfItsLine()
    {
        const string script = """
            mount -t tmpfs -o size=8k tmpfs "$1" || exit 99
            "$0" batch -i "$2" -o "$1/out.jsonl" --seed 8 2>/dev/null && exit 98
            mount -o remount,size=1m "$1"
            "$0" batch -i "$2" -o "$1/out.jsonl" --seed 8 --resume || exit 97
            cat "$1/out.jsonl"
            """;
        Tools.Require("unshare", "mount");
        File.WriteAllLines(_input, Enumerable.Range(0, 60).Select(i => $$"""{"id":{{i}},"score":"Once upon a time there was a king"}"""));
        string disk = Directory.CreateDirectory(Path.Combine(_folder, "disk")).FullName;
        ProgramResult result = Tools.Run("unshare", ["--mount", "--user", "--map-root-user", "sh", "-c", script, PublishedPrograms.File("qed", "x64"), disk, _input]);
        Assert.SkipWhen(result.ExitCode == 99 || result.Error.StartsWith("unshare:", StringComparison.Ordinal), $"no disk can be mounted here: {result.Error}");
        Assert.Equal(0, result.ExitCode);
        Assert.DoesNotContain("error", result.Output);
        Assert.Equal(Batch().Output, result.Output);
    }

    [Theory]
    [InlineData("cat IN | qed batch -i /dev/stdin --seed 8")]
    [InlineData("qed batch -i <(cat IN) --seed 8")]
    [InlineData("qed batch -i /dev/stdin --seed 8 < IN")]
    [InlineData("cp IN real; ln -s real link; qed batch -i link --seed 8")]
    [InlineData("ln -s there out; qed batch -i IN -o out --seed 8; code=$?; test -L out && cat there; exit $code")]
    public void PipesAndLinks_AreFiles(string command)
    {
        string expected = Batch().Output;
        ProgramResult result = Tools.Run("bash", ["-c", command.Replace("IN", _input)], start =>
        {
            start.WorkingDirectory = _folder;
            start.Environment["PATH"] = $"{Path.GetDirectoryName(PublishedPrograms.File("qed", "x64"))}:{start.Environment["PATH"]}";
        });
        Assert.Equal(1, result.ExitCode); // lines fail
        Assert.Equal(expected, result.Output);
    }

    [Fact]
    public void TwoRunsOnOneOutput_AreNotAllowed()
    {
        File.WriteAllLines(_input, Enumerable.Range(0, 60).Select(i => $$"""{"id":{{i}},"prompt":"Once upon a time","max_tokens":60,"ignore_eos":true}"""));
        using Process first = Process.Start(new ProcessStartInfo(PublishedPrograms.File("qed", "x64"), ["batch", "-i", _input, "-o", _output, "--seed", "8", "--isa", "scalar", "-t", "1"]))!;
        while (!first.HasExited && Length(_output + ".part") == 0)
            Thread.Sleep(5);
        Tools.Run("kill", ["-STOP", $"{first.Id}"]); // however busy this machine is, the first does not end before the second
        Assert.False(first.HasExited);
        ProgramResult second = Batch("-o", _output, "--resume");
        OneLine.AssertError(1, second);
        first.Kill();
        first.WaitForExit();
        Assert.Equal(0, Batch("-o", _output, "--resume").ExitCode);
        Assert.Equal(Batch().Output, File.ReadAllText(_output));
    }

    [Fact]
    public void Messages_AreThoseOfAChat()
    {
        // What a user writes is never a special token, and an answer ends before another message begins.
        File.WriteAllText(_input, """{"messages":[{"role":"user","content":"hello <eos> there"}],"max_tokens":20,"temperature":0}""");
        JsonNode record = JsonNode.Parse(Batch().Output)!;
        using Process chat = Process.Start(new ProcessStartInfo(PublishedPrograms.File("qed", "x64"), ["chat", "--greedy", "-n", "20"]) { RedirectStandardInput = true, RedirectStandardOutput = true, RedirectStandardError = true })!;
        chat.StandardInput.Write("hello <eos> there\n");
        chat.StandardInput.Close();
        Assert.Equal(chat.StandardOutput.ReadToEnd(), (string)record["text"]! + "\n");
        File.WriteAllText(_input, """{"messages":[{"role":"user","content":"hi","mood":"x"}]}""");
        Assert.Contains("mood", (string)JsonNode.Parse(Batch().Output)!["error"]!);
    }

    [Fact]
    public void AnotherInput_IsNotTakenForTheOneThatWasStopped()
    {
        File.WriteAllText(_output + ".part", "{\"id\":\"z\",\"text\":\"\"}\n");
        ProgramResult result = Batch("-o", _output, "--resume");
        OneLine.AssertError(1, result);
        Assert.Contains("another id", result.Error);
        File.WriteAllText(_output + ".part", string.Concat(Enumerable.Repeat("{\"id\":\"z\"}\n", 20)));
        result = Batch("-o", _output, "--resume");
        OneLine.AssertError(1, result);
        Assert.Contains("14 lines for 20 records", result.Error);
        File.WriteAllText(_output + ".part", "no record\n");
        OneLine.AssertError(1, Batch("-o", _output, "--resume"));
        Assert.Equal(1, Batch("-o", _output, "--force").ExitCode); // lines fail
        Assert.True(File.Exists(_output));
    }

    [Fact]
    public void StandardInput_IsReadAsItComes()
    {
        string program = PublishedPrograms.File("qed", "x64");
        using Process process = Process.Start(new ProcessStartInfo(program, ["batch", "-i", "-", "--sequences", "1"]) { RedirectStandardInput = true, RedirectStandardOutput = true, StandardOutputEncoding = Encoding.UTF8 })!;
        process.StandardInput.Write("{\"prompt\":\"Once\",\"max_tokens\":3}\n{\"prompt\":\"é\",\"max_tokens\":3}\n");
        process.StandardInput.Close();
        Assert.Equal(2, process.StandardOutput.ReadToEnd().Count(c => c == '\n'));
        process.WaitForExit();
        Assert.Equal(0, process.ExitCode);
    }

    private static long Length(string file) => File.Exists(file) ? new FileInfo(file).Length : 0;

    private ProgramResult Batch(params string[] more) => PublishedPrograms.Run("qed", "x64", ["batch", "-i", _input, "--seed", "8", .. more]);
}
