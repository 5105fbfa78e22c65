using System.Globalization;
using System.Text.Json.Nodes;
using QedEdge.Conversion;
using QedEdge.Quantization;

namespace QedEdge.Tests.Published;

/// <summary>score, choose, perplexity, compare and eval as users run them.</summary>
public sealed class EvaluationCommandTests : IDisposable
{
    private static readonly string HeldOut = Path.Combine(TestData.TinyQed, "heldout.txt");

    private readonly string _folder = Directory.CreateTempSubdirectory("qed").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void Score_OfFloat32_AgreesWithTheReferencesLoss()
    {
        foreach (string golden in TestData.GoldenCases)
        {
            string model = Convert(golden, BlockFormat.F32);
            JsonNode expected = JsonNode.Parse(File.ReadAllText(Path.Combine(golden, "expected.json")))!;
            string ids = string.Join(',', expected["input_ids"]!.AsArray().Select(id => id!.ToString()));
            JsonNode score = Json("score", "-m", model, "--tokens", ids);
            Assert.InRange((double)score["mean_nll"]! - (double)expected["mean_nll"]!, -1e-4, 1e-4);
            Assert.Null(score["logprobs"]![0]); // nothing is before the first
            // The same as labels, in both conventions.
            Assert.Equal((double)score["mean_nll"]!, (double)Json("score", "-m", model, "--tokens", ids, "--labels", ids)["mean_nll"]!, 1e-9);
            string shifted = string.Join(',', ids.Split(',')[1..].Append("-100"));
            Assert.Equal((double)score["mean_nll"]!, (double)Json("score", "-m", model, "--tokens", ids, "--labels", shifted, "--labels-shifted")["mean_nll"]!, 1e-9);
        }
    }

    [Fact]
    public void Score_OfATextBehindAContext_IsTheRestOfTheWhole()
    {
        JsonNode whole = Json("score", "Once upon a time there was a king"), rest = Json("score", "--context", "Once upon a time", " there was a king");
        Assert.Equal(" there was a king", string.Concat(rest["tokens"]!.AsArray().Select(t => (string)t!)));
        Assert.Equal(whole["logprobs"]!.AsArray().Select(p => (double)p!).TakeLast(4), rest["logprobs"]!.AsArray().Select(p => (double)p!));
        Assert.Equal(rest["logprobs"]!.AsArray().Sum(p => (double)p!), (double)rest["total"]!, 1e-8);
        Assert.Equal(Math.Exp((double)rest["mean_nll"]!), (double)rest["perplexity"]!, 1e-6);
    }

    [Fact]
    public void Choose_PutsTheLikelyFirst()
    {
        string[] arguments = ["choose", "The king was very", "--choice", " Tuesday", "--choice", " old"];
        Assert.EndsWith(" old", Output(arguments).Split('\n')[0]);
        JsonNode json = Json(arguments);
        Assert.Equal(1, (int)json["best"]!);
        Assert.Equal(1.0, json["choices"]!.AsArray().Sum(choice => (double)choice!["share"]!), 1e-6);
        // " old" is one token, which the published results' way does not count: the end is.
        JsonNode qed = Json([.. arguments, "--protocol", "qed"]);
        Assert.Equal(1, (int)qed["choices"]![1]!["tokens"]!);
        Assert.NotEqual((double)json["choices"]![1]!["logprob"]!, (double)qed["choices"]![1]!["logprob"]!);
    }

    [Fact]
    public void Perplexity_OfFloat32_AgreesWithTheReference()
    {
        JsonNode result = Json("perplexity", "-m", Convert(TestData.TinyQed, BlockFormat.F32), "-f", HeldOut);
        Assert.Equal(17_423, (int)result["tokens"]!);
        Assert.Equal(3.095977, (double)result["mean_nll"]!, 1e-4);
        Assert.Equal((int)result["tokens"]!, result["by_position"]!.AsArray().Sum(step => (int)step!["tokens"]!));
    }

    [Fact]
    public void BitsPerByte_CountEveryByteOfTheText_UnknownOnesToo()
    {
        string text = Path.Combine(_folder, "text");
        File.WriteAllText(text, "The king said: 日本 <|\n");
        JsonNode result = Json("perplexity", "-f", text);
        Assert.Equal(new FileInfo(text).Length - 1, (long)result["bytes"]!);
        Assert.InRange((double)result["bits_per_byte"]!, 0.1, 20);
    }

