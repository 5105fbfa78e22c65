using System.CommandLine;
using System.Text.RegularExpressions;
using QedEdge.Memory;
using QedEdge.Quantization;

namespace QedEdge.Conversion.Cli;

/// <summary><c>qed-convert MODEL_DIR -o OUT.gguf</c>: a checkpoint's folder becomes one quantized file.</summary>
internal static class ConvertCommand
{
    private static readonly string[] Types = ["q4_0", "iq4_nl", "q8_0", "f16", "f32"];

    /// <summary>The program's root command.</summary>
    public static RootCommand Create()
    {
        var folder = new Argument<string>("MODEL_DIR") { Description = "folder with config.json, *.safetensors and tokenizer.json" };
        var output = Options.Output("OUT.gguf", "file to write");
        var type = Options.OneOf("--type", "format of the matrices; norms and biases stay f32", "q8_0", Types);
        var embedding = Options.OneOf("--embedding-type", "format of the embedding and the head [default: q8_0 where --type is q4_0 or iq4_nl, else the same]", null, Types);
        var tensorTypes = new Option<string[]>("--tensor-type") { Description = "format of the matrices whose names match, e.g. 'ffn_down=q8_0'; the first that matches holds; repeatable", HelpName = "REGEX=TYPE" };
        tensorTypes.Validators.Add(static result => result.Tokens.Select(static token => Problem(token.Value)).OfType<string>().ToList().ForEach(result.AddError));
        var target = new Option<double?>("--target-bpw") { Description = "store the most sensitive matrices in q8_0 until the layers take so many bits per weight; needs --calibrate", HelpName = "BITS" };
        var method = Options.OneOf("--method", "how quants are chosen: rtn, each value rounded; search, four-bit scales with the least error; gptq, by what flows into each matrix [default: gptq with --calibrate, else rtn]", null, "rtn", "search", "gptq");
        var calibrate = new Option<string?>("--calibrate") { Description = "text like that which the model will read: shows what flows into each matrix", HelpName = "TEXT.txt" };
        var measure = new Option<string?>("--measure") { Description = "text on which the finished file is compared with the float32 weights; the file and its card keep the result", HelpName = "TEXT.txt" };
        var card = new Option<string?>("--card") { Description = "also write a model card in Markdown", HelpName = "FILE.md" };
        var lora = new Option<string?>("--lora") { Description = "PEFT adapter (adapter_config.json, adapter_model.safetensors) to merge into the weights before they are quantized", HelpName = "DIR" };
        var layout = Options.OneOf("--layout", "packed: QedEdge's own order; plain: what any GGUF tool reads [default: packed; plain with --arch qwen2]", null, "packed", "plain");
        var architecture = Options.OneOf("--arch", "qwen2: a file for llama.cpp and tools built on it", "qed", "qed", "qwen2");
        var threads = Options.Threads();
        var force = Options.Force();
        var command = new RootCommand("Converts a QED checkpoint into one quantized GGUF file.\n\nExample: qed-convert samples/tiny-qed -o tiny.gguf --type q4_0") { folder, output, type, embedding, tensorTypes, target, method, calibrate, measure, card, lora, layout, architecture, threads, force };
        command.SetAction((parsed, cancellation) => Outcome.Of(() =>
        {
            bool qwen2 = parsed.GetValue(architecture) == "qwen2";
            var options = new ConversionOptions
            {
                Type = Format(parsed.GetValue(type)!),
                EmbeddingType = parsed.GetValue(embedding) is string name ? Format(name) : null,
                TensorTypes = [.. (parsed.GetValue(tensorTypes) ?? []).Select(Rule)],
                TargetBitsPerWeight = parsed.GetValue(target),
                Method = Method(parsed.GetValue(method), parsed.GetValue(calibrate) is not null),
                CalibrationText = parsed.GetValue(calibrate),
                MeasureText = parsed.GetValue(measure),
                LoraFolder = parsed.GetValue(lora),
                Layout = Options.Layout(parsed.GetValue(layout), qwen2),
                Architecture = qwen2 ? FileArchitecture.Qwen2 : FileArchitecture.Qed,
                Threads = Options.ThreadsOf(parsed, threads),
                Overwrite = parsed.GetValue(force),
            };
            ConversionReport? report = null;
            string to = parsed.GetValue(output)!;
            if (parsed.GetValue(card) is { } early)
                AtomicFile.Check(early, options.Overwrite);
            Terminal.WithProgress(progress => report = CheckpointConverter.Convert(parsed.GetValue(folder)!, to, options, progress, cancellation));
            if (parsed.GetValue(card) is { } cardFile)
                MarkdownCard.Write(to, cardFile, options.Overwrite);
            return () => Terminal.Print(report!, to);
        }));
        foreach (var option in new[] { calibrate, measure, card, lora })
            Options.NeedsName(option);
        command.Validators.Add(result =>
        {
            bool quantizes = Blocks(result.GetValue(type)) || Blocks(result.GetValue(embedding) ?? result.GetValue(type)) || result.GetValue(tensorTypes) is { Length: > 0 };
            if (result.GetValue(calibrate) is not null && !quantizes)
                result.AddError("--calibrate decides how matrices are quantized, and with these types none is.");
            if (result.GetValue(card) is { } cardFile && result.GetValue(output) is { } outputFile && Path.GetFullPath(cardFile) == Path.GetFullPath(outputFile))
                result.AddError("--card and --output name the same file.");
            if (result.GetValue(architecture) == "qwen2" && result.GetValue(layout) == "packed")
                result.AddError("--arch qwen2 is for other tools, which read only --layout plain.");
            if (result.GetValue(target) is double bits && !(bits is > 0 and <= 8.5))
                result.AddError("--target-bpw takes more than 0 and at most 8.5 bits per weight.");
            if (result.GetValue(target) is not null && result.GetValue(calibrate) is null)
                result.AddError("--target-bpw measures on a text what is sensitive: --calibrate TEXT.");
            if (result.GetValue(method) == "gptq" && result.GetValue(calibrate) is null)
                result.AddError("--method gptq needs a text: --calibrate TEXT.");
            if (result.GetValue(method) == "rtn" && result.GetValue(calibrate) is not null)
                result.AddError("--method rtn rounds each value, whatever --calibrate shows.");
        });
        return command;
    }

