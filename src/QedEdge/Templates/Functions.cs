namespace QedEdge.Templates;

/// <summary>The functions that every template has.</summary>
internal static class Functions
{
    private static readonly string[] Names = ["namespace", "dict", "range", "raise_exception", "strftime_now"];

    /// <summary>Whether there is such a function.</summary>
    public static bool Exists(string name) => Array.IndexOf(Names, name) >= 0;

    /// <summary>Calls a function.</summary>
    /// <exception cref="TemplateException">The arguments are not its own, or it raises one.</exception>
    public static object? Call(Rendering run, string name, Arguments arguments) => name switch
    {
        "namespace" => new NamespaceValue(Dict(run, arguments)),
        "dict" => Dict(run, arguments),
        "range" => Range(run, arguments),
        "raise_exception" => throw TemplateException.Raised(PythonText.Of(run, arguments.Bind(name, 1, "message")[0]).Text),
        _ => TimeText.Of(run, Arguments.Text(arguments.Bind(name, 1, "format")[0], "a date's format").Text),
    };

    private static DictValue Dict(Rendering run, Arguments arguments)
    {
        var dict = new DictValue();
        if (arguments.Positional.Length > 1)
            throw new TemplateException("a dict is made of one value at most");
        if (arguments.Positional is [var first])
        {
            if (first is DictValue given)
            {
                run.MakeList(given.Count);
                for (int i = 0; i < given.Count; i++)
                    dict.Set(given.KeyAt(i), given.ValueAt(i));
            }
            else
            {
                foreach (object? pair in Values.Iterate(run, first))
                {
                    run.MakeList(1);
                    if (pair is not ListValue { Items: [var key, var value] })
                        throw TemplateException.Wrong(pair, "a key with a value");
                    dict.Set(key, value);
                }
            }
        }
        run.MakeList(arguments.Names.Length);
        for (int i = 0; i < arguments.Names.Length; i++)
            dict.Set(arguments.Names[i], arguments.Named[i]);
        return dict;
    }

    private static ListValue Range(Rendering run, Arguments arguments)
    {
        object?[] given = arguments.Bind("range", 1, "from", "to", "step");
        int first = Arguments.Integer(given[0], 0, "a range"), second = Arguments.Integer(given[1], 0, "a range"), step = Arguments.Integer(given[2], 1, "a range");
        (long from, long to) = given[1] == Arguments.Missing ? (0, first) : (first, second);
        if (step == 0)
            throw new TemplateException("the step of a range is 0");
        long count = Math.Max(0, step > 0 ? (to - from + step - 1) / step : (from - to - step - 1) / -(long)step);
        if (count > TemplateLimits.Range)
            throw new TemplateException("a range has more than " + Numbers.Text(TemplateLimits.Range) + " numbers");
        run.MakeList(count);
        var numbers = new object?[count];
        for (int i = 0; i < numbers.Length; i++)
            numbers[i] = (Int128)(from + (long)i * step);
        return new ListValue(numbers);
    }
}
