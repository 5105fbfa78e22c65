using System.Globalization;
using System.Text;
using System.Text.Json;
using QedEdge.Json;

namespace QedEdge.Templates;

/// <summary>Values of a JSON text: keys in their order, whole numbers apart from others by how they are written.</summary>
internal sealed class JsonVariables
{
    private readonly Func<string, string, bool> _isTyped;
    private int _values;

    private JsonVariables(Func<string, string, bool> isTyped) => _isTyped = isTyped;

    /// <summary>Reads an object.</summary>
    /// <param name="utf8">One JSON object, which was checked.</param>
    /// <param name="isTyped">Whether a text is what somebody typed; it is given its key, "" where it is an element.</param>
    /// <exception cref="QedException">A number is too long, or there are too many values.</exception>
    public static DictValue Read(ReadOnlySpan<byte> utf8, Func<string, string, bool> isTyped)
    {
        var reader = new Utf8JsonReader(utf8, new JsonReaderOptions { MaxDepth = RequestLimits.JsonDepth });
        reader.Read();
        return (DictValue)new JsonVariables(isTyped).Value(ref reader, "")!;
    }

    /// <summary>Reads a value of any kind, as a member of that name.</summary>
    /// <param name="json">One JSON value; it need not have been checked.</param>
    /// <param name="name">The member's name, in errors too.</param>
    /// <param name="isTyped">As <see cref="Read"/> takes it.</param>
    /// <exception cref="QedException">It is none, or more than one; or as <see cref="Read"/>.</exception>
    public static object? ReadValue(string json, string name, Func<string, string, bool> isTyped)
    {
        byte[] utf8 = Encoding.UTF8.GetBytes($"{{\"{name}\":{json}}}");
        if (JsonValue.ParseObject(utf8).Names.Count() != 1)
            throw new QedException($"\"{name}\" is more than one JSON value");
        Read(utf8, isTyped).TryGet(name, out object? value);
        return value;
    }

    private object? Value(ref Utf8JsonReader reader, string key)
    {
        if (++_values > TemplateLimits.Values)
            throw new QedException("a conversation has more than " + Numbers.Text(TemplateLimits.Values) + " values");
        switch (reader.TokenType)
        {
            case JsonTokenType.StartObject:
                var dict = new DictValue();
                while (reader.Read() && reader.TokenType != JsonTokenType.EndObject)
                {
                    string name = JsonString.Read(reader);
                    reader.Read();
                    dict.Set(new TemplateText(name, typed: true), Value(ref reader, name));
                }
                return dict;
            case JsonTokenType.StartArray:
                var items = new List<object?>();
                while (reader.Read() && reader.TokenType != JsonTokenType.EndArray)
                    items.Add(Value(ref reader, ""));
                return new ListValue([.. items]);
            case JsonTokenType.String:
                string text = JsonString.Read(reader);
                return new TemplateText(text, _isTyped(key, text));
            case JsonTokenType.Number:
                string number = Encoding.ASCII.GetString(reader.ValueSpan);
                return number.AsSpan().ContainsAny('.', 'e', 'E') ? double.Parse(number, CultureInfo.InvariantCulture)
                    : Numbers.ParseInteger(number) ?? throw new QedException("a whole number has more than " + Numbers.Text(TemplateLimits.Digits) + " digits");
            default:
                return reader.TokenType == JsonTokenType.Null ? null : Values.Of(reader.TokenType == JsonTokenType.True);
        }
    }
}
