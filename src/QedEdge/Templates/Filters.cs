using System.Globalization;

namespace QedEdge.Templates;

/// <summary>What stands behind a <c>|</c>. One switch rather than a delegate each, which would take more room in an executable.</summary>
internal static class Filters
{
    private static readonly string[] Names =
    [
        "tojson", "trim", "string", "safe", "length", "count", "list", "join", "items", "default", "d", "lower", "upper", "capitalize", "title", "replace", "indent", "int", "float",
        "first", "last", "map", "select", "reject", "selectattr", "rejectattr", "sort", "dictsort", "unique",
    ];

    /// <summary>Whether there is such a filter.</summary>
    public static bool Exists(string name) => Array.IndexOf(Names, name) >= 0;

    /// <summary>What a filter makes of a value.</summary>
    /// <exception cref="TemplateException">There is none of that name, or it cannot be used on the value.</exception>
    public static object? Apply(Rendering run, string name, object? value, Arguments arguments) => name switch
    {
        "tojson" => JsonText.Filter(run, value, arguments),
        "trim" => Methods.Strip(run, PythonText.Of(run, value), arguments, start: true, end: true),
        "string" or "safe" => PythonText.Of(run, value),
        "length" or "count" => (Int128)Values.Length(run, value),
        "list" => new ListValue(Values.Iterate(run, value)),
        "join" => Join(run, value, arguments),
        "items" => value is Undefined ? new ListValue([]) : Methods.Items(run, value as DictValue ?? throw TemplateException.Wrong(value, name)),
        "default" or "d" => Default(value, arguments),
        "lower" => Methods.Lower(run, PythonText.Of(run, value)),
        "upper" => Methods.Upper(run, PythonText.Of(run, value)),
        "capitalize" => Methods.Capitalize(run, PythonText.Of(run, value)),
        "title" => Methods.Title(run, PythonText.Of(run, value), afterLetters: false),
        "replace" => Methods.Replace(run, PythonText.Of(run, value), arguments),
        "indent" => Indent(run, value, arguments),
        "int" => Int(value, arguments),
        "float" => Float(value, arguments),
        "first" => Values.Iterate(run, value) is [var first, ..] ? first : new Undefined("the first element"),
        "last" => Values.Iterate(run, value) is [.., var last] ? last : new Undefined("the last element"),
        "map" => Map(run, value, arguments),
        "select" => Select(run, value, arguments, wanted: true, byAttribute: false),
        "reject" => Select(run, value, arguments, wanted: false, byAttribute: false),
        "selectattr" => Select(run, value, arguments, wanted: true, byAttribute: true),
        "rejectattr" => Select(run, value, arguments, wanted: false, byAttribute: true),
        "sort" => Sort(run, value, arguments),
        "dictsort" => DictSort(run, value, arguments),
        "unique" => Unique(run, value),
        _ => throw Unknown(name),
    };

    /// <summary>What is said of a filter that there is not.</summary>
    public static TemplateException Unknown(string name) => new("the filter '" + name + "' is unknown");

    private static object? Default(object? value, Arguments arguments)
    {
        object?[] given = arguments.Bind("default", 0, "default_value", "boolean");
        return value is Undefined || (Arguments.Flag(given[1]) && !Values.Truth(value)) ? given[0] == Arguments.Missing ? TemplateText.Empty : given[0] : value;
    }

    private static object? Join(Rendering run, object? value, Arguments arguments)
    {
        object?[] given = arguments.Bind("join", 0, "d", "attribute"), items = Values.Iterate(run, value);
        return Methods.Join(run, given[0] == Arguments.Missing ? TemplateText.Empty : PythonText.Of(run, given[0]), given[1] == Arguments.Missing ? items : All(run, items, given[1]));
    }

    private static object? Indent(Rendering run, object? value, Arguments arguments)
    {
        object?[] given = arguments.Bind("indent", 0, "width", "first", "blank");
        TemplateText text = Arguments.Text(value, "an indent");
        int width = given[0] is TemplateText ? 0 : Arguments.Integer(given[0], 4, "an indent");
        if (width is < 0 or > TemplateLimits.Indent)
            throw new TemplateException("an indent must be 0 to " + Numbers.Text(TemplateLimits.Indent));
        TemplateText pad = given[0] as TemplateText ?? new TemplateText(new string(' ', width));
        bool first = Arguments.Flag(given[1]), blank = Arguments.Flag(given[2]);
        var builder = new TextBuilder(run);
        for (int begin = 0, line = 0; ; line++)
        {
            int feed = text.Text.IndexOf('\n', begin), end = feed < 0 ? text.Length : feed;
            if (line == 0 ? first : blank || end > begin)
                builder.Append(pad);
            builder.Append(text, begin, (feed < 0 ? end : feed + 1) - begin);
            if (feed < 0)
                return builder.Build();
            begin = feed + 1;
        }
    }

    private static object? Int(object? value, Arguments arguments)
    {
        object? otherwise = arguments.Bind("int", 0, "default")[0];
        return value switch
        {
            Undefined => throw TemplateException.Wrong(value, ""),
            double number => Whole(number),
            TemplateText text => Read(Numbers.Plain(text.Text)),
            Int128 or bool => Numbers.Integer(value),
            _ => Otherwise(),
        };

        object? Otherwise() => otherwise == Arguments.Missing ? (Int128)0 : otherwise;

        object? Whole(double number) => Math.Abs(number) < 1e38 ? (Int128)number : Otherwise();

