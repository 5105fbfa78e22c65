using System.Text;
using System.Text.Json;
using Microsoft.Extensions.AI;

namespace QedEdge.Extensions.AI;

/// <summary>Tools and their results as chat templates have them.</summary>
internal static class ToolMapping
{
    /// <summary>Tools in OpenAI's form, or null where there are none.</summary>
    /// <exception cref="NotSupportedException">One is no function.</exception>
    public static string? Json(IList<AITool>? tools)
    {
        if (tools is not { Count: > 0 })
            return null;
        using var buffer = new MemoryStream();
        using (var json = new Utf8JsonWriter(buffer))
        {
            json.WriteStartArray();
            foreach (AITool tool in tools)
            {
                if (tool is not AIFunctionDeclaration function)
                    throw new NotSupportedException($"the model calls functions alone, and a tool is a {tool.GetType().Name}");
                json.WriteStartObject();
                json.WriteString("type", "function");
                json.WriteStartObject("function");
                json.WriteString("name", function.Name);
                json.WriteString("description", function.Description);
                json.WritePropertyName("parameters");
                function.JsonSchema.WriteTo(json);
                json.WriteEndObject();
                json.WriteEndObject();
            }
            json.WriteEndArray();
        }
        return Encoding.UTF8.GetString(buffer.ToArray());
    }

    /// <summary>A function's result as text: JSON where it is none.</summary>
    public static string Text(object? result) => result as string ?? JsonSerializer.Serialize(result, AIJsonUtilities.DefaultOptions.GetTypeInfo(typeof(object)));
}
