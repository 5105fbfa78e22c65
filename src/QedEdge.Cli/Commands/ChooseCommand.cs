using System.Globalization;
using System.Text;
using QedEdge.Cli.Json;
using QedEdge.CommandLine;
using QedEdge.Evaluation;

namespace QedEdge.Cli.Commands;

/// <summary><c>qed choose</c>: which of several texts the model thinks most likely after a prompt.</summary>
internal sealed class ChooseCommand
{
    private readonly CommonOptions _common = new();
    private readonly PromptInput _prompt = new();
    private readonly TextsOption _choices = new("--choice") { ValueName = "TEXT", Description = "A text that may follow the prompt, exactly as it follows: a word after a word begins with a space (repeatable)", IsRequired = true };
    private readonly TextOption _protocol = new("--protocol") { ValueName = "NAME", Description = "What is counted: standard, all tokens of the choice; qed, as for QED's published results", Words = ["standard", "qed"], Default = "standard" };

    public static Command Create()
    {
        var self = new ChooseCommand();
        var command = new Command("choose", "Say which of several texts is most likely after a prompt.\n\nExample: qed choose \"The king was very\" --choice \" old\" --choice \" green\" --choice \" Tuesday\"",
            self._choices, self._protocol);
        self._prompt.AddTo(command, ids: false);
        self._common.AddRunOptions(command);
        command.AddGroup(OptionGroups.Output, self._common.Json);
        command.Action = self.Run;
        return command;
    }

    /// <summary>A protocol by its name.</summary>
    public static ChoiceProtocol Protocol(string? name) => name == "qed" ? ChoiceProtocol.Qed : ChoiceProtocol.Standard;

    private int Run(ParseResult parsed)
    {
        string[] choices = parsed.GetValue(_choices)!;
        if (choices.Contains(""))
            throw new UsageException("--choice needs a text");
        using QedModel model = _common.OpenModel(parsed);
        byte[] text = _prompt.FindText(parsed) ?? throw new UsageException("give a prompt: as PROMPT, --prompt or --file");
        if (!_prompt.IsPlain(parsed))
            PromptInput.WarnOfSecondBos(model.RequireTokenizer(), text);
        string prompt = Encoding.UTF8.GetString(text);
        using Session session = model.CreateSession(_common.SessionOptions(parsed));
        using var interrupt = new Interrupt();
        ChoiceScore[] scores;
        try
        {
            scores = ChoiceScorer.Score(session, prompt, choices, Protocol(parsed.GetValue(_protocol)), interrupt.Token, _prompt.IsPlain(parsed));
        }
        catch (OperationCanceledException)
        {
            return ExitCode.Interrupted;
        }
        if (parsed.GetValue(_common.Json))
            Terminal.WriteJson(json => ChoiceRecord.Write(json, choices, scores));
        else
            WriteText(choices, scores);
        return ExitCode.Done;
    }

    private static void WriteText(string[] choices, ChoiceScore[] scores)
    {
        double[] shares = ChoiceRecord.Shares(scores);
        foreach (int i in Enumerable.Range(0, scores.Length).OrderByDescending(i => scores[i].Sum))
            Terminal.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{shares[i],7:0.0%} {scores[i].Sum,11:0.0000}  {TerminalText.OneLine(choices[i])}"));
    }
}
