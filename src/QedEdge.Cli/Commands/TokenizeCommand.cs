using System.Globalization;
using System.Text;
using QedEdge.Cli.Json;
using QedEdge.CommandLine;
using QedEdge.Gguf;
using QedEdge.Text;

namespace QedEdge.Cli.Commands;

/// <summary><c>qed tokenize</c>: text to token ids.</summary>
internal sealed class TokenizeCommand
{
    private readonly CommonOptions _common = new();
    private readonly Argument _text = new("TEXT") { Description = $"The text; - (or nothing) reads standard input. {PromptInput.ContentRule}" };
    private readonly Flag _special = new("--special") { Description = "Add the begin and end tokens that the model's files say to add" };
    private readonly Flag _plain = new("--plain") { Description = "Take special tokens' text as ordinary text" };
    private readonly TextOption _lines = new("--jsonl") { ValueName = "FILE", Description = "Read {\"text\": …} per line, print {\"ids\": […]} per line" };

    public static Command Create()
    {
        var self = new TokenizeCommand();
        var command = new Command("tokenize", "Turn text into token ids.\n\nExample: qed tokenize \"Once upon a time\"",
            self._text, self._common.Model, self._special, self._plain, self._lines, self._common.Json);
        command.Action = self.Run;
        return command;
    }

    private int Run(ParseResult parsed)
    {
        using GgufFile file = ModelSource.OpenFile(parsed.GetValue(_common.Model)); // a vocabulary alone will do
        Tokenizer tokenizer = Tokenizer.Open(file) ?? throw new QedException($"{file.Name} has no tokenizer");
        EncodeOptions options = parsed.GetValue(_plain) ? EncodeOptions.Plain : EncodeOptions.ParseSpecial;
        if (parsed.GetValue(_special))
            options |= tokenizer.DocumentOptions;
        if (parsed.GetValue(_lines) is { } path)
        {
            if (parsed.GetValue(_text) is not null)
                throw new UsageException("give the text once: as TEXT or with --jsonl");
            JsonLines.Convert(path, (line, writer) =>
            {
                var lineIds = new List<int>();
                bool? plain = line.Find("plain")?.Boolean();
                tokenizer.Encode(line.Get("text").String(), lineIds, plain is null ? options : plain.Value ? options & ~EncodeOptions.ParseSpecial : options | EncodeOptions.ParseSpecial);
                writer.WriteNumbers("ids", lineIds);
            });
            return ExitCode.Done;
        }

        var ids = new List<int>();
        string? text = parsed.GetValue(_text);
        ReadOnlySpan<byte> bytes = text is null or "-" ? PromptInput.Content(InputSource.ReadAll("-", RequestLimits.TextBytes)) : Encoding.UTF8.GetBytes(text);
        if (parsed.GetValue(_special) && !parsed.GetValue(_plain))
            PromptInput.WarnOfSecondBos(tokenizer, bytes);
        tokenizer.Encode(bytes, ids, options);
        if (parsed.GetValue(_common.Json))
        {
            Terminal.WriteJson(json =>
            {
                json.WriteNumbers("ids", ids);
                json.WriteStartArray("pieces");
                foreach (int id in ids)
                    json.WriteStringValue(tokenizer.Decode([id], SpecialTokenText.Keep, continues: true));
                json.WriteEndArray();
            });
        }
        else
        {
            Terminal.WriteLine(string.Join(',', ids.Select(id => id.ToString(CultureInfo.InvariantCulture))));
        }
        return ExitCode.Done;
    }
}
