namespace QedEdge.Templates;

/// <summary>What stands behind <c>is</c>: Jinja calls it a test.</summary>
internal delegate bool Check(Rendering run, object? value, object?[] arguments);

/// <summary>Jinja's tests.</summary>
internal static class Checks
{
    /// <summary>A test, or null.</summary>
    public static Check? Find(string name) => name switch
    {
        "defined" => static (run, value, arguments) => value is not Undefined,
        "undefined" => static (run, value, arguments) => value is Undefined,
        "none" => static (run, value, arguments) => value is null,
        "string" => static (run, value, arguments) => value is TemplateText,
        "mapping" => static (run, value, arguments) => value is DictValue,
        "iterable" or "sequence" => static (run, value, arguments) => value is TemplateText or ListValue or DictValue or Undefined,
        "number" => static (run, value, arguments) => Numbers.IsNumber(value),
        "integer" => static (run, value, arguments) => value is Int128,
        "float" => static (run, value, arguments) => value is double,
        "boolean" => static (run, value, arguments) => value is bool,
        "true" => static (run, value, arguments) => value is true,
        "false" => static (run, value, arguments) => value is false,
        "callable" => static (run, value, arguments) => value is Callable,
        "equalto" or "eq" or "==" => static (run, value, arguments) => Values.Equal(run, value, Other(arguments)),
        "ne" or "!=" => static (run, value, arguments) => !Values.Equal(run, value, Other(arguments)),
        "in" => static (run, value, arguments) => Values.Contains(run, Other(arguments), value),
        "lt" or "<" => static (run, value, arguments) => Values.Compare(run, value, Other(arguments)) < 0,
        "gt" or ">" => static (run, value, arguments) => Values.Compare(run, value, Other(arguments)) > 0,
        "le" or "<=" => static (run, value, arguments) => Values.Compare(run, value, Other(arguments)) <= 0,
        "ge" or ">=" => static (run, value, arguments) => Values.Compare(run, value, Other(arguments)) >= 0,
        "odd" => static (run, value, arguments) => Remainder(value, (Int128)2) == 1,
        "even" => static (run, value, arguments) => Remainder(value, (Int128)2) == 0,
        "divisibleby" => static (run, value, arguments) => Remainder(value, Other(arguments)) == 0,
        _ => null,
    };

    private static object? Other(object?[] arguments) => arguments.Length == 1 ? arguments[0] : throw new TemplateException("the test needs one value to compare with");

    private static Int128 Remainder(object? value, object? by) => value is Int128 && by is Int128
        ? (Int128)Numbers.Compute("%", value, by)
        : throw TemplateException.Wrong(value is Int128 ? by : value, "a division");
}
