using System.Globalization;
using System.Text;
using QedEdge.Json;
using QedEdge.Templates;

namespace QedEdge.Chat;

/// <summary>Calls of tools as models write them.</summary>
internal static class ToolCallText
{
    private const string IdPrefix = "call_";

    /// <summary>The number in an id that <see cref="Read"/> made, else -1.</summary>
    public static int NumberOf(string? id) =>
        id is not null && id.StartsWith(IdPrefix, StringComparison.Ordinal) && int.TryParse(id.AsSpan(IdPrefix.Length), NumberStyles.None, CultureInfo.InvariantCulture, out int number) && number < int.MaxValue / 2 ? number : -1;

    /// <summary>
    /// A call: a JSON object with <c>name</c> and <c>arguments</c> (Qwen, Hermes, SmolLM3) or <c>parameters</c> (Llama 3), or <c>&lt;function=name&gt;</c> with
    /// <c>&lt;parameter=name&gt;</c> in it (Qwen3-Coder); null for what is none.
    /// </summary>
    /// <param name="text">What the model wrote.</param>
    /// <param name="number">Of the call within the answer, for its id.</param>
    public static ToolCall? Read(string text, int number)
    {
        text = text.Trim();
        string id = IdPrefix + number.ToString(CultureInfo.InvariantCulture);
        if (text.StartsWith("<function=", StringComparison.Ordinal))
            return ReadTags(text, id);
        try
        {
            JsonValue json = JsonValue.ParseObject(Encoding.UTF8.GetBytes(text));
            JsonValue arguments = json.Find("arguments") ?? json.Get("parameters");
            return new ToolCall(json.Get("name").String(), arguments.IsString ? arguments.String() : Encoding.UTF8.GetString(arguments.Raw.Span), id);
        }
        catch (QedException)
        {
            return null;
        }
    }

    private static ToolCall? ReadTags(string text, string id)
    {
        const string begin = "<parameter=", end = "</parameter>";
        int nameEnd = text.IndexOf('>', StringComparison.Ordinal);
        if (nameEnd < 0)
            return null;
        var arguments = new DictValue();
        for (int at = nameEnd; (at = text.IndexOf(begin, at, StringComparison.Ordinal)) >= 0;)
        {
            int keyEnd = text.IndexOf('>', at), valueEnd = keyEnd < 0 ? -1 : text.IndexOf(end, keyEnd, StringComparison.Ordinal);
            if (valueEnd < 0)
                return null;
            arguments.Set(text[(at + begin.Length)..keyEnd], Value(text[(keyEnd + 1)..valueEnd].Trim('\n')));
            at = valueEnd;
        }
        var run = new Rendering(default, default);
        return new ToolCall(text["<function=".Length..nameEnd], ((TemplateText)JsonText.Filter(run, arguments, Templates.Arguments.None)!).Text, id);
    }

    /// <summary>Numbers, lists and objects are written as JSON, texts as they are.</summary>
    private static object? Value(string text)
    {
        try
        {
            return JsonVariables.ReadValue(text, "value", static (_, _) => true);
        }
        catch (QedException)
        {
            return new TemplateText(text); // which can hold what looks like a further member
        }
    }
}
