using System.Globalization;
using System.Text;
using QedEdge.CommandLine;
using QedEdge.Gguf;

namespace QedEdge.Cli.Commands;

/// <summary><c>qed inspect</c>: whether a GGUF file of any architecture runs, what it holds, and what running it takes.</summary>
internal sealed class InspectCommand
{
    private readonly CommonOptions _common = new();
    private readonly Argument _file = new("FILE") { Description = "The file" };
    private readonly Flag _tensors = new("--tensors") { Description = "List every tensor; without this those that all layers have stand in one line" };

    public static Command Create()
    {
        var self = new InspectCommand();
        var command = new Command("inspect", "Show whether a model file runs, its metadata, tensors, sizes and memory need.\n\nExample: qed inspect -m qed.gguf",
            self._file, self._tensors, self._common.Model, self._common.ContextSize, self._common.Json);
        command.Action = self.Run;
        return command;
    }

    private int Run(ParseResult parsed)
    {
        if (parsed.GetValue(_file) is not null && parsed.GetValue(_common.Model) is not null)
            throw new UsageException("give the file once: as FILE or with --model");
        string? path = parsed.GetValue(_file) ?? parsed.GetValue(_common.Model);
        using GgufFile file = ModelSource.OpenFile(path);
        ModelBundle? bundle = ModelSource.File(path) is { } given ? ModelBundle.Find(given) : null;
        var verdict = new FileVerdict(file);
        MemoryNeed? memory = verdict.Problem is null ? MemoryNeed.Of(file, parsed.GetValue(_common.ContextSize)) : null;
        if (parsed.GetValue(_common.Json))
            WriteJson(file, verdict, memory, bundle);
        else
            WriteText(file, verdict, memory, bundle, parsed.GetValue(_tensors));
        return ExitCode.Done;
    }

    private static void WriteText(GgufFile file, FileVerdict verdict, MemoryNeed? memory, ModelBundle? bundle, bool listsAll)
    {
        IEnumerable<GgufTensorInfo> weights = file.Tensors.Where(static tensor => !tensor.IsBaked);
        long values = weights.Sum(static tensor => tensor.ElementCount), bytes = weights.Sum(static tensor => tensor.Bytes);
        foreach (string line in verdict.Lines(file, values))
            Terminal.WriteLine(TerminalText.OneLine(line));
        Terminal.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"file: {TerminalText.OneLine(file.Name)}, {ByteSize.Text(file.Length)}, {(values == 0 ? 0 : 8.0 * bytes / values):0.###} bits per weight, GGUF v{file.Version}, layout {Layout(file)}, alignment {file.Alignment}"));
        if (memory is { } need)
            Terminal.WriteLine($"memory at {need.Context} positions: weights {ByteSize.Text(need.Weights)}, workspace {ByteSize.Text(need.Workspace)}, keys and values {ByteSize.Text(need.Kv(KvCacheType.F32))} (f32), {ByteSize.Text(need.Kv(KvCacheType.F16))} (f16), {ByteSize.Text(need.Kv(KvCacheType.Q8_0))} (q8_0)");
        if (bundle is not null)
        {
            Terminal.WriteLine($"bundled with an executable of {bundle.ExecutableLength} bytes, at byte {bundle.ModelOffset}, {bundle.ModelLength} bytes");
            if (bundle.Defaults.Length > 0)
                Terminal.WriteLine($"  defaults        {TerminalText.OneLine(Encoding.UTF8.GetString(bundle.Defaults).Trim())}");
        }
        IReadOnlyList<KeyValuePair<string, string>> card = ModelCard.Of(file);
        if (card.Count > 0)
            Terminal.WriteLine("");
        foreach (KeyValuePair<string, string> line in card)
            Terminal.WriteLine($"  {line.Key,-15} {TerminalText.OneLine(line.Value)}");
        Terminal.WriteLine($"\nmetadata ({file.Metadata.Keys.Count})");
        foreach (string key in file.Metadata.Keys)
            Terminal.WriteLine($"  {TerminalText.OneLine(key)} = {TerminalText.OneLine(file.Metadata.Describe(key))}");
        Terminal.WriteLine($"\ntensors ({file.Tensors.Count}; {bytes} bytes of {values} weights)");
        foreach (string line in listsAll ? TensorList.All(file) : TensorList.Folded(file))
            Terminal.WriteLine("  " + line);
    }

    private static void WriteJson(GgufFile file, FileVerdict verdict, MemoryNeed? memory, ModelBundle? bundle) => Terminal.WriteJson(json =>
    {
        json.WriteString("file", file.Name);
        json.WriteBoolean("runs", verdict.Problem is null);
        if (verdict.Problem is { } problem)
            json.WriteString("problem", problem);
        if (verdict.Family is { } family)
            json.WriteString("family", family);
        if (verdict.Tokenizer is { } tokenizer)
            json.WriteString("tokenizer", tokenizer);
        if (verdict.TokenizerProblem is { } tokenizerProblem)
            json.WriteString("tokenizer_problem", tokenizerProblem);
        if (verdict.Family is not null)
            json.WriteBoolean("chat_template", verdict.Template is not null);
        if (verdict.TemplateProblem is { } templateProblem)
            json.WriteString("chat_template_problem", templateProblem);
        json.WriteNumber("version", file.Version);
        json.WriteNumber("bytes", file.Length);
        json.WriteNumber("alignment", file.Alignment);
        json.WriteString("layout", Layout(file));
        if (bundle is not null)
        {
            json.WriteStartObject("bundle");
            json.WriteNumber("executable_bytes", bundle.ExecutableLength);
            json.WriteNumber("model_offset", bundle.ModelOffset);
            json.WriteNumber("model_bytes", bundle.ModelLength);
            json.WriteString("defaults", Encoding.UTF8.GetString(bundle.Defaults));
            json.WriteEndObject();
        }
        json.WriteStartObject("card");
        foreach (KeyValuePair<string, string> line in ModelCard.Of(file))
            json.WriteString(line.Key.ToLowerInvariant().Replace(' ', '_'), line.Value);
        json.WriteEndObject();
        json.WriteStartObject("metadata");
        foreach (string key in file.Metadata.Keys)
            json.WriteString(key, file.Metadata.Describe(key));
        json.WriteEndObject();
        json.WriteStartArray("tensors");
        foreach (GgufTensorInfo tensor in file.Tensors)
        {
            json.WriteStartObject();
            json.WriteString("name", tensor.Name);
            json.WriteString("type", TensorTypes.Name(tensor.Type));
            json.WriteStartArray("shape");
            foreach (long dimension in tensor.Dimensions)
                json.WriteNumberValue(dimension);
            json.WriteEndArray();
            json.WriteNumber("offset", tensor.Offset);
            json.WriteNumber("bytes", tensor.Bytes);
            json.WriteEndObject();
        }
        json.WriteEndArray();
        if (memory is { } need)
        {
            json.WriteStartObject("memory");
            json.WriteNumber("context", need.Context);
            json.WriteNumber("weights", need.Weights);
            json.WriteNumber("workspace", need.Workspace);
            json.WriteNumber("kv_f32", need.Kv(KvCacheType.F32));
            json.WriteNumber("kv_f16", need.Kv(KvCacheType.F16));
            json.WriteNumber("kv_q8_0", need.Kv(KvCacheType.Q8_0));
            json.WriteEndObject();
        }
    });

    private static string Layout(GgufFile file) => file.HasPackedLayout ? "packed" : "plain";
}
