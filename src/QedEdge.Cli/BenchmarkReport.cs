using System.Globalization;
using System.Runtime.InteropServices;
using System.Text;
using System.Text.Json;
using QedEdge.Cli.Json;
using QedEdge.CommandLine;
using QedEdge.Gguf;

namespace QedEdge.Cli;

/// <summary>What was measured, with all that one must know to compare it: a page to pass on.</summary>
/// <param name="model">The model.</param>
/// <param name="kvType">How keys and values were stored.</param>
/// <param name="before">The machine before the first test.</param>
/// <param name="after">The machine after the last one.</param>
/// <param name="results">The tests.</param>
internal sealed class BenchmarkReport(QedModel model, string kvType, MachineState before, MachineState after, List<BenchmarkResult> results)
{
    /// <summary>What writes it: JSON where the file's name says so, else Markdown.</summary>
    public Action<TextWriter> Of(string file) => file.EndsWith(".json", StringComparison.OrdinalIgnoreCase) ? WriteJson : WriteMarkdown;

    /// <summary>The tests as a member of a JSON object.</summary>
    public static void WriteResults(Utf8JsonWriter json, List<BenchmarkResult> results)
    {
        json.WriteStartArray("results");
        foreach (BenchmarkResult r in results)
        {
            json.WriteStartObject();
            json.WriteString("test", r.Test);
            json.WriteNumber("depth", r.Depth);
            json.WriteNumber("sequences", r.Sequences);
            json.WriteNumber("threads", r.Threads);
            json.WriteNumber("tokens_per_second", Math.Round(r.TokensPerSecond, 3));
            json.WriteNumber("stddev", Math.Round(r.Deviation, 3));
            json.WriteFinite("weight_gb_per_second", Math.Round(r.WeightGigabytes, 3));
            json.WriteNumber("plain_read_gb_per_second", Math.Round(r.PlainReadGigabytes, 3));
            json.WriteFinite("read_share", Math.Round(r.ReadShare, 4));
            json.WriteEndObject();
        }
        json.WriteEndArray();
    }

    /// <summary>What is known of machine and model, label and value.</summary>
    private List<(string Label, string Value)> Facts()
    {
        var facts = new List<(string Label, string Value)>();
        Add("qed", $"{ProgramVersion.Full}, {RuntimeInformation.RuntimeIdentifier}");
        Add("kernels", model.InstructionSet);
        Add("board", before.Board);
        Add("processor", before.Processor);
        Add("cores", Environment.ProcessorCount.ToString(CultureInfo.InvariantCulture));
        Add("memory", before.Memory);
        Add("system", RuntimeInformation.OSDescription);
        Add("governor", before.Governor);
        Both("clock", before.Clock, after.Clock);
        Both("temperature", before.Temperature, after.Temperature);
        Both("throttled", before.Throttled, after.Throttled);
        Add("model", $"{Path.GetFileName(model.File.Name)}, {ByteSize.Text(model.File.Length)}, {ByteSize.Text(model.WeightBytesPerToken)} of weights a token");
        Add("digest", model.File.Metadata.FindString(GgufKeys.DigestValue));
        Add("keys and values", kvType);
        return facts;

        void Add(string label, string? value)
        {
            if (value is { Length: > 0 })
                facts.Add((label, TerminalText.OneLine(value)));
        }

        void Both(string label, string? first, string? last) => Add(label, first is null || last is null ? null : $"{first} before, {last} after");
    }

    private void WriteMarkdown(TextWriter page)
    {
        page.Write("| qed bench | |\n|---|---|\n");
        foreach ((string label, string value) in Facts())
            page.Write($"| {label} | {value.Replace("|", "\\|", StringComparison.Ordinal)} |\n");
        page.Write("\n| test | depth | sequences | threads | tokens/s | ± | weights GB/s | plain read GB/s | share |\n|---|---:|---:|---:|---:|---:|---:|---:|---:|\n");
        foreach (BenchmarkResult r in results)
        {
            page.Write(string.Create(CultureInfo.InvariantCulture,
                $"| {r.Test} | {r.Depth} | {r.Sequences} | {r.Threads} | {r.TokensPerSecond:0.0} | {r.Deviation:0.0} | {Shown(r.WeightGigabytes, "0.0")} | {r.PlainReadGigabytes:0.0} | {Shown(100 * r.ReadShare, "0")}{(double.IsNaN(r.ReadShare) ? "" : " %")} |\n"));
        }
        page.Write("\nMedians; pp: tokens of a prompt fed at once, tg: tokens generated one by one.\n");
    }

    private void WriteJson(TextWriter page) => page.Write(Encoding.UTF8.GetString(Terminal.Json(json =>
    {
        foreach ((string label, string value) in Facts())
            json.WriteString(label.Replace(' ', '_'), value);
        WriteResults(json, results);
    })));

    /// <summary>A number, or nothing where there is none.</summary>
    public static string Shown(double value, string format) => double.IsNaN(value) ? "" : value.ToString(format, CultureInfo.InvariantCulture);
}
