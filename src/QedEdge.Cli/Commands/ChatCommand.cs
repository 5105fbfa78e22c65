using System.Globalization;
using QedEdge.Cli.Chat;
using QedEdge.CommandLine;
using QedEdge.Generation;
using QedEdge.Memory;

namespace QedEdge.Cli.Commands;

/// <summary><c>qed chat</c>: a conversation on the terminal, or line by line through a pipe.</summary>
internal sealed class ChatCommand
{
    private const int DefaultMaxTokens = 512;

    private const string Help = """
        /reset         forget the conversation
        /undo          take back the last message and its answer
        /retry         answer the last message again
        /status        tokens and messages so far
        /system TEXT   begin anew with this system message (none: without)
        /save FILE     write the conversation to a file
        /load FILE     go on with one that was written
        /help          this list
        /exit          end, as Ctrl-D does; Ctrl-C stops an answer
        A line that ends with \ goes on in the next one; lines between two lines of three quotes are one message.
        """;

    private readonly CommonOptions _common = new() { SaysMoreItself = true };
    private readonly SamplingInput _sampling = new(DefaultMaxTokens);
    private readonly ContextInput _context = new(overflow: "slide");
    private readonly TextOption _system = new("--system") { ValueName = "TEXT", Description = "The system message" };
    private readonly TextOption _load = new("--load-session") { ValueName = "FILE", Description = "Go on with a conversation that /save has written" };
    private readonly Flag _verbosePrompt = new("--verbose-prompt") { Description = "Show each message's tokens on standard error" };
    private readonly TextOption _think = new("--think") { ValueName = "on|off", Description = "Whether the model thinks before it answers, where its chat template lets one choose", Words = ["on", "off"] };
    private readonly PromptProgress _progress = new();

    public static Command Create()
    {
        var self = new ChatCommand();
        var command = new Command("chat", "Talk with an instruction-tuned model; /help there lists what can be typed.\n\nExample: qed chat --system \"You tell short stories.\" --seed 1",
            self._system, self._think, self._load, self._verbosePrompt);
        self._sampling.AddTo(command);
        self._context.AddTo(command);
        self._common.AddRunOptions(command);
        command.Action = self.Run;
        return command;
    }

    private int Run(ParseResult parsed)
    {
        using QedModel model = _common.OpenModel(parsed);
        GenerationOptions options = _sampling.Options(parsed, model) with { OnPrefill = _progress.Report };
        using Session session = model.CreateSession(_context.Apply(parsed, _common.SessionOptions(parsed)));
        var conversation = new Dialogue(session, _sampling.Stops(parsed), Thinks(parsed)) { System = parsed.GetValue(_system) };
        string? file = parsed.GetValue(_load);
        if (file is not null)
            conversation.Load(file);
        using var input = new ChatInput();
        using var signals = new ChatSignals(() =>
        {
            Terminal.Note("\n(/exit or Ctrl-D ends)");
            input.Prompt();
        });
        if (input.IsTerminal)
            Terminal.Note($"{model.File.Name}: /help lists what can be typed besides messages, Ctrl-D ends");
        while (!signals.IsEnding && input.Read() is { } message)
        {
            try
            {
                if (message.StartsWith('/') && !input.IsBlock)
                {
                    if (message.TrimEnd() is "/retry" && conversation.Undo() is { } again)
                        Answer(again, conversation, options, session, signals, parsed);
                    else if (!Obey(message, conversation, session, ref file))
                        break;
                }
                else if (message.Length > 0)
                {
                    Answer(message, conversation, options, session, signals, parsed);
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
        return signals.IsEnding ? ExitCode.Interrupted : ExitCode.Done;
    }

    private void Answer(string message, Dialogue conversation, GenerationOptions options, Session session, ChatSignals signals, ParseResult parsed)
    {
        if (parsed.GetValue(_verbosePrompt))
            GenerateCommand.ShowTokens(conversation.Prompt(message), session.Model.Tokenizer);
        GenerationResult result;
        using (var shown = new ShownAnswer())
        using (_progress) // gone before anything else is said
            result = signals.Run(cancellation => conversation.Answer(message, options, shown.Show, cancellation));
        Terminal.Write("\n");
        if (result.Finish == FinishReason.Length)
            Terminal.Note(session.IsFull ? $"(the context of {session.Capacity} tokens is full; /reset begins anew)" : $"(cut after {result.GeneratedTokens} tokens; -n allows more)");
        if (parsed.GetValue(_common.Verbose))
        {
            Terminal.Note(string.Create(CultureInfo.InvariantCulture,
                $"{result.PromptTokens} tokens in {result.PrefillTime.TotalSeconds:0.00} s, {result.GeneratedTokens} out in {result.DecodeTime.TotalSeconds:0.00} s; {conversation.Position} in all"));
        }
    }

    private bool? Thinks(ParseResult parsed) => parsed.GetValue(_think) is { } word ? word == "on" : null;

    /// <summary>Does what a line that begins with a slash says; false where it says to end.</summary>
    private static bool Obey(string line, Dialogue conversation, Session session, ref string? file)
    {
        string[] words = line.TrimEnd().Split(' ', 2, StringSplitOptions.TrimEntries);
        string rest = words.Length > 1 ? words[1] : "";
        switch (words[0])
        {
            case "/exit" or "/quit":
                return false;
            case "/help":
                Terminal.Note(Help);
                return true;
            case "/reset":
                conversation.Reset();
                return true;
            case "/undo" or "/retry": // the latter where there is nothing to answer again
                Terminal.Note(conversation.Undo() is { } question ? $"taken back: {TerminalText.OneLine(question)}" : "error: no message was answered yet");
                return true;
            case "/status":
                Terminal.Note($"{conversation.Count} messages, {conversation.Position} of {session.Capacity} tokens");
                return true;
            case "/system":
                conversation.System = rest.Length > 0 ? rest : null;
                return true;
            case "/save" or "/load" when rest.Contains('\uFFFD') && !FileStatus.Exists(rest): // what was typed was something else
                Terminal.Note($"error: the file's name is no UTF-8; {words[0]} takes another");
                return true;
            case "/save" when rest == "-":
                Terminal.Note("error: /save takes a file, and no standard output; a file of that name is ./-");
                return true;
            case "/save" when rest.Length > 0:
                if (rest != file && FileStatus.Exists(rest)) // a file of this conversation's is its own
                    throw new QedException($"{rest}: exists already; save it under another name");
                conversation.Save(rest, overwrite: rest == file);
                file = rest;
                Terminal.Note($"{rest}: {conversation.Position} tokens");
                return true;
            case "/load" when rest.Length > 0:
                conversation.Load(rest);
                file = rest;
                Terminal.Note($"{rest}: {conversation.Position} tokens");
                return true;
            case "/save" or "/load":
                Terminal.Note($"error: {words[0]} needs a file name");
                return true;
            default:
                Terminal.Note($"error: unknown: {TerminalText.OneLine(words[0])}; /help lists what there is (a message cannot begin with /; put a space before it)");
                return true;
        }
    }
}
