using System.Globalization;
using System.Text;
using QedEdge.Chat;
using QedEdge.Cli.Chat;
using QedEdge.CommandLine;
using QedEdge.Generation;
using QedEdge.Json;

namespace QedEdge.Cli.Commands;

/// <summary><c>qed chat</c>: a conversation on the terminal, or line by line through a pipe.</summary>
internal sealed class ChatCommand
{
    private const int DefaultMaxTokens = 512;

    private readonly CommonOptions _common = new() { SaysMoreItself = true };
    private readonly SamplingInput _sampling = new(DefaultMaxTokens);
    private readonly ContextInput _context = new(overflow: "slide");
    private readonly TextOption _system = new("--system") { ValueName = "TEXT", Description = "The system message" };
    private readonly TextOption _load = new("--load-session") { ValueName = "FILE", Description = "Go on with a conversation that /save has written" };
    private readonly Flag _verbosePrompt = new("--verbose-prompt") { Description = "Show each message's tokens on standard error" };
    private readonly TextOption _think = new("--think") { ValueName = "on|off", Description = "Whether the model thinks before it answers, where its chat template lets one choose", Words = ["on", "off"] };
    private readonly TextOption _variables = new("--chat-template-kwargs") { ValueName = "JSON", Description = "Further variables of the chat template, a JSON object; now (2026-01-31T23:59:00) is its time" };
    private readonly Flag _json = new("--json") { Description = "Read a message per line, as JSON in OpenAI's form, and print a JSON object for each: docs/json.md" };
    private readonly Flag _noHistory = new("--no-history") { Description = "Do not keep what is typed for other sessions (qed/chat-history in $XDG_STATE_HOME or ~/.local/state)" };
    private readonly PromptProgress _progress = new();

    public static Command Create()
    {
        var self = new ChatCommand();
        var command = new Command("chat", "Talk with an instruction-tuned model; /help there lists what can be typed.\n\nExample: qed chat --system \"You tell short stories.\" --seed 1");
        command.AddGroup(OptionGroups.Conversation, self._system, self._think, self._variables, self._load, self._noHistory);
        self._sampling.AddTo(command);
        self._context.AddTo(command);
        self._common.AddRunOptions(command);
        command.AddGroup(OptionGroups.Output, self._json, self._verbosePrompt);
        command.Action = self.Run;
        return command;
    }

    private int Run(ParseResult parsed)
    {
        using QedModel model = _common.OpenModel(parsed);
        var settings = new ChatSettings(_sampling, parsed, model, _progress.Report);
        using Session session = model.CreateSession(_context.Apply(parsed, _common.SessionOptions(parsed)));
        var conversation = new Dialogue(session, _sampling.Stops(parsed)) { System = parsed.GetValue(_system), Thinks = Thinks(parsed), Variables = Variables(parsed) };
        string? file = parsed.GetValue(_load);
        if (file is not null && parsed.Has(_system))
            throw new UsageException("give either --system or --load-session, whose conversation has the system message that it began with");
        if (file is not null)
            conversation.Load(file);
        return parsed.GetValue(_json) ? Serve(conversation, settings) : Talk(conversation, settings, new SlashCommands(conversation, settings, file), session, parsed);
    }

    private static int Serve(Dialogue conversation, ChatSettings settings)
    {
        using var signals = new ChatSignals(onIdle: () => false, onEnd: () => { });
        long errors = new ChatLines(conversation, settings, signals).Run();
        return signals.IsEnding ? ExitCode.Interrupted : errors > 0 ? ExitCode.Failed : ExitCode.Done;
    }

    private int Talk(Dialogue conversation, ChatSettings settings, SlashCommands commands, Session session, ParseResult parsed)
    {
        using var input = new ChatInput(keepsHistory: !parsed.GetValue(_noHistory));
        using var signals = new ChatSignals(onIdle: input.Interrupt, onEnd: input.GiveBack);
        if (input.IsTerminal)
            Terminal.NoteWords($"{session.Model.File.Name}: /help lists what can be typed besides messages, Ctrl-D ends");
        int again = 0;
        while (!signals.IsEnding && input.Read() is { } message)
        {
            try
            {
                if (message.StartsWith('/') && !input.IsBlock)
                {
                    if (message.TrimEnd() is "/retry" && conversation.HasQuestion)
                        Answer(null, settings.Options(++again));
                    else if (!commands.Obey(message))
                        break;
                }
                else if (message.Length > 0)
                {
                    again = 0;
                    Answer(message, settings.Options());
                }
            }
            catch (ContextLengthException) when (session.Overflow == ContextOverflow.Stop)
            {
                Terminal.Note($"error: the message does not fit into what is left of the context of {session.Capacity} tokens; /reset begins anew");
            }
            catch (QedException e) when (e is not OutputException)
            {
                Terminal.Note("error: " + e.Message.ReplaceLineEndings(" "));
            }
        }
        input.End();
        return signals.IsEnding || input.IsInterrupted ? ExitCode.Interrupted : ExitCode.Done;

        void Answer(string? text, GenerationOptions options)
        {
            if (this.Answer(text, conversation, options, session, signals, parsed) == FinishReason.Cancelled)
                input.CountStopped();
        }
    }

    /// <summary>Answers a message, or for null the last one again.</summary>
    private FinishReason Answer(string? text, Dialogue conversation, GenerationOptions options, Session session, ChatSignals signals, ParseResult parsed)
    {
        ChatMessage? message = text is null ? null : new ChatMessage("user", text);
        if (message is not null && parsed.GetValue(_verbosePrompt))
            GenerateCommand.ShowTokens(conversation.Prompt(message), session.Model.Tokenizer);
        GenerationResult result;
        using (var shown = new ShownAnswer())
        using (_progress) // gone before anything else is said
            result = signals.Run(cancellation => message is null ? conversation.AnswerAgain(options, shown.Show, cancellation) : conversation.Answer(message, options, shown.Show, cancellation)).Generation;
        Terminal.WriteWords("\n");
        if (result.Finish == FinishReason.Length)
            Terminal.Note(session.IsFull ? $"(the context of {session.Capacity} tokens is full; /reset begins anew)" : $"(cut after {result.GeneratedTokens} tokens; -n allows more)");
        if (parsed.GetValue(_common.Verbose))
        {
            Terminal.Note(string.Create(CultureInfo.InvariantCulture,
                $"{result.PromptTokens} tokens in {result.PrefillTime.TotalSeconds:0.00} s, {result.GeneratedTokens} out in {result.DecodeTime.TotalSeconds:0.00} s; {conversation.Position} in all"));
        }
        return result.Finish;
    }

    private bool? Thinks(ParseResult parsed) => parsed.GetValue(_think) is { } word ? word == "on" : null;

    private string? Variables(ParseResult parsed)
    {
        if (parsed.GetValue(_variables) is not { } text)
            return null;
        try
        {
            JsonValue.ParseObject(Encoding.UTF8.GetBytes(text));
            return text;
        }
        catch (QedException e)
        {
            throw new UsageException($"{_variables.Name}: {e.Message}; it is written '{{\"name\": \"value\"}}'", e);
        }
    }
}
