using System.Text.Json;
using QedEdge.Json;

namespace QedEdge.Conversion.Checkpoints;

/// <summary>Reads a checkpoint's JSON files: an object each, in which no key is repeated.</summary>
internal static class CheckpointJson
{
    /// <summary>Reads a JSON file whose top level is an object.</summary>
    /// <param name="path">The file.</param>
    /// <param name="mostBytes">How long it may be.</param>
    /// <exception cref="ModelFormatException">It is missing, cannot be read, is too large, or is no JSON object without repeated keys.</exception>
    public static JsonDocument ReadObject(string path, int mostBytes)
    {
        var bytes = CheckpointFiles.ReadBytes(path, mostBytes);
        try
        {
            var document = JsonDocument.Parse(bytes, new JsonDocumentOptions { MaxDepth = CheckpointLimits.JsonDepth });
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
            throw new ModelFormatException(ModelFault.ShortFile, path, $"the file ends too early, after {bytes.Length} bytes; download or copy it again", inner: exception);
        }
        catch (Exception exception) when (exception is JsonException or InvalidOperationException) // the latter: a key that is no valid Unicode
        {
            throw new ModelFormatException(ModelFault.Damaged, path, $"no valid JSON: {Problem(exception, bytes.Span)}", inner: exception);
        }
    }

    /// <summary>Reads a JSON object, or returns null where nothing has that name. A folder or a link to nowhere is something: it is refused.</summary>
    public static JsonDocument? FindObject(string path, int mostBytes) => CheckpointFiles.Exists(path) ? ReadObject(path, mostBytes) : null;

    /// <summary>What is wrong with JSON, and where.</summary>
    /// <param name="exception">What the reader said.</param>
    /// <param name="json">What it read.</param>
    public static string Problem(Exception exception, ReadOnlySpan<byte> json) => exception is JsonException error ? JsonPlace.Describe(error, json) : QedException.FirstLine(exception);

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
}
