using System.Text;
using QedEdge.CommandLine;
using QedEdge.Memory;
using QedEdge.Text;

namespace QedEdge.Cli;

/// <summary>A prompt as text, from a file, from standard input, or as token ids. Where none is given, what a pipe or a file on standard input says is the prompt.</summary>
internal sealed class PromptInput(string what = "prompt")
{
    private readonly Argument _text = new(what.ToUpperInvariant()) { Description = $"The {what}; - reads standard input, as is done where none is given and nobody types there" };
    private readonly TextOption _option = new($"--{what}", "-p") { ValueName = "TEXT", Description = $"The {what}" };
    private readonly TextOption _file = new("--file", "-f") { ValueName = "FILE", Description = $"A file that holds the {what}; - reads standard input. {ContentRule}" };
    private readonly TextOption _tokens = new("--tokens") { ValueName = "IDS", Description = $"The {what} as token ids (1,5,7)" };

    private readonly Flag _plain = new("--plain") { Description = $"Special tokens' text in the {what} is ordinary text; without this it is those tokens" };

    /// <summary>What is the text of a file or of standard input, for descriptions.</summary>
    public const string ContentRule = "A byte order mark and the last line end are no part of the text";

    /// <summary>The heading of the options in the help.</summary>
    public string Group => char.ToUpperInvariant(what[0]) + what[1..];

    /// <summary>Adds argument and options to a command.</summary>
    /// <param name="command">The command.</param>
    /// <param name="ids">Whether it takes token ids too.</param>
    public void AddTo(Command command, bool ids = true)
    {
        command.Add(_text);
        command.AddGroup(Group, _option, _file, _plain);
        if (ids)
            command.AddGroup(Group, _tokens);
    }

    /// <summary>Whether there is a prompt on the command line.</summary>
    public bool IsGiven(ParseResult parsed) => Given(parsed) > 0;

    /// <summary>The prompt's token ids, or null where there is none.</summary>
    /// <param name="parsed">The command line.</param>
    /// <param name="model">The model.</param>
    /// <param name="capacity">Tokens that it may have.</param>
    /// <param name="goesOn">Whether more text follows: no end token then, even for a model that ends every prompt with one.</param>
    /// <exception cref="UsageException">It is given twice or cannot be read.</exception>
    /// <exception cref="ContextLengthException">It cannot fit.</exception>
    public int[]? Find(ParseResult parsed, QedModel model, int capacity, bool goesOn = false)
    {
        if (Tokens(parsed) is { } tokens)
            return tokens;
        if ((model.Tokenizer is null && IsGiven(parsed) ? [] : FindText(parsed)) is not { } text)
            return null;
        model.RequireFits(text.Length, capacity);
        return Encode(model, text, goesOn, IsPlain(parsed));
    }

    /// <summary>Whether special tokens' text is ordinary text.</summary>
    public bool IsPlain(ParseResult parsed) => parsed.GetValue(_plain);

    /// <summary>The token ids that were given instead of a text, or null.</summary>
    /// <exception cref="UsageException">The input is given twice, or they are no numbers.</exception>
    public int[]? Tokens(ParseResult parsed)
    {
        if (Given(parsed) > 1)
            throw new UsageException($"give the {what} once: as {what.ToUpperInvariant()}, --{what}, --file or --tokens");
        return parsed.GetValue(_tokens) is { } tokens ? CommonOptions.ParseNumbers("--tokens", tokens) : null;
    }

    /// <summary>The text, as UTF-8; null where none was given and standard input says nothing. Of a file or standard input, its <see cref="Content"/>.</summary>
    /// <exception cref="UsageException">It is given twice or cannot be read.</exception>
    public byte[]? FindText(ParseResult parsed)
    {
        Tokens(parsed); // refuses two of them
        string? argument = parsed.GetValue(_text), file = parsed.GetValue(_file);
        if (InputSource.IsStandardInput(argument))
            file = argument;
        if (file is not null)
            return Content(ReadFile(file));
        if ((argument ?? parsed.GetValue(_option)) is { } given)
            return Encoding.UTF8.GetBytes(given);
        return Piped() is { Length: > 0 } said ? said : null;
    }

    /// <summary>The text of a file or of standard input: without a byte order mark and the last line end.</summary>
    public static byte[] Content(byte[] text)
    {
        int begin = text.AsSpan().StartsWith(Encoding.UTF8.Preamble) ? Encoding.UTF8.Preamble.Length : 0, end = text.Length;
        if (end > begin && text[end - 1] == '\n')
            end -= end - 1 > begin && text[end - 2] == '\r' ? 2 : 1;
        return text[begin..end];
    }

    /// <summary>The ids of a text as the beginning of a context.</summary>
    /// <exception cref="UsageException">The model has no tokenizer, or there are none.</exception>
    public static int[] Encode(QedModel model, ReadOnlySpan<byte> text, bool goesOn, bool plain = false)
    {
        Tokenizer tokenizer = model.Tokenizer ?? throw new UsageException($"{model.TokenizerProblem?.Message ?? $"{model.File.Name} has no tokenizer"}; give token ids with --tokens 1,5,7");
        if (!plain)
            WarnOfSecondBos(tokenizer, text);
        var ids = new List<int>();
        tokenizer.Encode(text, ids, tokenizer.PromptOptions & ~((goesOn ? EncodeOptions.AddEos : 0) | (plain ? EncodeOptions.ParseSpecial : 0)));
        WarnOfUnknown(tokenizer, ids);
        return ids.Count > 0 ? [.. ids] : throw new UsageException("the prompt is empty and the model has no token to begin with");
    }

    /// <summary>Says how much of a text the model does not see as what it is.</summary>
    private static void WarnOfUnknown(Tokenizer tokenizer, List<int> ids)
    {
        int unknown = tokenizer.UnkId < 0 ? 0 : ids.Count(id => id == tokenizer.UnkId);
        if (unknown > 0)
            Terminal.Note($"warning: the tokenizer does not know {unknown} {(unknown == 1 ? "part" : "parts")} of the text: the model sees {TerminalText.OneLine(Encoding.UTF8.GetString(tokenizer.Piece(tokenizer.UnkId)))} there");
    }

    /// <summary>Says where a text begins with the token that is added to its beginning: there will be one.</summary>
    public static void WarnOfSecondBos(Tokenizer tokenizer, ReadOnlySpan<byte> text)
    {
        if (tokenizer.PromptOptions.HasFlag(EncodeOptions.AddBos) && tokenizer.BosId >= 0 && tokenizer.Piece(tokenizer.BosId) is { Length: > 0 } begin && text.StartsWith(begin))
            Terminal.Note($"warning: the text begins with {Encoding.UTF8.GetString(begin)}, which is added to every text: there is one of them");
    }

    /// <summary>What standard input says where nobody types; nothing where it is not open for reading (nohup), for nobody named it.</summary>
    private static byte[] Piped()
    {
        const int BadDescriptor = 9; // EBADF
        try
        {
            return StandardStreams.InputIsTerminal ? [] : Content(ReadFile("-"));
        }
        catch (UsageException e) when (e.InnerException?.InnerException is IOException { HResult: BadDescriptor })
        {
            return [];
        }
    }

    private int Given(ParseResult parsed) =>
        new[] { parsed.GetValue(_text), parsed.GetValue(_option), parsed.GetValue(_file), parsed.GetValue(_tokens) }.Count(value => value is not null);

    private static byte[] ReadFile(string path)
    {
        try
        {
            return InputSource.ReadAll(path, RequestLimits.TextBytes);
        }
        catch (QedException e)
        {
            throw new UsageException(e.Message, e);
        }
    }
}
