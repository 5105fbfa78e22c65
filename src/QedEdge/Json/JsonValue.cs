using System.Globalization;
using System.Text;
using System.Text.Json;

namespace QedEdge.Json;

/// <summary>
/// A value of a JSON text that was checked as a whole. It is a place in the text: nothing is made of what nobody asks for, so that memory stays in proportion to the text
/// whatever stands there. The document model of System.Text.Json does more and would bring 90 KB into the executable.
/// </summary>
internal sealed class JsonValue
{
    private static readonly JsonReaderOptions Options = new() { MaxDepth = RequestLimits.JsonDepth };

    private readonly ReadOnlyMemory<byte> _json; // the whole text
    private readonly int _start;                 // of the value
    private readonly JsonTokenType _kind;
    private readonly JsonValue? _parent;
    private readonly string? _member; // its name in the parent, null for an item of an array
    private readonly int _index;      // of that
    private List<Member>? _members;   // of an object, once they are asked for

    private JsonValue(ReadOnlyMemory<byte> json, int start, JsonValue? parent, string? member, int index)
    {
        (_json, _start, _parent, _member, _index) = (json, start, parent, member, index);
        _kind = Begin().TokenType;
    }

    /// <summary>Reads an object.</summary>
    /// <param name="utf8">The text; it must stay as it is.</param>
    /// <param name="most">Its bytes at most.</param>
    /// <exception cref="QedException">The text is not one JSON object, or too long.</exception>
    public static JsonValue ParseObject(ReadOnlyMemory<byte> utf8, int most = RequestLimits.JsonBytes)
    {
        if (utf8.Length > most)
            throw new QedException($"has more than {most} bytes");
        var reader = new Utf8JsonReader(utf8.Span, Options);
        try
        {
            reader.Read();
            if (reader.TokenType != JsonTokenType.StartObject)
                throw new QedException("is not a JSON object");
            int start = (int)reader.TokenStartIndex;
            while (reader.Read())
            {
            }
            return new JsonValue(utf8, start, null, "", 0);
        }
        catch (JsonException e)
        {
            throw new QedException($"is not JSON: {JsonPlace.Describe(e, utf8.Span)}", e);
        }
    }

    /// <summary>The text of the value alone.</summary>
    public ReadOnlyMemory<byte> Raw => _json[_start..End()];

    /// <summary>The names of an object's members.</summary>
    /// <exception cref="QedException">There are too many, or one is no text.</exception>
    public IEnumerable<string> Names => Members().Select(member => member.Name);

    /// <summary>A member, the last of equal names, or null where there is none or it is null.</summary>
    /// <exception cref="QedException">There are too many.</exception>
    public JsonValue? Find(string name)
    {
        List<Member> members = Index();
        for (int i = members.Count - 1; i >= 0; i--)
        {
            if (At(members[i].Name).ValueTextEquals(name))
                return new JsonValue(_json, members[i].Value, this, name, 0) is { _kind: not JsonTokenType.Null } value ? value : null;
        }
        return null;
    }

    /// <summary>Whether there is a member, be it null.</summary>
    public bool Has(string name) => Index().Exists(member => At(member.Name).ValueTextEquals(name));

    /// <summary>A member that must be there.</summary>
    /// <exception cref="QedException">It is not.</exception>
    public JsonValue Get(string name) => Find(name) ?? throw new QedException($"there is no \"{(Path.Length == 0 ? name : $"{Path}.{name}")}\"");

    /// <summary>A string's text.</summary>
    /// <exception cref="QedException">It is none.</exception>
    public string String() => _kind == JsonTokenType.String ? JsonString.Read(Begin()) : throw Not("a string");

    /// <summary>A string's text, or a number as it is written.</summary>
    /// <exception cref="QedException">It is neither.</exception>
    public string StringOrNumber() => IsNumber ? Encoding.UTF8.GetString(Begin().ValueSpan) : _kind == JsonTokenType.String ? String() : throw Not("a string or a number");

    /// <summary>Whether it is a number.</summary>
    public bool IsNumber => _kind == JsonTokenType.Number;

    /// <summary>Whether it is true or false.</summary>
    public bool IsBoolean => _kind is JsonTokenType.True or JsonTokenType.False;

    /// <summary>Whether it is an array.</summary>
    public bool IsArray => _kind == JsonTokenType.StartArray;

    /// <summary>Whether it is a string.</summary>
    public bool IsString => _kind == JsonTokenType.String;

    /// <summary>Whether it is null.</summary>
    public bool IsNull => _kind == JsonTokenType.Null;

    /// <summary>Refuses what is no object.</summary>
    /// <exception cref="QedException">It is none.</exception>
    public void RequireObject()
    {
        if (_kind != JsonTokenType.StartObject)
            throw Not("an object");
    }

    /// <summary>A whole number.</summary>
    /// <exception cref="QedException">It is none, or out of range.</exception>
    public int Int32() => IsNumber && Begin().TryGetInt32(out int value) ? value : throw Not("a whole number");

    /// <summary>A whole number of 64 bits.</summary>
    /// <exception cref="QedException">It is none, or out of range.</exception>
    public ulong UInt64() => IsNumber && Begin().TryGetUInt64(out ulong value) ? value : throw Not("a whole number from 0 on");

