using System.Text;
using QedEdge.Memory;
using QedEdge.Text;

namespace QedEdge.Evaluation;

/// <summary>A piece of a text as token ids.</summary>
/// <param name="Ids">Token ids.</param>
/// <param name="Begin">The first that was not in the window before it, or that has a token before it.</param>
public readonly record struct TextWindow(int[] Ids, int Begin);

/// <summary>
/// A text file as windows of token ids. A line that holds nothing but <c>&lt;|word|&gt;</c> (<c>&lt;|endoftext|&gt;</c>, <c>&lt;|story|&gt;</c>) ends a document. A document begins with
/// the vocabulary's begin-of-text token and ends with its end-of-text token; it is cut into windows that overlap by one token or more, so that each token but the first is
/// predicted once. The file may be of any size: a document of over a million characters is cut at an end of line, and no line may have more than <see cref="RequestLimits.TextBytes"/>.
/// </summary>
public static class TextWindows
{
    private const int LongestDocument = 1 << 20;

    /// <summary>Reads a file as it is needed, in windows that overlap by one token.</summary>
    /// <param name="path">UTF-8 text.</param>
    /// <param name="tokenizer">The tokenizer.</param>
    /// <param name="size">Tokens of a window, at least 2; the last of a document has fewer.</param>
    /// <exception cref="QedException">The file cannot be read, is no UTF-8, or has a line beyond the limit.</exception>
    public static IEnumerable<int[]> Read(string path, Tokenizer tokenizer, int size) => Read(path, tokenizer, size, size - 1).Select(window => window.Ids);

    /// <summary>Reads a file as it is needed.</summary>
    /// <param name="path">UTF-8 text.</param>
    /// <param name="tokenizer">The tokenizer.</param>
    /// <param name="size">Tokens of a window, at least 2; the last of a document has fewer.</param>
    /// <param name="stride">New tokens of each window but a document's first, 1 to size - 1: the fewer, the more each token sees before it, and the longer it takes.</param>
    /// <exception cref="QedException">The file cannot be read, is no UTF-8, or has a line beyond the limit.</exception>
    public static IEnumerable<TextWindow> Read(string path, Tokenizer tokenizer, int size, int stride) =>
        Read(() => InputFile.OpenRead(path), path, tokenizer, size, stride);

    /// <summary>Reads a stream as it is needed.</summary>
    /// <param name="open">Opens it when the first window is asked for.</param>
    /// <param name="name">What error messages call it.</param>
    /// <param name="tokenizer">The tokenizer.</param>
    /// <param name="size">As of a file.</param>
    /// <param name="stride">As of a file.</param>
    /// <exception cref="QedException">It cannot be read, is no UTF-8, or has a line beyond the limit.</exception>
    internal static IEnumerable<TextWindow> Read(Func<Stream> open, string name, Tokenizer tokenizer, int size, int stride)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(size, 2);
        ArgumentOutOfRangeException.ThrowIfLessThan(stride, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(stride, size);
        var ids = new List<int>();
        foreach (string document in Documents(open, name))
        {
            ids.Clear();
            tokenizer.Encode(document, ids, tokenizer.DocumentOptions);
            for (int begin = 0, done = 1; done < ids.Count; begin += stride)
            {
                int end = Math.Min(begin + size, ids.Count);
                yield return new TextWindow([.. ids.GetRange(begin, end - begin)], done - begin);
                done = end;
            }
        }
    }

    private static IEnumerable<string> Documents(Func<Stream> open, string name)
    {
        using StreamReader reader = Open(open, name);
        var document = new StringBuilder();
        while (ReadLine(reader, name) is { } line)
        {
            bool ends = line.Length > 4 && line.StartsWith("<|", StringComparison.Ordinal) && line.IndexOf("|>", StringComparison.Ordinal) == line.Length - 2;
            if (!ends)
                document.Append(line).Append('\n');
            if ((ends && document.Length > 0) || document.Length > LongestDocument)
                yield return Take(document);
        }
        if (document.Length > 0)
            yield return Take(document);
    }

    /// <summary>The document without the line end before its mark.</summary>
    private static string Take(StringBuilder document)
    {
        string text = document.ToString(0, document.Length - 1);
        document.Clear();
        return text;
    }

    private static StreamReader Open(Func<Stream> open, string name)
    {
        try
        {
            return new StreamReader(open(), new UTF8Encoding(true, throwOnInvalidBytes: true), detectEncodingFromByteOrderMarks: false);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw QedException.Unreadable(name, exception);
        }
    }

    /// <summary>As <see cref="TextReader.ReadLine"/>, but of a line that does not end it takes no more than its limit.</summary>
    private static string? NextLine(StreamReader reader, string name)
    {
        var line = new StringBuilder();
        for (int next; (next = reader.Read()) >= 0; line.Append((char)next))
        {
            if (next is '\r' or '\n')
            {
                if (next == '\r' && reader.Peek() == '\n')
                    reader.Read();
                return line.ToString();
            }
            if (line.Length == RequestLimits.TextBytes)
                throw new QedException($"{name}: has a line of more than {RequestLimits.TextBytes} characters; is it a text?");
        }
        return line.Length > 0 ? line.ToString() : null;
    }

    private static string? ReadLine(StreamReader reader, string name)
    {
        try
        {
            return NextLine(reader, name);
        }
        catch (DecoderFallbackException)
        {
            throw new QedException($"{name}: is no UTF-8 text; convert it first");
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw QedException.Unreadable(name, exception);
        }
    }
}
