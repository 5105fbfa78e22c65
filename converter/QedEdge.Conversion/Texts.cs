using System.IO.Hashing;
using QedEdge.Evaluation;
using QedEdge.Memory;

namespace QedEdge.Conversion;

/// <summary>A text as it was read: what the file says of it holds even where it is changed while the conversion runs.</summary>
/// <param name="Name">The file's name, without its folder.</param>
/// <param name="Checksum">The XXH3-64 of the file.</param>
/// <param name="Windows">Its token ids.</param>
internal sealed record ConversionText(string Name, ulong Checksum, int[][] Windows)
{
    /// <summary>Token ids in all.</summary>
    public long Tokens => Windows.Sum(static window => (long)window.Length);
}

/// <summary>Texts that a conversion runs models on.</summary>
internal static class Texts
{
    /// <summary>The longest window: attention's time grows with its square, and what flows into a matrix hardly changes any more.</summary>
    private const int LongestWindow = 2048;

    /// <summary>Reads a text once, for all that is to be done with it.</summary>
    /// <inheritdoc cref="Windows"/>
    public static ConversionText Read(QedModel model, string path, int mostTokens)
    {
        ulong before = ChecksumOf(path);
        int[][] windows = Windows(model, path, mostTokens);
        return ChecksumOf(path) == before ? new ConversionText(Path.GetFileName(path), before, windows) : throw new QedException($"{path}: was changed while it was read");
    }

    /// <summary>Refuses what is no file: a text is read three times, which a pipe cannot be, and opening one would wait for who writes to it.</summary>
    /// <exception cref="QedException">There is nothing, a folder, or no file with bytes in it.</exception>
    public static void RequireFile(string path)
    {
        FileStatus? file = FileStatus.Find(path);
        if (file?.Kind is null or FileKind.Folder)
            throw QedException.Unreadable(path, new FileNotFoundException());
        if (file is { Length: 0 })
            throw new QedException($"{path}: the text is empty, or a pipe or device; save it to a file first");
    }

    /// <summary>The XXH3-64 of a file.</summary>
    /// <exception cref="QedException">It cannot be read.</exception>
    public static ulong ChecksumOf(string path)
    {
        try
        {
            using Stream stream = InputFile.OpenRead(path);
            var hash = new XxHash3();
            hash.Append(stream);
            return hash.GetCurrentHashAsUInt64();
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw QedException.Unreadable(path, exception);
        }
    }

    /// <summary>A text's beginning as windows of the model's context, or of 2,048 tokens where that is longer.</summary>
    /// <param name="model">The model, for its tokenizer and context.</param>
    /// <param name="path">The text.</param>
    /// <param name="mostTokens">Tokens that are taken at most.</param>
    /// <exception cref="QedException">There is no tokenizer, or the text cannot be read or is empty.</exception>
    public static int[][] Windows(QedModel model, string path, int mostTokens)
    {
        if (model.Tokenizer is not { } tokenizer)
            throw new QedException($"{path}: a text cannot be read, since the checkpoint has no tokenizer.json");
        int size = Math.Min(model.Config.ContextLength, LongestWindow);
        if (size < 2)
            throw new QedException($"{path}: a model with a context of one token predicts nothing from a text");
        var windows = new List<int[]>();
        foreach (int[] window in TextWindows.Read(path, tokenizer, size))
        {
            if (mostTokens < 2)
                break;
            windows.Add(window.Length <= mostTokens ? window : window[..mostTokens]);
            mostTokens -= windows[^1].Length;
        }
        return windows.Count > 0 ? [.. windows] : throw new QedException($"{path}: holds no text");
    }
}
