using QedEdge.CommandLine;
using QedEdge.Evaluation;
using QedEdge.Text;

namespace QedEdge.Cli;

/// <summary>A text file of any size, read in windows.</summary>
internal sealed class TextFileInput
{
    /// <summary>Tokens of a window where no --ctx-size is given.</summary>
    public const int DefaultWindow = 1024;

    private readonly TextOption _file = new("--file", "-f") { ValueName = "FILE", Description = "The text, - for standard input; a line that is nothing but <|word|> ends a document, and so does the line end after a million characters", IsRequired = true };
    private readonly IntegerOption _stride = new("--stride") { ValueName = "N", Description = "New tokens of each window; the rest is what they see before them (default: all but one)" };

    private long _bytes; // of the text's tokens so far

    /// <summary>Adds the options to a command.</summary>
    public void AddTo(Command command)
    {
        command.Add(_file);
        command.Add(_stride);
    }

    /// <summary>How messages call the file.</summary>
    public string Name(ParseResult parsed) => InputSource.NameOf(Path(parsed));

    /// <summary>Which part of the file has been read; not a number for what is no plain file.</summary>
    public double Share(ParseResult parsed) => InputSource.Length(Path(parsed)) is > 0 and long length ? Math.Min(1, (double)_bytes / length) : double.NaN;

    /// <summary>The file's windows, their size and how many tokens of each are new.</summary>
    /// <param name="parsed">The command line.</param>
    /// <param name="model">The model whose tokens they are.</param>
    /// <param name="common">The common options.</param>
    /// <param name="most">The context length of another model that gets them too.</param>
    /// <exception cref="UsageException">Sizes that do not go together.</exception>
    public (IEnumerable<TextWindow> Windows, int Size, int Stride) Windows(ParseResult parsed, QedModel model, CommonOptions common, int most = int.MaxValue)
    {
        Tokenizer tokenizer = model.RequireTokenizer();
        int context = Math.Min(most, model.Config.ContextLength), size = parsed.GetValue(common.ContextSize) ?? Math.Min(DefaultWindow, context);
        if (size < 2 || size > context)
            throw new UsageException($"--ctx-size must be 2 to {context}, the context length; got {size}");
        int stride = parsed.GetValue(_stride) ?? size - 1;
        if (stride < 1 || stride >= size)
            throw new UsageException($"--stride must be 1 to {size - 1}, below the window's size; got {stride}");
        return (TextWindows.Read(() => InputSource.Open(Path(parsed)), Name(parsed), tokenizer, size, stride).Select(Counted), size, stride);

        TextWindow Counted(TextWindow window)
        {
            foreach (int id in window.Ids.AsSpan(window.Begin))
                _bytes += tokenizer.TextBytes(id);
            return window;
        }
    }

    private string Path(ParseResult parsed) => parsed.GetValue(_file)!;
}
