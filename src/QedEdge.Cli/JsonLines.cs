using System.Text;
using System.Text.Json;

namespace QedEdge.Cli;

/// <summary>One JSON object per line in, one per line out. Read token by token: a document model would bring 90 KB into the executable.</summary>
internal static class JsonLines
{
    /// <summary>Takes a property's value and writes the line's answer.</summary>
    /// <param name="value">Stands on the value.</param>
    /// <param name="answer">The object to be printed.</param>
    public delegate void Converter(ref Utf8JsonReader value, Utf8JsonWriter answer);

    /// <summary>Reads a property of every line of a file and prints one object for each.</summary>
    /// <exception cref="QedException">A line is not such an object; the message names the line.</exception>
    public static void Convert(string path, string property, Converter convert)
    {
        long number = 0;
        foreach (string line in File.ReadLines(path))
        {
            number++;
            if (string.IsNullOrWhiteSpace(line))
                continue;
            try
            {
                byte[] utf8 = Encoding.UTF8.GetBytes(line);
                Terminal.WriteJson(json =>
                {
                    Utf8JsonReader value = Find(utf8, property);
                    convert(ref value, json);
                });
            }
            catch (Exception e) when (e is JsonException or QedException or InvalidOperationException or FormatException)
            {
                throw new QedException($"{path}: line {number}: {e.Message}", e);
            }
        }
    }

    /// <summary>A reader on the value of an object's property, the last of that name, after all of the line was found to be JSON.</summary>
    private static Utf8JsonReader Find(byte[] utf8, string property)
    {
        var reader = new Utf8JsonReader(utf8);
        Utf8JsonReader found = default;
        bool isObject = reader.Read() && reader.TokenType == JsonTokenType.StartObject;
        if (!isObject)
            reader.Skip();
        while (reader.Read())
        {
            if (reader.TokenType != JsonTokenType.PropertyName)
                continue; // the object's end
            bool wanted = reader.ValueTextEquals(property);
            reader.Read();
            if (wanted)
                found = reader;
            reader.Skip();
        }
        return found.TokenType != JsonTokenType.None ? found : throw new QedException($"the object has no \"{property}\"");
    }

    /// <summary>A string as UTF-16.</summary>
    public static string Text(ref Utf8JsonReader value) => value.TokenType == JsonTokenType.String
        ? value.GetString()!
        : throw new QedException("\"text\" is not a string");

    /// <summary>An array of whole numbers.</summary>
    public static int[] Ids(ref Utf8JsonReader value)
    {
        if (value.TokenType != JsonTokenType.StartArray)
            throw new QedException("\"ids\" is not an array");
        var ids = new List<int>();
        while (value.Read() && value.TokenType != JsonTokenType.EndArray)
            ids.Add(value.TokenType == JsonTokenType.Number && value.TryGetInt32(out int id) ? id : throw new QedException("\"ids\" holds something that is not a token id"));
        return ids.ToArray();
    }
}
