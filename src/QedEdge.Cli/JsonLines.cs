using System.Text.Json;

namespace QedEdge.Cli;

/// <summary>One JSON object per line in, one per line out.</summary>
internal static class JsonLines
{
    /// <summary>Reads a property of every line of a file and prints one object for each.</summary>
    /// <exception cref="QedException">A line is not such an object; the message names the line.</exception>
    public static void Convert(string path, string property, Action<JsonElement, Utf8JsonWriter> convert)
    {
        long number = 0;
        foreach (string line in File.ReadLines(path))
        {
            number++;
            if (string.IsNullOrWhiteSpace(line))
                continue;
            try
            {
                using JsonDocument document = JsonDocument.Parse(line);
                if (document.RootElement.ValueKind != JsonValueKind.Object || !document.RootElement.TryGetProperty(property, out JsonElement value))
                    throw new QedException($"the object has no \"{property}\"");
                Terminal.WriteJson(json => convert(value, json));
            }
            catch (Exception e) when (e is JsonException or QedException or InvalidOperationException or FormatException)
            {
                throw new QedException($"{path}: line {number}: {e.Message}", e);
            }
        }
    }

    /// <summary>A string as UTF-16, lone surrogates included as they are escaped.</summary>
    public static string Text(JsonElement value) => value.ValueKind == JsonValueKind.String
        ? value.GetString()!
        : throw new QedException("\"text\" is not a string");

    /// <summary>An array of whole numbers.</summary>
    public static int[] Ids(JsonElement value) => value.ValueKind == JsonValueKind.Array
        ? [.. value.EnumerateArray().Select(e => e.TryGetInt32(out int id) ? id : throw new QedException("\"ids\" holds something that is not a token id"))]
        : throw new QedException("\"ids\" is not an array");
}
