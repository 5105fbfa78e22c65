using System.Text;
using QedEdge.Chat;
using QedEdge.Cli.Json;
using QedEdge.CommandLine;
using QedEdge.Gguf;
using QedEdge.Json;
using QedEdge.Machine;
using QedEdge.Templates;
using QedEdge.Text;

namespace QedEdge.Cli.Commands;

/// <summary><c>qed render</c>: the text that a conversation becomes.</summary>
internal sealed class RenderCommand
{
    private readonly Argument _conversation = new("CONVERSATION") { Description = "A file with a JSON object of the template's variables: messages, tools, add_generation_prompt, bos_token, … and now (2026-01-31T23:59:00), the time that strftime_now has; - reads standard input" };
    private readonly CommonOptions _common = new();
    private readonly TextOption _template = new("--template") { ValueName = "FILE", Description = "A chat template instead of the model's, whose special tokens the conversation has to name" };
    private readonly TextOption _lines = new("--jsonl") { ValueName = "FILE", Description = "Read a conversation per line, print {\"text\": …} or {\"error\": …} per line" };

    public static Command Create()
    {
        var self = new RenderCommand();
        var command = new Command("render", "Print the text that a conversation becomes: what the model is fed.\n\nExample: echo '{\"messages\": [{\"role\": \"user\", \"content\": \"Hi\"}], \"add_generation_prompt\": true}' | qed render -",
            self._conversation, self._common.Model, self._template, self._lines);
        command.Action = self.Run;
        return command;
    }

    private int Run(ParseResult parsed)
    {
        string? path = parsed.GetValue(_conversation), lines = parsed.GetValue(_lines), template = parsed.GetValue(_template);
        if (path is null == lines is null)
            throw new UsageException("give the conversation once: as a file, - for standard input, or with --jsonl");
        if (template is not null && parsed.Has(_common.Model))
            throw new UsageException("give either a model or --template");
        using var interrupt = new Interrupt();
        using GgufFile? file = template is null ? ModelSource.OpenFile(parsed.GetValue(_common.Model)) : null;
        Func<DictValue, string> render = file is null ? OfTemplate(template!, interrupt.Token) : OfModel(file, interrupt.Token);
        try
        {
            if (lines is not null)
                return RenderLines(lines, render);
            byte[] json = InputSource.ReadAll(path!, RequestLimits.JsonBytes);
            string text;
            try
            {
                text = render(Variables(json));
            }
            catch (QedException e)
            {
                throw new QedException($"{(e is TemplateException ? template ?? file!.Name : InputSource.NameOf(path!))}: {e.Message}", e);
            }
            Terminal.Write(text);
            return ExitCode.Done;
        }
        catch (OperationCanceledException)
        {
            return ExitCode.Interrupted;
        }
    }

    private static int RenderLines(string path, Func<DictValue, string> render)
    {
        long count = 0, errors = 0;
        foreach ((_, byte[] line) in JsonLines.Read(path))
        {
            count++;
            string? text = null, error = null;
            try
            {
                text = render(Variables(line));
            }
            catch (QedException e)
            {
                errors++;
                error = e.Message;
            }
            Terminal.WriteJson(json => json.WriteString(error is null ? "text" : "error", text ?? error));
        }
        if (errors == 0)
            return ExitCode.Done;
        Terminal.Note($"{errors} of {count} conversations failed; see \"error\" in their lines");
        return ExitCode.Failed;
    }

    private static Func<DictValue, string> OfTemplate(string path, CancellationToken cancellation)
    {
        Template template;
        try
        {
            template = Template.Parse(Encoding.UTF8.GetString(InputSource.ReadAll(path, sizeof(int) * TemplateLimits.Source)));
        }
        catch (TemplateException e)
        {
            throw new QedException($"{path}: {e.Message}", e);
        }
        return variables => template.Render(variables, ConversationVariables.TimeOf(variables) ?? LocalTime.Now, cancellation).Text;
    }

    private static Func<DictValue, string> OfModel(GgufFile file, CancellationToken cancellation)
    {
        Tokenizer tokenizer = Tokenizer.Open(file) ?? throw new QedException($"{file.Name} has no tokenizer");
        ChatTemplate template = ChatTemplate.Open(file, tokenizer) ?? throw new QedException($"{file.Name} has no chat template; give one with --template");
        return variables =>
        {
            try
            {
                return template.Render(variables, null, cancellation).Text;
            }
            catch (QedException e) when (e.InnerException is TemplateException said)
            {
                throw said; // as of a template's own file
            }
        };
    }

    private static DictValue Variables(ReadOnlyMemory<byte> json)
    {
        if (json.Span.StartsWith(Encoding.UTF8.Preamble))
            json = json[Encoding.UTF8.Preamble.Length..];
        return JsonVariables.Read(JsonValue.ParseObject(json).Raw.Span, ConversationVariables.IsTyped);
    }
}