        object? Read(ReadOnlySpan<char> text)
        {
            if (text.Length > TemplateLimits.Digits)
                return Otherwise();
            ReadOnlySpan<char> digits = text is ['-' or '+', ..] ? text[1..] : text;
            if (digits.Length > 0 && !digits.ContainsAnyExceptInRange('0', '9'))
                return Numbers.ParseInteger(text is ['+', ..] ? digits : text) ?? Otherwise();
            return double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out double number) ? Whole(number) : Otherwise();
        }
    }

    private static object? Float(object? value, Arguments arguments)
    {
        object? otherwise = arguments.Bind("float", 0, "default")[0];
        return value is Undefined ? throw TemplateException.Wrong(value, "")
            : Numbers.IsNumber(value) ? Numbers.Float(value!)
            : value is TemplateText { Length: <= 400 } text && double.TryParse(Numbers.Plain(text.Text), NumberStyles.Float, CultureInfo.InvariantCulture, out double number) ? number
            : otherwise == Arguments.Missing ? 0.0 : otherwise;
    }

    private static object? Map(Rendering run, object? value, Arguments arguments)
    {
        if (!Values.Truth(value))
            return new ListValue([]);
        object?[] items = Values.Iterate(run, value), mapped;
        if (arguments.Positional.Length == 0)
        {
            object?[] given = arguments.Bind("map", 0, "attribute", "default");
            mapped = All(run, items, given[0]);
            for (int i = 0; i < mapped.Length; i++)
            {
                if (mapped[i] is Undefined && given[1] != Arguments.Missing)
                    mapped[i] = given[1];
            }
            return new ListValue(mapped);
        }
        string name = Arguments.Text(arguments.Positional[0], "map").Text;
        run.MakeList(items.Length);
        mapped = new object?[items.Length];
        Arguments rest = arguments.Behind(1);
        for (int i = 0; i < mapped.Length; i++)
        {
            run.Enter(); // a filter may map again
            mapped[i] = Apply(run, name, items[i], rest);
            run.Leave();
        }
        return new ListValue(mapped);
    }

    private static object? Select(Rendering run, object? value, Arguments arguments, bool wanted, bool byAttribute)
    {
        if (!Values.Truth(value))
            return new ListValue([]);
        int before = byAttribute ? 1 : 0;
        if (arguments.Positional.Length < before || arguments.Names.Length > 0)
            throw new TemplateException("a selection needs an attribute, a test and its argument, by their places");
        object?[] items = Values.Iterate(run, value), keys = byAttribute ? All(run, items, arguments.Positional[0]) : items;
        string? check = null;
        if (arguments.Positional.Length > before)
            check = Arguments.Text(arguments.Positional[before], "a selection").Text;
        object?[] rest = arguments.Behind(before + 1).Positional;
        var selected = new List<object?>();
        for (int i = 0; i < items.Length; i++)
        {
            run.MakeList(1);
            if ((check is null ? Values.Truth(keys[i]) : Checks.Holds(run, check, keys[i], rest)) == wanted)
                selected.Add(items[i]);
        }
        return new ListValue([.. selected]);
    }

    private static object? Sort(Rendering run, object? value, Arguments arguments)
    {
        object?[] given = arguments.Bind("sort", 0, "reverse", "case_sensitive", "attribute"), items = Values.Iterate(run, value);
        object?[] keys = given[2] == Arguments.Missing ? items : All(run, items, given[2]);
        return new ListValue(Sorting.Sort(run, items, Arguments.Flag(given[1]) ? keys : WithoutCase(run, keys), Arguments.Flag(given[0])));
    }

    private static object? DictSort(Rendering run, object? value, Arguments arguments)
    {
        object?[] given = arguments.Bind("dictsort", 0, "case_sensitive", "by", "reverse");
        ListValue items = Methods.Items(run, value as DictValue ?? throw TemplateException.Wrong(value, "dictsort"));
        object?[] keys = All(run, items.Items, given[1] is TemplateText { Text: "value" } ? (Int128)1 : (Int128)0);
        return new ListValue(Sorting.Sort(run, items.Items, Arguments.Flag(given[0]) ? keys : WithoutCase(run, keys), Arguments.Flag(given[2])));
    }

    private static object? Unique(Rendering run, object? value)
    {
        object?[] items = Values.Iterate(run, value), keys = WithoutCase(run, items);
        var first = new DictValue();
        for (int i = 0; i < items.Length; i++)
        {
            run.MakeList(1);
            if (!first.TryGet(keys[i], out _))
                first.Set(keys[i], items[i]);
        }
        return new ListValue(first.Values());
    }

    private static object?[] WithoutCase(Rendering run, object?[] keys)
    {
        run.MakeList(keys.Length);
        var without = new object?[keys.Length];
        for (int i = 0; i < keys.Length; i++)
            without[i] = keys[i] is TemplateText text ? Methods.Lower(run, text) : keys[i];
        return without;
    }

    /// <summary>An attribute of each element; a path such as <c>a.b</c> or <c>0</c> is followed.</summary>
    private static object?[] All(Rendering run, object?[] items, object? attribute)
    {
        if (attribute is not (TemplateText or Int128))
            throw TemplateException.Wrong(attribute == Arguments.Missing ? null : attribute, "an attribute's name");
        run.MakeList(items.Length);
        var found = (object?[])items.Clone();
        foreach (string part in attribute is TemplateText path ? path.Text.Split('.') : [Numbers.Text(attribute)])
        {
            object key = part.Length > 0 && !part.AsSpan().ContainsAnyExceptInRange('0', '9') && Numbers.ParseInteger(part) is { } number ? number : new TemplateText(part);
            for (int i = 0; i < found.Length; i++)
            {
                run.Spend();
                found[i] = Members.Item(run, found[i], key);
            }
        }
        return found;
    }
}
