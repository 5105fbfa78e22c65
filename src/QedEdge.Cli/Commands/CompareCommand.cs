using System.Globalization;
using QedEdge.Cli.Json;
using QedEdge.CommandLine;
using QedEdge.Evaluation;

namespace QedEdge.Cli.Commands;

/// <summary><c>qed compare</c>: how far one model file is from another, side by side and without any file of logits.</summary>
internal sealed class CompareCommand
{
    private readonly CommonOptions _common = new();
    private readonly TextFileInput _text = new();
    private readonly TextsOption _models = new("--model", "-m") { ValueName = "FILE", Description = "Given twice: the reference, and the model that is compared with it", IsRequired = true };

    public static Command Create()
    {
        var self = new CompareCommand();
        var command = new Command("compare", "Measure how far a model is from a reference, token by token over a text.\n\nExample: qed compare -m model-f32.gguf -m model-q4_0.gguf -f story.txt",
            self._models);
        self._text.AddTo(command);
        self._common.AddRunOptions(command, model: false);
        command.AddGroup(OptionGroups.Output, self._common.Json);
        command.Action = self.Run;
        return command;
    }

    private int Run(ParseResult parsed)
    {
        if (parsed.GetValue(_models) is not [{ Length: > 0 } first, { Length: > 0 } second])
            throw new UsageException("give two model files: --model REFERENCE --model FILE");
        using QedModel reference = _common.OpenModel(parsed, first, window: TextFileInput.DefaultWindow), model = _common.OpenModel(parsed, second, window: TextFileInput.DefaultWindow, beside: reference);
        (IEnumerable<TextWindow> windows, int size, int stride) = _text.Windows(parsed, reference, _common, model.Config.ContextLength);
        SessionOptions options = _common.SessionOptions(parsed) with { ContextLength = size };
        using Session expected = reference.CreateSession(options), session = model.CreateSession(options);
        using var interrupt = new Interrupt();
        DivergenceStatistics result;
        try
        {
            using var progress = new ProgressLine("tokens");
            result = ModelComparison.Run(expected, session, windows, count => progress.Report(count, _text.Share(parsed)), interrupt.Token);
        }
        catch (OperationCanceledException)
        {
            return ExitCode.Interrupted;
        }
        if (result.Count == 0)
            throw new QedException($"{_text.Name(parsed)}: holds no text");
        if (parsed.GetValue(_common.Json))
            WriteJson(reference, model, result, size, stride);
        else
            WriteText(reference, model, result, size, stride);
        return ExitCode.Done;
    }

    private static void WriteText(QedModel reference, QedModel model, DivergenceStatistics result, int size, int stride)
    {
        Line($"{model.File.Name} beside {reference.File.Name}: {result.Count} tokens, each once, in windows of {size} tokens at most, {stride} of them new");
        Line($"KL divergence    mean {result.Mean:0.000000} ± {result.MeanError:0.000000} nats");
        Line($"                 median {result.Quantile(0.5):0.000000}, 95 % {result.Quantile(0.95):0.000000}, 99 % {result.Quantile(0.99):0.000000}, 99.9 % {result.Quantile(0.999):0.000000}, largest {result.Largest:0.000000}");
        Line($"same top token   {result.SameTop:0.000%} ({result.Flips} differ)");
        Line($"perplexity       {result.Perplexity:0.0000}, the reference's {result.ReferencePerplexity:0.0000}");
        Line($"ratio            {Math.Exp(result.LogRatioOfPerplexities):0.000000} ± {Math.Exp(result.LogRatioOfPerplexities) * result.LogRatioError:0.000000}");

        static void Line(FormattableString text) => Terminal.WriteLine(text.ToString(CultureInfo.InvariantCulture));
    }

    private static void WriteJson(QedModel reference, QedModel model, DivergenceStatistics result, int size, int stride) => Terminal.WriteJson(json =>
    {
        json.WriteString("reference", reference.File.Name);
        json.WriteString("model", model.File.Name);
        json.WriteNumber("tokens", result.Count);
        json.WriteNumber("window", size);
        json.WriteNumber("stride", stride);
        json.WriteStartObject("kl");
        json.WriteFinite("mean", result.Mean);
        json.WriteFinite("mean_error", result.MeanError);
        json.WriteFinite("median", result.Quantile(0.5));
        json.WriteFinite("p95", result.Quantile(0.95));
        json.WriteFinite("p99", result.Quantile(0.99));
        json.WriteFinite("p99_9", result.Quantile(0.999));
        json.WriteFinite("largest", result.Largest);
        json.WriteEndObject();
        json.WriteFinite("same_top", result.SameTop);
        json.WriteNumber("top_flips", result.Flips);
        json.WriteFinite("reference_perplexity", result.ReferencePerplexity);
        json.WriteFinite("perplexity", result.Perplexity);
        json.WriteFinite("perplexity_ratio", Math.Exp(result.LogRatioOfPerplexities));
        json.WriteFinite("perplexity_ratio_error", Math.Exp(result.LogRatioOfPerplexities) * result.LogRatioError);
    });
}
