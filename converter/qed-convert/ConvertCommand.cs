using System.Text.RegularExpressions;
using QedEdge.CommandLine;
using QedEdge.Memory;
using QedEdge.Quantization;
using QedEdge.Quantization.Formats;

namespace QedEdge.Conversion.Cli;

/// <summary><c>qed-convert MODEL_DIR -o OUT.gguf</c>: a checkpoint's folder becomes one quantized file.</summary>
internal static class ConvertCommand
{
    private static readonly string[] Types = ["q4_0", "iq4_nl", "q8_0", "f16", "f32"];

    /// <summary>The program's root command.</summary>
    /// <param name="cancellation">Ends the work.</param>
    /// <param name="others">The program's other commands.</param>
    public static Command Create(CancellationToken cancellation, params Command[] others)
    {
        var folder = new Argument("MODEL_DIR") { Description = "folder with config.json, *.safetensors and tokenizer.json; or a .gguf file of plain layout, to quantize its weights anew", IsRequired = true };
        var output = Options.Output("OUT.gguf", "file to write");
        var type = new TextOption("--type") { Description = "format of the matrices; norms and biases stay f32", Words = Types, Default = "q8_0" };
        var embedding = new TextOption("--embedding-type") { Description = "format of the embedding and the head [default: q8_0 where --type is q4_0 or iq4_nl, else the same]", Words = Types };
        var tensorTypes = new TextsOption("--tensor-type") { Description = "format of the matrices whose names match, e.g. 'ffn_down=q8_0'; the first that matches holds; repeatable", ValueName = "REGEX=TYPE", Check = Problem };
        var target = new NumberOption("--target-bpw") { Description = "store the most sensitive matrices in q8_0 until the layers take so many bits per weight; needs --calibrate", ValueName = "BITS" };
        var method = new TextOption("--method") { Description = "how quants are chosen: rtn, each value rounded; search, four-bit scales with the least error; gptq, by what flows into each matrix [default: gptq with --calibrate, else rtn]", Words = ["rtn", "search", "gptq"] };
        var calibrate = new TextOption("--calibrate") { Description = "text like that which the model will read: shows what flows into each matrix", ValueName = "TEXT.txt" };
        var measure = new TextOption("--measure") { Description = "text on which the finished file is compared with the float32 weights; the file and its card keep the result", ValueName = "TEXT.txt" };
        var card = new TextOption("--card") { Description = "also write a model card in Markdown", ValueName = "FILE.md", IsWritten = true };
        var lora = new TextOption("--lora") { Description = "PEFT adapter (adapter_config.json, adapter_model.safetensors) to merge into the weights before they are quantized", ValueName = "DIR" };
        var layout = new TextOption("--layout") { Description = "packed: QedEdge's own order; plain: what any GGUF tool reads [default: packed; plain with --arch qwen2]", Words = ["packed", "plain"] };
        var architecture = new TextOption("--arch") { Description = "of a QED's file: qwen2 makes one for llama.cpp and tools built on it; other families have their own", Words = ["qed", "qwen2"], Default = "qed" };
        var threads = Options.Threads();
        var force = Options.Force();
        var command = new Command("qed-convert", "Converts a Hugging Face checkpoint (Llama, Qwen, SmolLM, Gemma 3, GPT-2, GPT-Neo, GPT-NeoX, QED) into one quantized GGUF file.\n\nExample: qed-convert samples/tiny-qed -o tiny.gguf --type q4_0",
            folder, output, type, embedding, tensorTypes, target, method, calibrate, measure, card, lora, layout, architecture, threads, force)
        {
            Commands = others,
        };
        command.Action = parsed =>
        {
            Validate(parsed);
            bool qwen2 = parsed.GetValue(architecture) == "qwen2";
            var options = new ConversionOptions
            {
                Type = Format(parsed.GetValue(type)!),
                EmbeddingType = parsed.GetValue(embedding) is string name ? Format(name) : null,
                TensorTypes = [.. parsed.GetValue(tensorTypes).Select(Rule)],
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
            Terminal.Print(report!, to, showCard: options.MeasureText is not null);
            if (parsed.GetValue(card) is { } written)
                Terminal.Note($"wrote {written}");
            return ExitCode.Done;
        };
        return command;

        void Validate(ParseResult parsed)
        {
            bool quantizes = Blocks(parsed.GetValue(type)) || Blocks(parsed.GetValue(embedding) ?? parsed.GetValue(type)) || parsed.GetValue(tensorTypes) is { Length: > 0 };
            if (parsed.GetValue(calibrate) is not null && !quantizes)
                throw new UsageException("--calibrate decides how matrices are quantized, and with these types none is");
            if (parsed.GetValue(architecture) == "qwen2" && parsed.GetValue(layout) == "packed")
                throw new UsageException("--arch qwen2 is for other tools, which read only --layout plain");
            if (parsed.GetValue(target) is double bits && !(bits is > 0 and <= 8.5))
                throw new UsageException("--target-bpw takes more than 0 and at most 8.5 bits per weight");
            if (parsed.GetValue(target) is not null && parsed.GetValue(calibrate) is null)
                throw new UsageException("--target-bpw measures on a text what is sensitive: --calibrate TEXT");
            if (parsed.GetValue(method) == "gptq" && parsed.GetValue(calibrate) is null)
                throw new UsageException("--method gptq needs a text: --calibrate TEXT");
            if (parsed.GetValue(method) == "rtn" && parsed.GetValue(calibrate) is not null)
                throw new UsageException("--method rtn rounds each value, whatever --calibrate shows");
        }
    }

    /// <summary>Whether a type is one of blocks, so that quants are chosen.</summary>
    private static bool Blocks(string? type) => Types.Contains(type) && Format(type!).Info().HasScales;

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
