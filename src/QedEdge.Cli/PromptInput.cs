using System.Text;
using QedEdge.CommandLine;
using QedEdge.Memory;
using QedEdge.Text;

namespace QedEdge.Cli;

/// <summary>A prompt as text, from a file, from standard input, or as token ids.</summary>
internal sealed class PromptInput(string what = "prompt")
{
    private readonly Argument _text = new(what.ToUpperInvariant()) { Description = $"The {what}; - reads standard input" };
    private readonly TextOption _option = new($"--{what}", "-p") { ValueName = "TEXT", Description = $"The {what}" };
    private readonly TextOption _file = new("--file", "-f") { ValueName = "FILE", Description = $"A file that holds the {what}; - reads standard input" };
    private readonly TextOption _tokens = new("--tokens") { ValueName = "IDS", Description = $"The {what} as token ids (1,5,7)" };

    /// <summary>Adds argument and options to a command.</summary>
    /// <param name="command">The command.</param>
    /// <param name="ids">Whether it takes token ids too.</param>
    public void AddTo(Command command, bool ids = true)
    {
        command.Add(_text);
        command.Add(_option);
        command.Add(_file);
        if (ids)
            command.Add(_tokens);
    }

    /// <summary>Whether there is a prompt on the command line.</summary>
    public bool IsGiven(ParseResult parsed) => Given(parsed) > 0;

    /// <summary>The prompt's token ids; without one, those of an empty text.</summary>
    /// <param name="parsed">The command line.</param>
    /// <param name="model">The model.</param>
    /// <param name="goesOn">Whether more text follows: no end token then, even for a model that ends every prompt with one.</param>
    /// <exception cref="UsageException">It is given twice, cannot be read, or the model cannot begin with nothing.</exception>
    public int[] Read(ParseResult parsed, QedModel model, bool goesOn = false)
    {
        if (Tokens(parsed) is { } tokens)
            return tokens;
        return Encode(model, model.Tokenizer is null ? [] : ReadText(parsed), goesOn);
    }

    /// <summary>The token ids that were given instead of a text, or null.</summary>
    /// <exception cref="UsageException">The input is given twice, or they are no numbers.</exception>
    public int[]? Tokens(ParseResult parsed)
    {
        if (Given(parsed) > 1)
            throw new UsageException($"give the {what} once: as {what.ToUpperInvariant()}, --{what}, --file or --tokens");
        return parsed.GetValue(_tokens) is { } tokens ? CommonOptions.ParseNumbers("--tokens", tokens) : null;
    }

    /// <summary>The text, as UTF-8; empty where none was given. Of a file or standard input the last line end is none of it, nor is a byte order mark.</summary>
    /// <exception cref="UsageException">It cannot be read.</exception>
    public byte[] ReadText(ParseResult parsed)
    {
        string? argument = parsed.GetValue(_text), file = parsed.GetValue(_file);
        return argument == "-" || file == "-" ? Content(Terminal.ReadInput())
            : file is not null ? Content(ReadFile(file))
            : Encoding.UTF8.GetBytes(argument ?? parsed.GetValue(_option) ?? "");
    }

    /// <summary>The ids of a text as the beginning of a context.</summary>
    /// <exception cref="UsageException">The model has no tokenizer, or there are none.</exception>
    public static int[] Encode(QedModel model, ReadOnlySpan<byte> text, bool goesOn)
    {
        Tokenizer tokenizer = model.Tokenizer ?? throw new UsageException($"{model.TokenizerProblem?.Message ?? $"{model.File.Name} has no tokenizer"}; give token ids with --tokens 1,5,7");
        var ids = new List<int>();
        tokenizer.Encode(text, ids, goesOn ? tokenizer.PromptOptions & ~EncodeOptions.AddEos : tokenizer.PromptOptions);
        return ids.Count > 0 ? [.. ids] : throw new UsageException("the prompt is empty and the model has no token to begin with");
    }

    private static byte[] Content(byte[] text)
    {
        int begin = text.AsSpan().StartsWith(Encoding.UTF8.Preamble) ? Encoding.UTF8.Preamble.Length : 0, end = text.Length;
        if (end > begin && text[end - 1] == '\n')
            end -= end - 1 > begin && text[end - 2] == '\r' ? 2 : 1;
        return text[begin..end];
    }

    private int Given(ParseResult parsed) =>
        new[] { parsed.GetValue(_text), parsed.GetValue(_option), parsed.GetValue(_file), parsed.GetValue(_tokens) }.Count(value => value is not null);

    private static byte[] ReadFile(string path)
    {
        try
        {
            return InputFile.ReadAllBytes(path);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new UsageException(QedException.Unreadable(path, e).Message);
        }
    }
}
