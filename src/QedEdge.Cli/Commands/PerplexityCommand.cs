using System.Globalization;
using QedEdge.Cli.Json;
using QedEdge.Cli.Pictures;
using QedEdge.CommandLine;
using QedEdge.Evaluation;

namespace QedEdge.Cli.Commands;

/// <summary><c>qed perplexity</c>: how well the model predicts a text file.</summary>
internal sealed class PerplexityCommand
{
    private readonly CommonOptions _common = new();
    private readonly TextFileInput _text = new();
    private readonly PictureOutput _plot = new("--plot", ".svg", "Draw the loss by position in the context, as SVG");

    public static Command Create()
    {
        var self = new PerplexityCommand();
        var command = new Command("perplexity", "Measure how well the model predicts a text file.\n\nExample: qed perplexity -f story.txt --ctx-size 512 --stride 256");
        self._text.AddTo(command);
        self._plot.AddTo(command);
        self._common.AddRunOptions(command);
        command.AddGroup(OptionGroups.Output, self._common.Json);
        command.Action = self.Run;
        return command;
    }

    private int Run(ParseResult parsed)
    {
        _plot.Check(parsed);
        using QedModel model = _common.OpenModel(parsed, window: TextFileInput.DefaultWindow);
        (IEnumerable<TextWindow> windows, int size, int stride) = _text.Windows(parsed, model, _common);
        using Session session = model.CreateSession(_common.SessionOptions(parsed) with { ContextLength = size });
        using var interrupt = new Interrupt();
        PerplexityStatistics result;
        try
        {
            using var progress = new ProgressLine("tokens");
            result = Perplexity.Run(session, windows, now => progress.Report(now.Count, _text.Share(parsed)), interrupt.Token);
        }
        catch (OperationCanceledException)
        {
            return ExitCode.Interrupted;
        }
        if (result.Count == 0)
            throw new QedException($"{_text.Name(parsed)}: holds no text");
        _plot.Write(parsed, () => Chart(model, result).Write);
        if (parsed.GetValue(_common.Json))
            WriteJson(model, result, size, stride);
        else
            WriteText(model, result, size, stride);
        return ExitCode.Done;
    }

    private static LineChart Chart(QedModel model, PerplexityStatistics result) => new()
    {
        Title = "Loss by position in the context",
        Subtitle = string.Create(CultureInfo.InvariantCulture, $"{model.File.Name}: {result.Count} tokens, mean {result.Mean:0.000} nats; the band is the standard error"),
        X = new Axis("tokens before the one that is predicted", logarithmic: true),
        Y = new Axis("mean −log p, nats"),
        Series = [new Series(model.File.Name, [.. result.ByPosition.Select(step => new Point(Math.Sqrt((double)step.First * step.Last), step.Mean, step.Error))])],
    };

    private static void WriteText(QedModel model, PerplexityStatistics result, int size, int stride)
    {
        Terminal.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{model.File.Name}: {result.Count} tokens scored, each once and the end of each document too ({result.Bytes} bytes of text); windows of {size} tokens at most, {stride} of them new: {result.Windows}"));
        Terminal.WriteLine(string.Create(CultureInfo.InvariantCulture, $"mean NLL       {result.Mean:0.000000} ± {result.MeanError:0.000000} nats"));
        Terminal.WriteLine(string.Create(CultureInfo.InvariantCulture, $"perplexity     {result.Perplexity:0.0000} ± {result.PerplexityError:0.0000}"));
        Terminal.WriteLine(string.Create(CultureInfo.InvariantCulture, $"bits per byte  {result.BitsPerByte:0.0000}"));
    }

    private static void WriteJson(QedModel model, PerplexityStatistics result, int size, int stride) => Terminal.WriteJson(json =>
    {
        json.WriteString("model", model.File.Name);
        json.WriteNumber("tokens", result.Count);
        json.WriteNumber("bytes", result.Bytes);
        json.WriteNumber("windows", result.Windows);
        json.WriteNumber("window", size);
        json.WriteNumber("stride", stride);
        json.WriteFinite("mean_nll", result.Mean);
        json.WriteFinite("mean_nll_error", result.MeanError);
        json.WriteFinite("perplexity", result.Perplexity);
        json.WriteFinite("perplexity_error", result.PerplexityError);
        json.WriteFinite("bits_per_byte", result.BitsPerByte);
        json.WriteStartArray("by_position");
        foreach (PositionLoss loss in result.ByPosition)
        {
            json.WriteStartObject();
            json.WriteNumber("first", loss.First);
            json.WriteNumber("last", loss.Last);
            json.WriteNumber("tokens", loss.Count);
            json.WriteFinite("mean_nll", loss.Mean);
            json.WriteFinite("mean_nll_error", loss.Error);
            json.WriteEndObject();
        }
        json.WriteEndArray();
    });
}