    [Fact]
    public void APicturesLink_StaysOne()
    {
        File.WriteAllText(Path.Combine(_folder, "text"), "Once upon a time\n");
        ProgramResult result = Tools.Run("bash", ["-c", $"ln -s real.svg p.svg && {PublishedPrograms.File("qed", "x64")} perplexity -f text --plot p.svg && test -L p.svg && grep -c '<svg' real.svg"], start => start.WorkingDirectory = _folder);
        Assert.Equal(0, result.ExitCode);
        Assert.EndsWith("1\n", result.Output);
    }

    [Fact]
    public void Choose_FromAPipe_LeavesOutTheLastLineEnd()
    {
        string expected = Output("choose", "The king was very", "--choice", " old", "--choice", " green");
        Assert.Equal(expected, Tools.Run("bash", ["-c", $"echo 'The king was very' | {PublishedPrograms.File("qed", "x64")} choose - --choice ' old' --choice ' green'"]).Output);
    }

    [Fact]
    public void Compare_WithItself_IsNoDifference_AndWithAnotherTypeASmallOne()
    {
        string text = Path.Combine(_folder, "text"), exact = Convert(TestData.TinyQed, BlockFormat.F32), rounded = Convert(TestData.TinyQed, BlockFormat.Q4_0);
        File.WriteAllLines(text, File.ReadLines(HeldOut).Take(60));
        JsonNode same = Json("compare", "-m", exact, "-m", exact, "-f", text, "--kv-type", "f32");
        Assert.Equal((0.0, 1.0, 0), ((double)same["kl"]!["largest"]!, (double)same["same_top"]!, (int)same["top_flips"]!));
        JsonNode other = Json("compare", "-m", exact, "-m", rounded, "-f", text);
        Assert.InRange((double)other["kl"]!["mean"]!, 0.02, 0.05);
        double[] quantiles = [(double)other["kl"]!["median"]!, (double)other["kl"]!["p95"]!, (double)other["kl"]!["p99"]!, (double)other["kl"]!["p99_9"]!, (double)other["kl"]!["largest"]!];
        Assert.Equal(quantiles.Order(), quantiles);
        Assert.Equal((double)Json("perplexity", "-m", rounded, "-f", text)["perplexity"]!, (double)other["perplexity"]!, 1e-6);
        Assert.Equal((double)other["perplexity"]! / (double)other["reference_perplexity"]!, (double)other["perplexity_ratio"]!, 1e-6);
    }

    [Fact]
    public void Eval_PutsTheQuestionsAsLightEvalDoes_AndGoesOnWhereItWasStopped()
    {
        string samples = Path.Combine(TestData.Root, "samples", "eval"), output = Path.Combine(_folder, "records.jsonl"), part = output + ".part";
        string[] arguments = ["eval", samples, "-o", output, "--protocol", "standard"];
        JsonNode report = Json(arguments);
        Assert.Equal(5, report["tasks"]!.AsArray().Count);
        Assert.Equal(report["tasks"]!.AsArray().Average(task => (double)task!["acc"]!), (double)report["average"]!, 1e-6);
        string[] lines = File.ReadAllLines(output);
        Assert.Equal(31, lines.Length);

        // The records' scores are those of the prompts, which were compared with LightEval's own functions (prompts.jsonl).
        JsonNode[] expected = [.. File.ReadLines(Path.Combine(TestData.Root, "tests", "evaluation", "prompts.jsonl")).Select(line => JsonNode.Parse(line)!)];
        foreach (string line in lines[1..].Where((_, i) => i % 6 < 2))
        {
            JsonNode record = JsonNode.Parse(line)!, prompt = expected.Single(p => (string)p["variant"]! == "lighteval" && (string)p["task"]! == (string)record["task"]! && (int)p["row"]! + 1 == (int)record["line"]!);
            Assert.Equal((int)prompt["gold"]!, (int)record["gold"]!);
            string[] choices = [.. prompt["choices"]!.AsArray().SelectMany(choice => new[] { "--choice", (string)choice! })];
            JsonNode chosen = Json(["choose", (string)prompt["prompt"]!, .. choices]);
            Assert.Equal(chosen["choices"]!.AsArray().Select(choice => (double)choice!["logprob"]!), record["logprobs"]!.AsArray().Select(p => (double)p!));
            Assert.Equal((int)chosen["best"]!, (int)record["best"]!);
        }

        // What a killed run leaves: some records and a part of one.
        File.WriteAllText(part, string.Join('\n', lines[..17]) + "\n" + lines[17][..20]);
        File.Delete(output);
        ProgramResult refused = PublishedPrograms.Run("qed", "x64", arguments);
        OneLine.AssertError(1, refused);
        Assert.Contains("--resume", refused.Error);
        OneLine.AssertError(1, PublishedPrograms.Run("qed", "x64", [.. arguments[..^1], "qed", "--resume"])); // another protocol
        Assert.Equal(report.ToJsonString(), Json([.. arguments, "--resume"]).ToJsonString());
        Assert.Equal(lines, File.ReadAllLines(output));
        Assert.False(File.Exists(part));
        Assert.Equal(report.ToJsonString(), Json([.. arguments, "--resume"]).ToJsonString()); // once more: the table of what is there
        Assert.Null(Json("eval", "--task", $"mmlu={samples}/mmlu.jsonl")["average"]); // nothing to compare with
    }

