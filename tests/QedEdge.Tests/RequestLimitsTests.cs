using System.Text;
using QedEdge.Cli;
using QedEdge.Cli.Batch;
using QedEdge.Generation;
using QedEdge.Gguf;
using QedEdge.Json;
using QedEdge.Model;
using QedEdge.Quantization;
using QedEdge.Sampling;
using QedEdge.Tests.Model;
using QedEdge.Threading;

namespace QedEdge.Tests;

/// <summary>Each length that a request gives, below, at and above its limit.</summary>
public sealed class RequestLimitsTests() : SampleModelTests(BlockFormat.Q4_0)
{
    [Theory, Limit(typeof(RequestLimits), nameof(RequestLimits.JsonBytes))]
    public void BytesOfAJsonText(LimitTrial trial)
    {
        var text = new byte[trial.Length];
        text.AsSpan().Fill((byte)' ');
        "{}"u8.CopyTo(text);
        trial.Check(() => JsonValue.ParseObject(text));
    }

    [Theory, Limit(typeof(RequestLimits), nameof(RequestLimits.JsonDepth))]
    public void DepthOfJson(LimitTrial trial) => trial.Check(() => Json($"{{\"a\":{new string('[', trial.Count - 1)}{new string(']', trial.Count - 1)}}}"));

    [Theory, Limit(typeof(RequestLimits), nameof(RequestLimits.JsonMembers))]
    public void MembersOfAnObject(LimitTrial trial) => trial.Check(() => Json($"{{{Repeated("\"\":0", trial)}}}").Find("b"));

    [Theory, Limit(typeof(RequestLimits), nameof(RequestLimits.Ids))]
    public void TokenIds(LimitTrial trial)
    {
        byte[] start = "{\"tokens\":["u8.ToArray(), line = new byte[start.Length + (2 * trial.Count) + 1];
        start.CopyTo(line, 0);
        line.AsSpan(start.Length).Fill((byte)',');
        for (int i = 0; i < trial.Count; i++)
            line[start.Length + (2 * i)] = (byte)'0';
        (line[^2], line[^1]) = ((byte)']', (byte)'}');
        JsonValue tokens = JsonValue.ParseObject(line).Get("tokens");
        trial.Check(() => Assert.Equal(trial.Count, tokens.Int32s(RequestLimits.Ids).Length));
    }

    [Theory, Limit(typeof(RequestLimits), nameof(RequestLimits.Messages))]
    public void Messages(LimitTrial trial) => trial.CheckLengthAlone(() => Line($"\"messages\":[{Repeated("""{"role":"user","content":""}""", trial)}]"));

    [Theory, Limit(typeof(RequestLimits), nameof(RequestLimits.Choices))]
    public void Choices(LimitTrial trial) => trial.Check(() => Line($"\"choices\":[{Repeated("\"a\"", trial)}]"));

    [Theory, Limit(typeof(RequestLimits), nameof(RequestLimits.TextBytes))]
    public void BytesOfAText(LimitTrial trial)
    {
        string path = ModelFile + ".txt";
        using (FileStream file = File.Create(path))
            file.SetLength(trial.Length); // a file that takes no room
        trial.Check(() => Assert.Equal(trial.Count, InputSource.ReadAll(path, RequestLimits.TextBytes).Length));
    }

    [Theory]
    [Limit(typeof(RequestLimits), nameof(RequestLimits.MaxTokens), "max_tokens", "\"max_tokens\" must be")]
    [Limit(typeof(RequestLimits), nameof(RequestLimits.TopK), "top_k", "\"top_k\" must be")]
    [Limit(typeof(RequestLimits), nameof(RequestLimits.PenaltyWindow), "repeat_last_n", "0 to 1048576")]
    [Limit(typeof(RequestLimits), nameof(RequestLimits.LikelyTokens), "logprobs", "0 to 100")]
    public void ANumber(LimitTrial trial, string member, string words) => trial.Check(() => Line($"\"prompt\":\"a\",\"{member}\":{trial.Length}"), words);

    [Theory, Limit(typeof(RequestLimits), nameof(RequestLimits.LogitBiases))]
    public void LogitBiases(LimitTrial trial) => trial.Check(
        new SamplingOptions { LogitBias = Enumerable.Range(0, trial.Count).ToDictionary(static id => id, static _ => 0f) }.Validate);

    [Theory, Limit(typeof(RequestLimits), nameof(RequestLimits.Stops))]
    public void Stops(LimitTrial trial)
    {
        trial.Check(() => Line($"\"prompt\":\"a\",\"stop\":[{Repeated("\"xyz\"", trial)}]"));
        trial.Check(() => new GeneratedText(Model.Tokenizer, [.. Enumerable.Repeat("xyz", trial.Count)], static _ => { }));
    }

    [Theory, Limit(typeof(RequestLimits), nameof(RequestLimits.StopLength))]
    public void UnitsOfAStopText(LimitTrial trial) => trial.Check(() => new GeneratedText(Model.Tokenizer, [new string('x', trial.Count)], static _ => { }));

    [Theory, Limit(typeof(WorkerTeam), nameof(WorkerTeam.MaxSize))]
    public void Threads(LimitTrial trial) => trial.Check(() => Model.CreateSession(new SessionOptions { Threads = trial.Count, ContextLength = 8 }).Dispose());

    [Theory, Limit(typeof(Workspace), nameof(Workspace.BatchSize))]
    public void Sequences(LimitTrial trial) => trial.Check(() => Model.CreateBatch(trial.Count, new SessionOptions { Threads = 1, ContextLength = 8 }).Dispose());

    [Theory, Limit(typeof(SlotMap), nameof(SlotMap.MaxSinks))]
    public void Sinks(LimitTrial trial) => trial.Check(
        () => Model.CreateSession(new SessionOptions { Threads = 1, ContextLength = 256, Overflow = ContextOverflow.Slide, Sinks = trial.Count }).Dispose());

    [Theory, Limit(typeof(ModelBundle), nameof(ModelBundle.MostDefaults))]
    public void BytesOfABundlesDefaults(LimitTrial trial)
    {
        string bundle = ModelFile + ".bundle";
        trial.Check(() =>
        {
            ModelBundle.Write(Environment.ProcessPath!, ModelFile, new byte[trial.Length], bundle, overwrite: true);
            Assert.Equal(trial.Count, ModelBundle.Find(bundle)!.Defaults.Length);
        });
    }

    private static string Repeated(string text, LimitTrial trial) => string.Join(',', Enumerable.Repeat(text, trial.Count));

    private static JsonValue Json(string text) => JsonValue.ParseObject(Encoding.UTF8.GetBytes(text));

    private void Line(string members) => BatchLine.Read(Json($"{{{members}}}"), Model, Model.Config.ContextLength, GenerationOptions.Of(Model), []);
}
