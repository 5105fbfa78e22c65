using System.Globalization;
using System.Text;

namespace QedEdge.Templates;

/// <summary>The functions that every template has.</summary>
internal static class Functions
{
    /// <summary>A function, or null.</summary>
    public static Function? Find(string name) => name switch
    {
        "namespace" => new(static (run, arguments) => new NamespaceValue(Dict(run, arguments))),
        "dict" => new(Dict),
        "range" => new(Range),
        "raise_exception" => new(static (run, arguments) => throw TemplateException.Raised(PythonText.Of(run, arguments.Bind("raise_exception", 1, "message")[0]).Text)),
        "strftime_now" => new(static (run, arguments) => Time(run, Arguments.Text(arguments.Bind("strftime_now", 1, "format")[0], "a date's format"))),
        _ => null,
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
            throw new TemplateException($"a range has more than {TemplateLimits.Range} numbers");
        run.MakeList(count);
        var numbers = new object?[count];
        for (int i = 0; i < numbers.Length; i++)
            numbers[i] = (Int128)(from + (long)i * step);
        return new ListValue(numbers);
    }

    /// <summary>The time as a format says, in English; what the format does not know stays.</summary>
    private static TemplateText Time(Rendering run, TemplateText format)
    {
        string source = format.Text;
        DateTime now = run.Now;
        var text = new StringBuilder();
        for (int i = 0; i < source.Length; i++)
        {
            run.Make(text.Length, 1);
            if (source[i] != '%' || i + 1 == source.Length)
            {
                text.Append(source[i]);
                continue;
            }
            bool bare = source[i + 1] == '-' && i + 2 < source.Length; // without zeros before
            char c = source[bare ? i + 2 : i + 1];
            int hour = now.Hour % 12 == 0 ? 12 : now.Hour % 12;
            string? part = c switch
            {
                'Y' => Digits(now.Year, 4),
                'y' => Digits(now.Year % 100, 2),
                'm' => Digits(now.Month, 2),
                'd' => Digits(now.Day, 2),
                'j' => Digits(now.DayOfYear, 3),
                'H' => Digits(now.Hour, 2),
                'I' => Digits(hour, 2),
                'M' => Digits(now.Minute, 2),
                'S' => Digits(now.Second, 2),
                'p' => now.Hour < 12 ? "AM" : "PM",
                'B' => Month(now.Month),
                'b' => Month(now.Month)[..3],
                'A' => now.DayOfWeek.ToString(),
                'a' => now.DayOfWeek.ToString()[..3],
                '%' => "%",
                _ => null,
            };
            if (part is null)
            {
                text.Append('%');
                continue;
            }
            run.Make(text.Length, part.Length);
            text.Append(part);
            i += bare ? 2 : 1;

            string Digits(int number, int count) => number.ToString(bare ? "0" : new string('0', count), CultureInfo.InvariantCulture);
        }
        return new TemplateText(text.ToString());

        static string Month(int month) => CultureInfo.InvariantCulture.DateTimeFormat.GetMonthName(month);
    }
}