    [Theory]
    [InlineData("arc_challenge", """{"question":"?","choices":{"text":["a","b"],"label":["A","B"]},"answerKey":"C"}""", "line 1: the answer 'C' is none of the choices")]
    [InlineData("arc_challenge", """{"question":"?","choices":{"text":["a"],"label":["A"]},"answerKey":"A"}""", "has 1 choices")]
    [InlineData("hellaswag", """{"activity_label":"x","ctx_a":"a","ctx_b":"","endings":["a","b","c","d"],"label":""}""", "answer is empty")]
    [InlineData("winogrande", """{"sentence":"no gap","option1":"a","option2":"b","answer":"1"}""", "must have one _")]
    [InlineData("mmlu", """{"question":"?"}""", "there is no \"choices\"")]
    [InlineData("mmlu", "[]", "is not a JSON object")]
    public void Eval_NamesTheLineThatCannotBeUsed(string task, string line, string expected)
    {
        string file = Path.Combine(_folder, "questions");
        File.WriteAllText(file, line + "\n");
        ProgramResult result = PublishedPrograms.Run("qed", "x64", "eval", "--task", $"{task}={file}");
        OneLine.AssertError(1, result);
        Assert.Contains(expected, result.Error);
    }

    [Theory]
    [InlineData("--ctx-size must be 2 to 1024", "perplexity", "-f", "x", "-c", "1")]
    [InlineData("--stride must be 1 to 63", "perplexity", "-f", "x", "-c", "64", "--stride", "64")]
    [InlineData("two model files", "compare", "-m", "a", "-f", "x")]
    [InlineData("--choice needs a text", "choose", "x", "--choice", "")]
    [InlineData("give a prompt", "choose", "--choice", "a")]
    [InlineData("give a text", "score")]
    [InlineData("--labels goes with --tokens", "score", "x", "--labels", "1")]
    [InlineData("is not NAME=FILE", "eval", "--task", "gsm8k=x")]
    [InlineData("is not NAME=FILE", "eval", "--task", "mmlu=")]
    [InlineData("'0,8' is not a number", "generate", "x", "--temp", "0,8")]
    [InlineData("did you mean '--temp'?", "generate", "x", "--temperature", "1")]
    [InlineData("did you mean '--max-tokens'?", "generate", "--max-token", "1", "--", "x")]
    [InlineData("nothing to measure", "bench", "-p", "0", "-n", "0")]
    [InlineData("give the file once", "inspect", "a", "-m", "b")]
    [InlineData("--jsonl needs a file name", "tokenize", "--jsonl", "")]
    [InlineData("no such folder", "eval", "/nowhere")]
    [InlineData("is not I/N", "batch", "-i", "x", "--shard", "5/4")]
    [InlineData("--resume goes with --output", "batch", "-i", "x", "--resume")]
    [InlineData("is not ID=X", "generate", "x", "--logit-bias", "5")]
    [InlineData("outside the vocabulary", "generate", "x", "--logit-bias", "5000=1")]
    [InlineData("--logprobs goes with --json", "generate", "x", "--logprobs", "3")]
    public void WrongUsage_IsSaidInOneLine(string expected, params string[] arguments)
    {
        ProgramResult result = PublishedPrograms.Run("qed", "x64", arguments);
        OneLine.AssertError(2, result);
        Assert.Contains(expected, result.Error);
    }

    private static string Output(params string[] arguments)
    {
        ProgramResult result = PublishedPrograms.Run("qed", "x64", arguments);
        Assert.Equal((0, ""), (result.ExitCode, result.Error));
        return result.Output;
    }

    private static JsonNode Json(params string[] arguments) => JsonNode.Parse(Output([.. arguments, "--json"]))!;

    private string Convert(string checkpoint, BlockFormat format)
    {
        string file = Path.Combine(_folder, string.Create(CultureInfo.InvariantCulture, $"{Path.GetFileName(checkpoint)}-{format}.gguf"));
        if (!File.Exists(file))
            CheckpointConverter.Convert(checkpoint, file, new ConversionOptions { Type = format });
        return file;
    }
}
