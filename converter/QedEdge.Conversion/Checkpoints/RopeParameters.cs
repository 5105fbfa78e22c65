using System.Text.Json;

namespace QedEdge.Conversion.Checkpoints;

/// <summary>
/// What config.json says of rotary positions: the base stands in <c>rope_theta</c> and, of transformers 5, in <c>rope_parameters</c>, an object
/// that also names the kind, as the older <c>rope_scaling</c> does. QED has the plain kind, "default".
/// </summary>
internal static class RopeParameters
{
    /// <summary>The keys that this class reads.</summary>
    public static readonly string[] Keys = [Theta, "rope_parameters", "rope_scaling"];

    private const string Theta = "rope_theta";
    private const float Usual = 10_000f;

    /// <summary>The base of the frequencies; 10,000 where none is named.</summary>
    /// <param name="config">config.json.</param>
    /// <exception cref="ModelFormatException">Another kind of rotary positions is asked for, or two places say different things.</exception>
    public static float Base(JsonValues config)
    {
        float? theta = FindBase(config);
        foreach (string key in (ReadOnlySpan<string>)["rope_parameters", "rope_scaling"])
        {
            if (config.Find(key) is not { } value)
                continue;
            if (value.ValueKind != JsonValueKind.Object)
                throw config.Wrong(key, "the value is no object");
            var parameters = config.Object(value, key);
            RequirePlain(parameters, value);
            if (FindBase(parameters) is not float inner)
                continue;
            if (theta is float other && other != inner)
                throw parameters.Wrong(Theta, FormattableString.Invariant($"the base is {inner} here and {other} elsewhere in the file; correct one of the two"));
            theta = inner;
        }
        return theta ?? Usual;
    }

    private static float? FindBase(JsonValues json) =>
        json.FindFloat32(Theta) is not float value ? null : value > 0 ? value : throw json.Wrong(Theta, "the value is not positive");

    private static void RequirePlain(JsonValues parameters, JsonElement value)
    {
        if (value.EnumerateObject().Any(static entry => entry.Value.ValueKind == JsonValueKind.Object))
            throw parameters.Unsupported(value.EnumerateObject().First(static entry => entry.Value.ValueKind == JsonValueKind.Object).Name, "QED models have the same rotary positions in all layers");
        string? kind = parameters.FindString("rope_type"), older = parameters.FindString("type");
        if (kind is not null && older is not null && kind != older)
            throw parameters.Wrong("type", $"the kind is '{ModelFormatException.OneLine(older)}' here and '{ModelFormatException.OneLine(kind)}' in rope_type; correct one of the two");
        if ((kind ?? older) is { } named && named != "default")
            throw parameters.Unsupported(kind is null ? "type" : "rope_type", $"rotary positions of the kind '{ModelFormatException.OneLine(named)}': QED models have no such feature, only 'default'");
        foreach (string factor in (ReadOnlySpan<string>)["factor", "partial_rotary_factor", "attention_factor"])
        {
            if (parameters.FindFloat64(factor) is double number && number != 1)
                throw parameters.Unsupported(factor, FormattableString.Invariant($"the value {number} asks for rotary positions that are scaled or partial: QED models have no such feature"));
        }
    }
}
