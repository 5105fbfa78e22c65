using System.Globalization;

namespace QedEdge.Templates;

/// <summary>Values as Python's <c>json.dumps</c> writes them: the filter <c>tojson</c>, as transformers has it.</summary>
internal sealed class JsonText
{
    private readonly Rendering _run;
    private readonly TextBuilder _text;
    private readonly bool _asciiOnly, _sorted;
    private readonly string? _indent;
    private readonly TemplateText _comma, _colon;

    private JsonText(Rendering run, bool asciiOnly, string? indent, TemplateText comma, TemplateText colon, bool sorted)
    {
        (_run, _text, _asciiOnly, _indent, _comma, _colon, _sorted) = (run, new TextBuilder(run), asciiOnly, indent, comma, colon, sorted);
    }

    /// <summary>The filter.</summary>
    /// <exception cref="TemplateException">The value is no JSON, or takes too much.</exception>
    public static object? Filter(Rendering run, object? value, Arguments arguments)
    {
        object?[] given = arguments.Bind("tojson", 0, "ensure_ascii", "indent", "separators", "sort_keys");
        string? indent = null;
        if (given[1] != Arguments.Missing && given[1] is not null)
        {
            int width = Arguments.Integer(given[1], 0, "an indent");
            if (width is < 0 or > TemplateLimits.Indent)
                throw new TemplateException("an indent must be 0 to " + Numbers.Text(TemplateLimits.Indent));
            indent = new string(' ', width);
        }
        TemplateText comma = new(indent is null ? ", " : ","), colon = new(": ");
        if (given[2] is ListValue { Items: [TemplateText first, TemplateText second] })
            (comma, colon) = (first, second);
        else if (given[2] != Arguments.Missing && given[2] is not null)
            throw TemplateException.Wrong(given[2], "separators");
        var json = new JsonText(run, Arguments.Flag(given[0]), indent, comma, colon, Arguments.Flag(given[3]));
        json.Append(value, 0);
        return json._text.Build();
    }

    private void Append(object? value, int depth)
    {
        _run.Spend();
        if (depth > TemplateLimits.Depth)
            throw new TemplateException("a value of more than " + Numbers.Text(TemplateLimits.Depth) + " levels cannot be written as JSON");
        switch (value)
        {
            case TemplateText text:
                AppendQuoted(text);
                break;
            case ListValue list:
                if (list.Items.Length == 0)
                {
                    _text.Append("[]");
                    break;
                }
                _text.Append('[');
                for (int i = 0; i < list.Items.Length; i++)
                {
                    Separate(i, depth + 1);
                    Append(list.Items[i], depth + 1);
                }
                Break(depth);
                _text.Append(']');
                break;
            case DictValue dict:
                AppendDict(dict, depth);
                break;
            default:
                _text.Append(Plain(value));
                break;
        }
    }

    private void AppendDict(DictValue dict, int depth)
    {
        if (dict.Count == 0)
        {
            _text.Append("{}");
            return;
        }
        object?[] keys = dict.Keys();
        if (_sorted)
            keys = Sorting.Sort(_run, keys, keys, reverse: false);
        _text.Append('{');
        for (int i = 0; i < keys.Length; i++)
        {
            Separate(i, depth + 1);
            AppendQuoted(keys[i] as TemplateText ?? new TemplateText(Plain(keys[i])));
            _text.Append(_colon);
            dict.TryGet(keys[i], out object? value);
            Append(value, depth + 1);
        }
        Break(depth);
        _text.Append('}');
    }

    private static string Plain(object? value) => value switch
    {
        null => "null",
        bool truth => truth ? "true" : "false",
        double number => double.IsNaN(number) ? "NaN" : double.IsInfinity(number) ? number > 0 ? "Infinity" : "-Infinity" : Numbers.Text(number),
        Int128 number => Numbers.Text(number),
        _ => throw TemplateException.Wrong(value, "JSON"),
    };

    private void Separate(int index, int depth)
    {
        if (index > 0)
            _text.Append(_comma);
        Break(depth);
    }

    private void Break(int depth)
    {
        if (_indent is null)
            return;
        _text.Append('\n');
        for (int i = 0; i < depth; i++)
            _text.Append(_indent);
    }

    private void AppendQuoted(TemplateText value)
    {
        string source = value.Text;
        _text.Append('"');
        int done = 0;
        for (int at = 0; at < source.Length; at++)
        {
            char c = source[at];
            if (c >= ' ' && c is not ('"' or '\\') && (!_asciiOnly || c < 0x7F))
                continue;
            _text.Append(value, done, at - done);
            _text.Append(c switch { '"' => "\\\"", '\\' => "\\\\", '\n' => "\\n", '\r' => "\\r", '\t' => "\\t", '\b' => "\\b", '\f' => "\\f", _ => "\\u" + ((int)c).ToString("x4", CultureInfo.InvariantCulture) }, value, at);
            done = at + 1;
        }
        _text.Append(value, done, source.Length - done);
        _text.Append('"');
    }
}
