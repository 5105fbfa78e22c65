using System.Globalization;
using System.Text.Json;

namespace QedEdge.Cli.Json;

/// <summary>A JSON value, read whole. The document model of System.Text.Json does more and would bring 90 KB into the executable.</summary>
internal sealed class JsonValue
{
    private readonly string _name; // how errors call it
    private readonly JsonTokenType _kind;
    private readonly string _text; // of a string, or a number as written
    private readonly List<JsonValue> _items = [];
    private readonly Dictionary<string, JsonValue> _members = [];

    private JsonValue(ref Utf8JsonReader reader, string name)
    {
        _name = name;
        _kind = reader.TokenType;
        _text = _kind == JsonTokenType.String ? reader.GetString()! : _kind == JsonTokenType.Number ? System.Text.Encoding.UTF8.GetString(reader.ValueSpan) : "";
        if (_kind == JsonTokenType.StartArray)
        {
            while (reader.Read() && reader.TokenType != JsonTokenType.EndArray)
                _items.Add(new JsonValue(ref reader, $"{name}[{_items.Count}]"));
        }
        else if (_kind == JsonTokenType.StartObject)
        {
            while (reader.Read() && reader.TokenType != JsonTokenType.EndObject)
            {
                string member = reader.GetString()!;
                reader.Read();
                _members[member] = new JsonValue(ref reader, name.Length == 0 ? member : $"{name}.{member}"); // of equal names the last
            }
        }
    }

    /// <summary>Reads an object.</summary>
    /// <exception cref="QedException">The text is not one JSON object.</exception>
    public static JsonValue ParseObject(ReadOnlySpan<byte> utf8)
    {
        try
        {
            var reader = new Utf8JsonReader(utf8);
            reader.Read();
            if (reader.TokenType != JsonTokenType.StartObject)
                throw new QedException("is not a JSON object");
            var value = new JsonValue(ref reader, "");
            reader.Read(); // finds what follows it
            return value;
        }
        catch (JsonException e)
        {
            string message = e.Message.Split(" LineNumber:")[0]; // it is one line: the byte says where
            throw new QedException($"is not JSON: {message} (byte {e.BytePositionInLine})", e);
        }
        catch (InvalidOperationException e) // a string that is no UTF-16
        {
            throw new QedException($"is not JSON: {e.Message}", e);
        }
    }

    /// <summary>The names of an object's members.</summary>
    public IEnumerable<string> Names => _members.Keys;

    /// <summary>A member, or null where there is none or it is null.</summary>
    public JsonValue? Find(string name) => _members.TryGetValue(name, out JsonValue? value) && value._kind != JsonTokenType.Null ? value : null;

    /// <summary>A member that must be there.</summary>
    /// <exception cref="QedException">It is not.</exception>
    public JsonValue Get(string name) => Find(name) ?? throw new QedException($"there is no \"{(_name.Length == 0 ? name : $"{_name}.{name}")}\"");

    /// <summary>A string's text.</summary>
    /// <exception cref="QedException">It is none.</exception>
    public string String() => _kind == JsonTokenType.String ? _text : throw Not("a string");

    /// <summary>A string's text, or a number as it is written.</summary>
    /// <exception cref="QedException">It is neither.</exception>
    public string StringOrNumber() => _kind is JsonTokenType.String or JsonTokenType.Number ? _text : throw Not("a string or a number");

    /// <summary>Whether it is a number.</summary>
    public bool IsNumber => _kind == JsonTokenType.Number;

    /// <summary>Whether it is true or false.</summary>
    public bool IsBoolean => _kind is JsonTokenType.True or JsonTokenType.False;

    /// <summary>Whether it is an array.</summary>
    public bool IsArray => _kind == JsonTokenType.StartArray;

    /// <summary>A whole number.</summary>
    /// <exception cref="QedException">It is none, or out of range.</exception>
    public int Int32() => _kind == JsonTokenType.Number && int.TryParse(_text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out int value) ? value : throw Not("a whole number");

    /// <summary>A whole number of 64 bits.</summary>
    /// <exception cref="QedException">It is none, or out of range.</exception>
    public ulong UInt64() => _kind == JsonTokenType.Number && ulong.TryParse(_text, NumberStyles.None, CultureInfo.InvariantCulture, out ulong value) ? value : throw Not("a whole number from 0 on");

    /// <summary>A number.</summary>
    /// <exception cref="QedException">It is none.</exception>
    public float Single() => _kind == JsonTokenType.Number && float.TryParse(_text, NumberStyles.Float, CultureInfo.InvariantCulture, out float value) ? value : throw Not("a number");

    /// <summary>True or false.</summary>
    /// <exception cref="QedException">It is neither.</exception>
    public bool Boolean() => _kind switch { JsonTokenType.True => true, JsonTokenType.False => false, _ => throw Not("true or false") };

    /// <summary>An array's values.</summary>
    /// <exception cref="QedException">It is none.</exception>
    public IReadOnlyList<JsonValue> Array() => _kind == JsonTokenType.StartArray ? _items : throw Not("an array");

    /// <summary>An object's members.</summary>
    /// <exception cref="QedException">It is none.</exception>
    public IReadOnlyDictionary<string, JsonValue> Members() => _kind == JsonTokenType.StartObject ? _members : throw Not("an object");

    /// <summary>Writes a string or a number as it was.</summary>
    public void WriteTo(Utf8JsonWriter json)
    {
        if (IsNumber)
            json.WriteRawValue(_text);
        else
            json.WriteStringValue(String());
    }

    private QedException Not(string what) => new($"\"{_name}\" must be {what}");
}