    /// <summary>Whether a type is one of blocks, so that quants are chosen.</summary>
    private static bool Blocks(string? type) => Types.Contains(type) && PackedLayout.HasScales(Format(type!));

    private static TensorTypeRule Rule(string text)
    {
        int at = text.LastIndexOf('=');
        return new TensorTypeRule(new Regex(text[..at], RegexOptions.CultureInvariant | RegexOptions.NonBacktracking), Format(text[(at + 1)..]));
    }

    /// <summary>What is wrong with a rule, or null.</summary>
    private static string? Problem(string text)
    {
        int at = text.LastIndexOf('=');
        if (at < 1 || !Types.Contains(text[(at + 1)..]))
            return $"--tensor-type takes REGEX=TYPE with a type of {string.Join(", ", Types)}, not '{text}'.";
        try
        {
            Rule(text);
            return null;
        }
        catch (Exception exception) when (exception is ArgumentException or NotSupportedException)
        {
            return $"--tensor-type: '{text[..at]}' is no regular expression: {exception.Message}";
        }
    }

    private static QuantizationMethod Method(string? word, bool calibrated) => word switch
    {
        "search" => QuantizationMethod.Search,
        "gptq" => QuantizationMethod.ErrorFeedback,
        null when calibrated => QuantizationMethod.ErrorFeedback,
        _ => QuantizationMethod.Nearest,
    };

    private static BlockFormat Format(string type) => Enum.Parse<BlockFormat>(type, ignoreCase: true);
}
