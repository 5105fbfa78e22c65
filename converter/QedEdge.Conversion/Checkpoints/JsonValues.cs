using System.Runtime.InteropServices;
using System.Text;
using System.Text.Json;

namespace QedEdge.Conversion.Checkpoints;

/// <summary>Typed, checked access to a JSON object's values. A null value counts as absent; errors name file and key.</summary>
/// <param name="json">The object.</param>
/// <param name="file">Its file.</param>
/// <param name="scope">What errors put before a key: the object's own key and a dot.</param>
internal readonly struct JsonValues(JsonElement json, string file, string scope = "")
{
    /// <summary>The object's keys, in its order.</summary>
    public IEnumerable<string> Keys => json.EnumerateObject().Select(static entry => entry.Name);

    /// <summary>Whether the key is there and not null.</summary>
    public bool Contains(string key) => Find(key) is not null;

    /// <summary>The value of a key, or null.</summary>
    public JsonElement? Find(string key) =>
        json.TryGetProperty(key, out var value) && value.ValueKind != JsonValueKind.Null ? value : null;

    /// <summary>A whole number within limits, or null.</summary>
    public int? FindInt32(string key, int smallest, int largest)
    {
        if (Find(key) is not JsonElement value)
            return null;
        if (value.ValueKind != JsonValueKind.Number || !value.TryGetInt32(out int number) || number < smallest || number > largest)
            throw Wrong(key, $"the value is no whole number from {smallest} to {largest}");
        return number;
    }

    /// <summary>A whole number within limits.</summary>
    public int GetInt32(string key, int smallest, int largest) => FindInt32(key, smallest, largest) ?? throw Missing(key);

    /// <summary>A token id, or null where the key is absent or says -1, as some trainers do for none.</summary>
    public int? FindIdOrNone(string key, int vocabSize) => FindInt32(key, -1, vocabSize - 1) is >= 0 and var id ? id : null;

    /// <summary>A token id or a list of them, each once; empty where the key is absent.</summary>
    /// <param name="key">The key.</param>
    /// <param name="vocabSize">What ids are below.</param>
    public IReadOnlyList<int> FindIds(string key, int vocabSize)
    {
        if (Find(key) is not { ValueKind: JsonValueKind.Array } list)
            return FindInt32(key, 0, vocabSize - 1) is int single ? [single] : [];
        if (list.GetArrayLength() > CheckpointLimits.EndTokens)
            throw Unsupported(key, $"a list of {list.GetArrayLength()} ids is longer than the {CheckpointLimits.EndTokens} that one may have");
        var ids = new List<int>();
        foreach (var element in list.EnumerateArray())
        {
            if (element.ValueKind != JsonValueKind.Number || !element.TryGetInt32(out int id) || id < 0 || id >= vocabSize)
                throw Wrong(key, $"the list holds something else than whole numbers from 0 to {vocabSize - 1}");
            if (!ids.Contains(id))
                ids.Add(id);
        }
        return ids;
    }

    /// <summary>A number that float32 can hold, or null.</summary>
    public float? FindFloat32(string key)
    {
        if (Find(key) is not JsonElement value)
            return null;
        // Through double, as the reference reads it.
        if (value.ValueKind != JsonValueKind.Number || !value.TryGetDouble(out double number) || !float.IsFinite((float)number))
            throw Wrong(key, "the value is no number, or beyond float32");
        return (float)number;
    }

    /// <summary>A finite number, or null.</summary>
    public double? FindFloat64(string key)
    {
        if (Find(key) is not JsonElement value)
            return null;
        if (value.ValueKind != JsonValueKind.Number || !value.TryGetDouble(out double number) || !double.IsFinite(number))
            throw Wrong(key, "the value is no number");
        return number;
    }

    /// <summary>True or false, or null.</summary>
    public bool? FindBool(string key) => Find(key) is not JsonElement value ? null : value.ValueKind switch
    {
        JsonValueKind.True => true,
        JsonValueKind.False => false,
        _ => throw Wrong(key, "the value is neither true nor false"),
    };

    /// <summary>Text, or null.</summary>
    public string? FindString(string key) => Find(key) is JsonElement value ? Text(value, key) : null;

    /// <summary>The text of a value that stands under a key.</summary>
    public string Text(JsonElement value, string key)
    {
        if (value.ValueKind != JsonValueKind.String)
            throw Wrong(key, "the value is no text");
        try
        {
            return value.GetString()!;
        }
        catch (InvalidOperationException)
        {
            throw Wrong(key, "the text is no valid Unicode");
        }
    }

    /// <summary>Whether a value is this text.</summary>
    public static bool IsText(JsonElement value, string text)
    {
        try
        {
            return value.ValueKind == JsonValueKind.String && value.ValueEquals(text);
        }
        catch (InvalidOperationException) // half a surrogate pair
        {
            return false;
        }
    }

    /// <summary>Access to an object that stands under a key.</summary>
    public JsonValues Object(JsonElement value, string key) => new(value, file, $"{scope}{key}.");

    /// <summary>The error for a key that must be there.</summary>
    public ModelFormatException Missing(string key) => Wrong(key, "the key is missing");

    /// <summary>The error for a value that cannot be used.</summary>
    public ModelFormatException Wrong(string key, string problem) => new(ModelFault.Damaged, file, problem, scope + key);

    /// <summary>The error for a value that asks for what this version does not have.</summary>
    public ModelFormatException Unsupported(string key, string problem) => new(ModelFault.Unsupported, file, problem, scope + key);

    /// <summary>A value as the file has it, for messages; its text need not be well-formed.</summary>
    public static string Quoted(JsonElement value) => ModelFormatException.OneLine(Encoding.UTF8.GetString(JsonMarshal.GetRawUtf8Value(value)));
}