    /// <summary>A number.</summary>
    /// <exception cref="QedException">It is none.</exception>
    public float Single() => IsNumber && float.TryParse(Begin().ValueSpan, NumberStyles.Float, CultureInfo.InvariantCulture, out float value) ? value : throw Not("a number");

    /// <summary>True or false.</summary>
    /// <exception cref="QedException">It is neither.</exception>
    public bool Boolean() => _kind switch { JsonTokenType.True => true, JsonTokenType.False => false, _ => throw Not("true or false") };

    /// <summary>An array's values, one after another.</summary>
    /// <exception cref="QedException">It is none.</exception>
    public IEnumerable<JsonValue> Array()
    {
        return IsArray ? Items() : throw Not("an array");

        IEnumerable<JsonValue> Items()
        {
            int at = _start + 1;
            for (int i = 0; ItemAfter(at) is { } start; i++)
            {
                var item = new JsonValue(_json, start, this, null, i);
                yield return item;
                at = item.End();
            }
        }
    }

    /// <summary>An array's values, not more than a limit.</summary>
    /// <exception cref="QedException">It is none, or has more.</exception>
    public JsonValue[] Array(int most)
    {
        JsonValue[] items = [.. Array().Take(most + 1)];
        return items.Length <= most ? items : throw Not($"{most} values at most");
    }

    /// <summary>An array's whole numbers, not more than a limit.</summary>
    /// <exception cref="QedException">It is none, has more, or holds something else.</exception>
    public int[] Int32s(int most)
    {
        if (!IsArray)
            throw Not("an array");
        int count = 0;
        for (Utf8JsonReader reader = Begin(); reader.Read() && reader.TokenType != JsonTokenType.EndArray; count++)
        {
            if (count == most)
                throw Not($"{most} numbers at most");
            if (reader.TokenType != JsonTokenType.Number || !reader.TryGetInt32(out _))
                throw new JsonValue(_json, _start + (int)reader.TokenStartIndex, this, null, count).Not("a whole number");
        }
        var numbers = new int[count];
        Utf8JsonReader again = Begin();
        for (int i = 0; i < count; i++)
        {
            again.Read();
            numbers[i] = again.GetInt32();
        }
        return numbers;
    }

    /// <summary>An object's members, one after another.</summary>
    /// <exception cref="QedException">It is none, there are too many, or a name is no text.</exception>
    public IEnumerable<(string Name, JsonValue Value)> Members()
    {
        foreach (Member member in Index())
        {
            string name = Name(At(member.Name), Path);
            yield return (name, new JsonValue(_json, member.Value, this, name, 0));
        }
    }

    /// <summary>How errors call it, made for them alone.</summary>
    private string Path
    {
        get
        {
            string before = _parent?.Path ?? "", own = _member is null ? $"[{_index}]" : ModelFormatException.OneLine(_member);
            return before.Length == 0 || _member is null ? before + own : $"{before}.{own}";
        }
    }

    private static string Name(Utf8JsonReader reader, string path)
    {
        try
        {
            return reader.GetString()!;
        }
        catch (InvalidOperationException e)
        {
            throw new QedException($"{(path.Length == 0 ? "a name" : $"\"{path}\"")} is no text: it has half of a surrogate pair (\\ud83d without its other half), or bytes that are no UTF-8", e);
        }
    }

    private List<Member> Index()
    {
        if (_members is not null)
            return _members;
        if (_kind != JsonTokenType.StartObject)
            throw Not("an object");
        var members = new List<Member>();
        for (Utf8JsonReader reader = Begin(); reader.Read() && reader.TokenType != JsonTokenType.EndObject;)
        {
            if (members.Count == RequestLimits.JsonMembers)
                throw Not($"an object of {RequestLimits.JsonMembers} members at most");
            if (reader.ValueIsEscaped)
                Name(reader, Path); // what no comparison could read is refused here
            int name = _start + (int)reader.TokenStartIndex;
            reader.Read();
            members.Add(new Member(name, _start + (int)reader.TokenStartIndex));
            reader.Skip();
        }
        return _members = members;
    }

    /// <summary>A reader that stands at the value.</summary>
    private Utf8JsonReader Begin() => At(_start);

    private Utf8JsonReader At(int start)
    {
        var reader = new Utf8JsonReader(_json.Span[start..], Options);
        reader.Read();
        return reader;
    }

    /// <summary>One past the value's last byte.</summary>
    private int End()
    {
        Utf8JsonReader reader = Begin();
        reader.Skip();
        return _start + (int)reader.BytesConsumed;
    }

    /// <summary>Where an array's next value begins, or null at its end.</summary>
    private int? ItemAfter(int at)
    {
        int gap = _json.Span[at..].IndexOfAnyExcept(" \t\r\n,"u8);
        return _json.Span[at + gap] == ']' ? null : at + gap;
    }

    private QedException Not(string what) => new($"{(Path.Length == 0 ? "the object" : $"\"{Path}\"")} must be {what}");

    /// <summary>Where a member's name and value begin.</summary>
    private readonly record struct Member(int Name, int Value);
}
