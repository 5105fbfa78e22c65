using QedEdge.Cli.Json;
using QedEdge.CommandLine;
using QedEdge.Gguf;
using QedEdge.Text;

namespace QedEdge.Cli.Commands;

/// <summary><c>qed detokenize</c>: token ids to text.</summary>
internal sealed class DetokenizeCommand
{
    private readonly CommonOptions _common = new();
    private readonly Argument _ids = new("IDS") { Description = "Token ids, 1,5,7" };
    private readonly Flag _special = new("--special") { Description = "Show special tokens' text" };
    private readonly TextOption _lines = new("--jsonl") { ValueName = "FILE", Description = "Read {\"ids\": […]} per line, print {\"text\": …} per line" };

    public static Command Create()
    {
        var self = new DetokenizeCommand();
        var command = new Command("detokenize", "Turn token ids into text.\n\nExample: qed detokenize 1,779,147",
            self._ids, self._common.Model, self._special, self._lines, self._common.Json);
        command.Action = self.Run;
        return command;
    }

    private int Run(ParseResult parsed)
    {
        using GgufFile file = ModelSource.OpenFile(parsed.GetValue(_common.Model)); // a vocabulary alone will do
        Tokenizer tokenizer = Tokenizer.Open(file) ?? throw new QedException($"{file.Name} has no tokenizer");
        SpecialTokenText special = parsed.GetValue(_special) ? SpecialTokenText.Keep : SpecialTokenText.Skip;
        if (parsed.GetValue(_lines) is { } path)
        {
            JsonLines.Convert(path, (line, writer) => writer.WriteString("text", Decode(tokenizer, line.Get("ids").Int32s(RequestLimits.Ids), special)));
            return ExitCode.Done;
        }
        string list = parsed.GetValue(_ids) ?? throw new UsageException("give token ids, 1,5,7");
        string text = Decode(tokenizer, list.Length == 0 ? [] : CommonOptions.ParseNumbers("IDS", list), special);
        if (parsed.GetValue(_common.Json))
            Terminal.WriteJson(json => json.WriteString("text", text));
        else
            Terminal.WriteLine(text);
        return ExitCode.Done;
    }

    private static string Decode(Tokenizer tokenizer, int[] ids, SpecialTokenText special)
    {
        foreach (int id in ids)
        {
            if ((uint)id >= (uint)tokenizer.VocabSize)
                throw new InvalidOptionException($"token id {id} is outside the vocabulary of {tokenizer.VocabSize} entries");
        }
        return tokenizer.Decode(ids, special);
    }
}
