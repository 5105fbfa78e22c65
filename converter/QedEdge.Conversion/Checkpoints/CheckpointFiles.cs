using System.Text.Json;
using QedEdge.Memory;

namespace QedEdge.Conversion.Checkpoints;

/// <summary>Opens the files of a checkpoint's folder, and turns what goes wrong there into errors of one line.</summary>
internal static class CheckpointFiles
{
    /// <summary>Text files of a checkpoint are small; a tokenizer of 250,000 entries takes 35 MB.</summary>
    private const long LongestText = 256L << 20;

    /// <summary>Reads a JSON file whose top level is an object.</summary>
    /// <param name="path">The file.</param>
    /// <exception cref="ModelFormatException">It is missing, cannot be read, is too large, or is no JSON object without repeated keys.</exception>
    public static JsonDocument ReadObject(string path)
    {
        var bytes = ReadBytes(path);
        try
        {
            var document = JsonDocument.Parse(bytes, new JsonDocumentOptions { MaxDepth = 64 });
            if (RepeatedKey(document.RootElement) is { } key)
            {
                document.Dispose();
                throw new ModelFormatException(ModelFault.Damaged, path, "the key is repeated in one object", key);
            }
            if (document.RootElement.ValueKind == JsonValueKind.Object)
                return document;
            document.Dispose();
            throw new ModelFormatException(ModelFault.Damaged, path, "the file is JSON, but no JSON object");
        }
        catch (JsonException exception) when (EndsTooEarly(bytes.Span))
        {
            throw new ModelFormatException(ModelFault.ShortFile, path, $"{TooShort(bytes.Length)}; download or copy it again", inner: exception);
        }
        catch (Exception exception) when (exception is JsonException or InvalidOperationException) // the latter: a key that is no valid Unicode
        {
            throw new ModelFormatException(ModelFault.Damaged, path, $"no valid JSON: {QedException.FirstLine(exception)}", inner: exception);
        }
    }

    /// <summary>How a file that is a beginning of one is described.</summary>
    public static string TooShort(long length) => length == 0 ? "the file is empty" : $"the file ends too early, after {length} bytes";

    /// <summary>Whether all there is, is the beginning of valid JSON.</summary>
    private static bool EndsTooEarly(ReadOnlySpan<byte> json)
    {
        var reader = new Utf8JsonReader(json, isFinalBlock: false, default);
        try
        {
            while (reader.Read())
            {
                // Up to the end, or to what is no JSON.
            }
            return true;
        }
        catch (JsonException)
        {
            return false;
        }
    }

    /// <summary>
    /// A key that an object, at any depth, has twice, or null. JsonDocumentOptions could refuse them itself, but asks the C library of
    /// OpenSSL for a hash seed, which a small machine need not have.
    /// </summary>
    internal static string? RepeatedKey(JsonElement element)
    {
        // Not with LINQ: a tokenizer has as many arrays as merges.
        if (element.ValueKind == JsonValueKind.Array)
        {
            foreach (JsonElement inner in element.EnumerateArray())
            {
                if (RepeatedKey(inner) is { } repeated)
                    return repeated;
            }
        }
        if (element.ValueKind != JsonValueKind.Object)
            return null;
        var keys = new HashSet<string>();
        foreach (JsonProperty property in element.EnumerateObject())
        {
            if (!keys.Add(property.Name))
                return property.Name;
            if (RepeatedKey(property.Value) is { } inner)
                return inner;
        }
        return null;
    }

    /// <summary>Reads a JSON object, or returns null where nothing has that name. A folder or a link to nowhere is something: it is refused.</summary>
    public static JsonDocument? FindObject(string path) => Path.Exists(path) ? ReadObject(path) : null;

    /// <summary>Reads a small file whole, without the mark that some editors put before UTF-8.</summary>
    /// <exception cref="ModelFormatException">It is missing, cannot be read, or is too large.</exception>
    public static ReadOnlyMemory<byte> ReadBytes(string path)
    {
        try
        {
            using var stream = InputFile.OpenRead(path);
            if (stream.Length > LongestText)
                throw new ModelFormatException(ModelFault.Unsupported, path, $"{stream.Length} bytes are more than the {LongestText} that such a file may have");
            byte[] bytes = new byte[stream.Length];
            stream.ReadExactly(bytes);
            return bytes.AsSpan().StartsWith("\uFEFF"u8) ? bytes.AsMemory(3) : bytes;
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException or NotSupportedException or ArgumentException)
        {
            throw Unreadable(path, exception);
        }
    }

    /// <summary>Maps a part of a file. Who maps tensor by tensor keeps no pages of those before in memory.</summary>
    /// <exception cref="ModelFormatException">The file cannot be read, or no longer reaches to the part's end.</exception>
    public static MappedFile Map(string path, long offset, long bytes)
    {
        try
        {
            return MappedFile.Open(path, offset, bytes);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw Unreadable(path, exception);
        }
    }

    /// <summary>The error for a file that cannot be opened or read.</summary>
    public static ModelFormatException Unreadable(string path, Exception exception) => new(ModelFault.Unreadable, path, exception switch
    {
        _ when Directory.Exists(path) => "is a folder, not a file",
        FileNotFoundException or DirectoryNotFoundException when Path.Exists(path) => "is a link to a file that is not there",
        FileNotFoundException or DirectoryNotFoundException => "there is no such file",
        UnauthorizedAccessException => "no permission to read the file; grant it (chmod +r) or run as its owner",
        NotSupportedException => "not a regular file; save it to disk first",
        _ => $"the file cannot be read: {QedException.FirstLine(exception)}",
    }, inner: exception);
}
