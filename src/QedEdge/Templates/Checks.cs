namespace QedEdge.Templates;

/// <summary>What stands behind <c>is</c>: Jinja calls it a test. One switch rather than a method each, which would take three times the room in an executable.</summary>
internal static class Checks
{
    private static readonly string[] Names =
    [
        "defined", "undefined", "none", "string", "mapping", "iterable", "sequence", "number", "integer", "float", "boolean", "true", "false", "callable",
        "equalto", "eq", "==", "ne", "!=", "in", "lt", "<", "gt", ">", "le", "<=", "ge", ">=", "odd", "even", "divisibleby",
    ];

    /// <summary>Whether there is such a test.</summary>
    public static bool Exists(string name) => Array.IndexOf(Names, name) >= 0;

    /// <summary>Whether a test holds.</summary>
    /// <exception cref="TemplateException">There is none of that name, or it cannot be asked of the value.</exception>
    public static bool Holds(Rendering run, string name, object? value, object?[] arguments)
    {
        switch (name)
        {
            case "defined": return value is not Undefined;
            case "undefined": return value is Undefined;
            case "none": return value is null;
            case "string": return value is TemplateText;
            case "mapping": return value is DictValue;
            case "iterable" or "sequence": return value is TemplateText or ListValue or DictValue or Undefined;
            case "number": return Numbers.IsNumber(value);
            case "integer": return value is Int128;
            case "float": return value is double;
            case "boolean": return value is bool;
            case "true": return value is true;
            case "false": return value is false;
            case "callable": return value is Callable;
            case "odd": return Remainder(value, (Int128)2) == 1;
            case "even": return Remainder(value, (Int128)2) == 0;
        }
        if (!Exists(name))
            throw Unknown(name);
        object? other = arguments.Length == 1 ? arguments[0] : throw new TemplateException("the test '" + name + "' needs one value to compare with");
        return name switch
        {
            "equalto" or "eq" or "==" => Values.Equal(run, value, other),
            "ne" or "!=" => !Values.Equal(run, value, other),
            "in" => Values.Contains(run, other, value),
            "lt" or "<" => Values.Compare(run, value, other) < 0,
            "gt" or ">" => Values.Compare(run, value, other) > 0,
            "le" or "<=" => Values.Compare(run, value, other) <= 0,
            "ge" or ">=" => Values.Compare(run, value, other) >= 0,
            _ => Remainder(value, other) == 0,
        };
    }

    /// <summary>What is said of a test that there is not.</summary>
    public static TemplateException Unknown(string name) => new("the test '" + name + "' is unknown");

    private static Int128 Remainder(object? value, object? by) => value is Int128 && by is Int128
        ? (Int128)Numbers.Compute("%", value, by)
        : throw TemplateException.Wrong(value is Int128 ? by : value, "a division");
}
