using System.Text.Json;
using QedEdge.Gguf;

namespace QedEdge.Conversion.Checkpoints;

/// <summary>Lists in config.json that say of each layer what kind it is.</summary>
internal static class LayerLists
{
    /// <summary>Of each layer whether it is marked: has a window, or rotates; null where there is no list.</summary>
    /// <param name="json">config.json.</param>
    /// <param name="key">The key of a GGUF file that holds the marks.</param>
    /// <param name="read">Takes the keys that are read.</param>
    public static bool[]? Find(JsonValues json, string key, HashSet<string> read)
    {
        switch (key)
        {
            case GgufKeys.RotatedLayers:
                read.Add("no_rope_layers"); // where 1 means that the layer rotates
                return json.Find("no_rope_layers") is { } rotated ? Marks(json, rotated, "no_rope_layers", static entry => entry.ValueKind == JsonValueKind.Number && entry.TryGetInt32(out int number) ? number switch { 0 => false, 1 => true, _ => null } : null) : null;
            case GgufKeys.WindowLayers:
                read.UnionWith(["layer_types", "attention_types", "attention_layers"]);
                bool[]? marks = json.Find("layer_types") is { } types ? Marks(json, types, "layer_types", static entry => Kind(entry, "sliding_attention", "full_attention"))
                    : json.Find("attention_layers") is { } layers ? Marks(json, layers, "attention_layers", static entry => Kind(entry, "local", "global")) : null;
                bool[]? expanded = json.Find("attention_types") is { } groups ? Expand(json, groups) : null;
                if (marks is not null && expanded is not null && !marks.AsSpan().SequenceEqual(expanded))
                    throw json.Wrong("attention_types", "the list contradicts attention_layers, which says the same layer by layer; correct one of the two");
                return marks ?? expanded;
            default:
                return null;
        }
    }

    private static bool? Kind(JsonElement entry, string marked, string other) =>
        JsonValues.IsText(entry, marked) ? true : JsonValues.IsText(entry, other) ? false : null;

    private static bool[] Marks(JsonValues json, JsonElement list, string key, Func<JsonElement, bool?> mark)
    {
        if (list.ValueKind != JsonValueKind.Array || list.GetArrayLength() > CheckpointLimits.Layers)
            throw json.Wrong(key, $"the value is no list of at most {CheckpointLimits.Layers} layers");
        return [.. list.EnumerateArray().Select(entry => mark(entry)
            ?? throw json.Unsupported(key, $"{JsonValues.Quoted(entry)} is no kind of layer that this family has"))];
    }

    /// <summary>GPT-Neo's groups: [[names, how often], …].</summary>
    private static bool[] Expand(JsonValues json, JsonElement groups)
    {
        const string key = "attention_types";
        var marks = new List<bool>();
        if (groups.ValueKind != JsonValueKind.Array)
            throw Wrong();
        foreach (JsonElement group in groups.EnumerateArray())
        {
            if (group.ValueKind != JsonValueKind.Array || group.GetArrayLength() != 2 || group[1].ValueKind != JsonValueKind.Number || !group[1].TryGetInt32(out int times) || times is < 0 or > CheckpointLimits.Layers)
                throw Wrong();
            bool[] names = Marks(json, group[0], key, static entry => Kind(entry, "local", "global"));
            for (int i = 0; i < times && marks.Count <= CheckpointLimits.Layers; i++)
                marks.AddRange(names);
        }
        return [.. marks];

        ModelFormatException Wrong() => json.Wrong(key, "the value is no list of pairs of names and how often they follow");
    }
}
