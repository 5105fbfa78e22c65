using System.Text.Json;
using QedEdge.Generation;

namespace QedEdge.Cli.Json;

/// <summary>What several commands write.</summary>
internal static class JsonWriting
{
    private const int Digits = 9; // after the point: beyond float32's, and short

    /// <summary>How results call the reason why generation ended.</summary>
    public static string Name(FinishReason finish) => finish switch
    {
        FinishReason.Stop => "stop",
        FinishReason.Eos => "eos",
        FinishReason.Cancelled => "cancelled",
        _ => "length",
    };

    /// <summary>An array of whole numbers.</summary>
    public static void WriteNumbers(this Utf8JsonWriter json, string name, IEnumerable<int> values)
    {
        json.WriteStartArray(name);
        foreach (int value in values)
            json.WriteNumberValue(value);
        json.WriteEndArray();
    }

    /// <summary>A measured or computed number; null where it is not finite, which JSON cannot say.</summary>
    public static void WriteFinite(this Utf8JsonWriter json, string name, double value)
    {
        json.WritePropertyName(name);
        json.WriteFiniteValue(value);
    }

    /// <summary>An array of such numbers.</summary>
    public static void WriteFinites(this Utf8JsonWriter json, string name, IEnumerable<double> values)
    {
        json.WriteStartArray(name);
        foreach (double value in values)
            json.WriteFiniteValue(value);
        json.WriteEndArray();
    }

    private static void WriteFiniteValue(this Utf8JsonWriter json, double value)
    {
        if (double.IsFinite(value))
            json.WriteNumberValue(Math.Round(value, Digits));
        else
            json.WriteNullValue();
    }
}
