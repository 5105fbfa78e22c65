using System.Globalization;
using System.Text;
using QedEdge.Cli.Pictures;
using QedEdge.CommandLine;
using QedEdge.Evaluation;
using QedEdge.Text;

namespace QedEdge.Cli.Commands;

/// <summary><c>qed score</c>: how likely the model thinks a text, token by token.</summary>
internal sealed class ScoreCommand
{
    private readonly CommonOptions _common = new();
    private readonly PromptInput _text = new("text");
    private readonly TextOption _context = new("--context") { ValueName = "TEXT", Description = "What stands before the text and is not scored" };
    private readonly TextOption _labels = new("--labels") { ValueName = "IDS", Description = "With --tokens: the label of each token, -100 where none is scored; the logits at t are scored against the label at t + 1" };
    private readonly Flag _shifted = new("--labels-shifted") { Description = "The labels are shifted already: the logits at t are scored against the label at t" };
    private readonly PictureOutput _html = new("--html", ".html", "Write the text as a page, coloured by surprise");

    public static Command Create()
    {
        var self = new ScoreCommand();
        var command = new Command("score", "Say how likely the model thinks a text.\n\nExample: qed score \"Once upon a time there was a king.\"");
        self._text.AddTo(command);
        command.AddGroup(self._text.Group, self._context, self._labels, self._shifted);
        self._html.AddTo(command);
        self._common.AddRunOptions(command);
        command.AddGroup(OptionGroups.Output, self._common.Json);
        command.Action = self.Run;
        return command;
    }

    private int Run(ParseResult parsed)
    {
        _html.Check(parsed);
        using QedModel model = _common.OpenModel(parsed);
        byte[]? text = _text.Tokens(parsed) is null ? _text.FindText(parsed) : null; // before signals are listened to
        TextScore score;
        using (var interrupt = new Interrupt())
        {
            try
            {
                score = Score(parsed, model, text, interrupt.Token).RequireAny();
            }
            catch (OperationCanceledException)
            {
                return ExitCode.Interrupted;
            }
        }
        _html.Write(parsed, () => Page(model, score));
        if (parsed.GetValue(_common.Json))
            Terminal.WriteJson(score.WriteTo);
        else
            WriteText(score);
        return ExitCode.Done;
    }

    private TextScore Score(ParseResult parsed, QedModel model, byte[]? text, CancellationToken cancellation)
    {
        string? context = parsed.GetValue(_context);
        int[]? tokens = _text.Tokens(parsed), labels = parsed.GetValue(_labels) is { } list ? CommonOptions.ParseNumbers("--labels", list) : null;
        if (labels is not null ? tokens is null || context is not null : parsed.GetValue(_shifted))
            throw new UsageException("--labels goes with --tokens and without --context, --labels-shifted with --labels");
        if (tokens is not null && context is not null)
            throw new UsageException("--context goes with a text; with --tokens, give all ids and choose by --labels");
        if (tokens is null && text is null or { Length: 0 })
            throw new UsageException($"{(text is null ? "give a text" : "the text is empty; give one")}: as TEXT, --text, --file or --tokens");
        using Session session = model.CreateSession(_common.SessionOptions(parsed));
        if (labels is not null)
            return TextScore.OfLabels(session, tokens!, labels, parsed.GetValue(_shifted) ? LabelConvention.SamePosition : LabelConvention.NextPosition, cancellation);
        if (tokens is not null)
            return TextScore.OfTokens(session, tokens, cancellation);
        byte[] before = Encoding.UTF8.GetBytes(context ?? "");
        bool plain = _text.IsPlain(parsed);
        if (!plain)
            PromptInput.WarnOfSecondBos(model.RequireTokenizer(), [.. before, .. text!]);
        return TextScore.OfText(session, model.RequireTokenizer(), before, text, plain, cancellation);
    }

    private static Action<TextWriter> Page(QedModel model, TextScore score)
    {
        if (score.Pieces is null)
            throw new UsageException("--html needs a text: not --labels, and a model with a tokenizer");
        var decoder = new StreamingDecoder(model.RequireTokenizer(), SpecialTokenText.Keep);
        var pieces = new List<ScoredPiece>();
        foreach (int id in score.Before)
            pieces.Add(new ScoredPiece(decoder.Append(id).ToString(), null));
        for (int i = 0; i < score.Ids.Length; i++)
            pieces.Add(new ScoredPiece(decoder.Append(score.Ids[i]).ToString(), double.IsNaN(score.LogProbabilities[i]) ? null : score.LogProbabilities[i]));
        return output => SurprisePage.Write(output, "How much each token surprised the model", $"Model: {model.File.Name}", pieces);
    }

    private static void WriteText(TextScore score)
    {
        for (int i = 0; i < score.Ids.Length; i++)
        {
            string probability = double.IsNaN(score.LogProbabilities[i]) ? "-" : score.LogProbabilities[i].ToString("0.0000", CultureInfo.InvariantCulture);
            Terminal.WriteLine($"{probability,10} {score.Ids[i],6}  {TerminalText.OneLine(score.Pieces?[i] ?? "")}");
        }
        Terminal.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"\n{score.Count} tokens scored, total {score.Total:0.####} nats, mean NLL {score.MeanNll:0.######}, perplexity {score.Perplexity:0.####}"));
    }
}
