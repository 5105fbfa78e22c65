using System.Text;

namespace QedEdge.Templates;

/// <summary>Methods of texts, dicts and lists.</summary>
internal static class Methods
{
    /// <summary>A value's method, or null.</summary>
    /// <exception cref="TemplateException">It would change the value.</exception>
    public static Method? Find(object value, string name) => value switch
    {
        TemplateText => OfText(name),
        DictValue => OfDict(name),
        _ => name is "append" or "clear" or "extend" or "insert" or "pop" or "remove" or "reverse" or "sort" ? throw Changes(name) : null,
    };

    private static Method? OfDict(string name) => name switch
    {
        "items" => static (run, dict, arguments) => Items(run, (DictValue)dict),
        "keys" => static (run, dict, arguments) => new ListValue(Values.Iterate(run, dict)),
        "values" => static (run, dict, arguments) =>
        {
            run.MakeList(((DictValue)dict).Count);
            return new ListValue(((DictValue)dict).Values());
        }
        ,
        "get" => static (run, dict, arguments) =>
        {
            object?[] given = arguments.Bind("get", 1, "key", "default");
            return ((DictValue)dict).TryGet(given[0], out object? value) ? value : given[1] == Arguments.Missing ? null : given[1];
        }
        ,
        "copy" => static (run, dict, arguments) => dict, // nothing can change either
        "clear" or "pop" or "popitem" or "setdefault" or "update" or "fromkeys" => throw Changes(name),
        _ => null,
    };

    private static Method? OfText(string name) => name switch
    {
        "strip" => static (run, text, arguments) => Strip(run, (TemplateText)text, arguments, start: true, end: true),
        "lstrip" => static (run, text, arguments) => Strip(run, (TemplateText)text, arguments, start: true, end: false),
        "rstrip" => static (run, text, arguments) => Strip(run, (TemplateText)text, arguments, start: false, end: true),
        "split" => static (run, text, arguments) => Split(run, (TemplateText)text, arguments),
        "startswith" => static (run, text, arguments) => Values.Of(((TemplateText)text).Text.StartsWith(Piece(run, arguments, "startswith"), StringComparison.Ordinal)),
        "endswith" => static (run, text, arguments) => Values.Of(((TemplateText)text).Text.EndsWith(Piece(run, arguments, "endswith"), StringComparison.Ordinal)),
        "upper" => static (run, text, arguments) => Upper(run, (TemplateText)text),
        "lower" => static (run, text, arguments) => Lower(run, (TemplateText)text),
        "capitalize" => static (run, text, arguments) => Capitalize(run, (TemplateText)text),
        "title" => static (run, text, arguments) => Title(run, (TemplateText)text, c => !char.IsLetter(c)),
        "replace" => static (run, text, arguments) => Replace(run, (TemplateText)text, arguments),
        "join" => static (run, text, arguments) =>
        {
            object?[] items = Values.Iterate(run, arguments.Bind("join", 1, "values")[0]);
            foreach (object? item in items)
                Arguments.Text(item, "a join");
            return Join(run, (TemplateText)text, items);
        }
        ,
        _ => null,
    };

    /// <summary>A dict's keys and values as tuples.</summary>
    public static ListValue Items(Rendering run, DictValue dict)
    {
        run.MakeList(3L * dict.Count);
        var items = new object?[dict.Count];
        for (int i = 0; i < items.Length; i++)
            items[i] = new ListValue([dict.KeyAt(i), dict.ValueAt(i)], isTuple: true);
        return new ListValue(items);
    }

    /// <summary>A text without characters at its ends: white space, or any of those given.</summary>
    public static TemplateText Strip(Rendering run, TemplateText text, Arguments arguments, bool start, bool end)
    {
        object? given = arguments.Bind("strip", 0, "chars")[0];
        string? characters = given == Arguments.Missing || given is null ? null : Arguments.Text(given, "a strip").Text;
        run.Spend(1 + text.Length / 16 + (characters?.Length ?? 0) / 16);
        int from = 0, to = text.Length;
        string source = text.Text;
        while (start && from < to && Goes(CodePoints.At(source, from)))
            from = CodePoints.Next(source, from);
        while (end && to > from)
        {
            int before = to - (to - 2 >= from && CodePoints.Next(source, to - 2) == to ? 2 : 1);
            if (!Goes(CodePoints.At(source, before)))
                break;
            to = before;
        }
        run.Spend((long)(text.Length - (to - from)) * (characters?.Length ?? 1) / 16);
        return text.Slice(from, to - from);

        bool Goes(int code) => characters is null ? code < 0x10000 && Lexer.IsSpace((char)code)
            : code < 0x10000 ? characters.Contains((char)code) : characters.Contains(char.ConvertFromUtf32(code), StringComparison.Ordinal);
    }

    private static ListValue Split(Rendering run, TemplateText text, Arguments arguments)
    {
        object?[] given = arguments.Bind("split", 0, "sep", "maxsplit");
        int most = Arguments.Integer(given[1], -1, "a split");
        string source = text.Text;
        run.Spend(1 + source.Length / 16);
        var parts = new List<object?>();
        if (given[0] == Arguments.Missing || given[0] is null)
        {
            for (int at = 0; ;)
            {
                while (at < source.Length && Lexer.IsSpace(source[at]))
                    at++;
                if (at == source.Length)
                    break;
                int end = at;
                while (end < source.Length && !Lexer.IsSpace(source[end]))
                    end++;
                if (most >= 0 && parts.Count == most)
                {
                    end = source.Length;
                    while (Lexer.IsSpace(source[end - 1]))
                        end--;
                }
                Add(at, end);
                at = end;
            }
            return new ListValue([.. parts]);
        }
        string separator = Arguments.Text(given[0], "a split").Text;
        if (separator.Length == 0)
            throw new TemplateException("a split needs a separator");
        int begin = 0;
        while (most < 0 || parts.Count < most)
        {
            int found = source.IndexOf(separator, begin, StringComparison.Ordinal);
            if (found < 0)
                break;
            Add(begin, found);
            begin = found + separator.Length;
        }
        Add(begin, source.Length);
        return new ListValue([.. parts]);

        void Add(int from, int to)
        {
            run.MakeList(1);
            run.Make(0, to - from);
            parts.Add(text.Slice(from, to - from));
        }
    }

    /// <summary>A text with other pieces in the place of some.</summary>
    public static TemplateText Replace(Rendering run, TemplateText text, Arguments arguments)
    {
        object?[] given = arguments.Bind("replace", 2, "old", "new", "count");
        TemplateText old = Arguments.Text(given[0], "a replacement"), other = Arguments.Text(given[1], "a replacement");
        long left = given[2] is null ? long.MaxValue : Arguments.Integer(given[2], -1, "a replacement") is >= 0 and var most ? most : long.MaxValue;
        run.Spend(1 + text.Length / 16);
        var builder = new TextBuilder(run);
        string source = text.Text;
        int begin = 0;
        for (; left > 0; left--)
        {
            int found = old.Length == 0 ? begin : source.IndexOf(old.Text, begin, StringComparison.Ordinal);
            if (found < 0)
                break;
            builder.Append(text, begin, found - begin).Append(other);
            begin = found + old.Length;
            if (old.Length > 0)
                continue;
            if (begin == source.Length)
                break;
            builder.Append(text, begin, CodePoints.Next(source, begin) - begin);
            begin = CodePoints.Next(source, begin);
        }
        return builder.Append(text, begin, source.Length - begin).Build();
    }

    /// <summary>Values' texts with a text between them.</summary>
    public static TemplateText Join(Rendering run, TemplateText between, object?[] items)
    {
        var builder = new TextBuilder(run);
        for (int i = 0; i < items.Length; i++)
        {
            if (i > 0)
                builder.Append(between);
            builder.Append(PythonText.Of(run, items[i]));
        }
        return builder.Build();
    }

    /// <summary>A text in capitals.</summary>
    public static TemplateText Upper(Rendering run, TemplateText text)
    {
        run.Make(0, text.Length);
        return text.With(text.Text.ToUpperInvariant());
    }

    /// <summary>A text in small letters.</summary>
    public static TemplateText Lower(Rendering run, TemplateText text)
    {
        run.Make(0, text.Length);
        return text.With(text.Text.ToLowerInvariant());
    }

    /// <summary>A text whose first character alone is a capital.</summary>
    public static TemplateText Capitalize(Rendering run, TemplateText text)
    {
        run.Make(0, text.Length);
        int first = text.Length == 0 ? 0 : CodePoints.Next(text.Text, 0);
        return text.With(text.Text[..first].ToUpperInvariant() + text.Text[first..].ToLowerInvariant());
    }

    /// <summary>A text whose words begin with capitals.</summary>
    /// <param name="run">Counts the work.</param>
    /// <param name="text">The text.</param>
    /// <param name="parts">What stands between words.</param>
    public static TemplateText Title(Rendering run, TemplateText text, Func<char, bool> parts)
    {
        run.Make(0, text.Length);
        run.Spend(text.Length);
        var title = new StringBuilder(text.Length);
        bool begins = true;
        foreach (char c in text.Text)
        {
            title.Append(begins ? char.ToUpperInvariant(c) : char.ToLowerInvariant(c));
            begins = parts(c);
        }
        return text.With(title.ToString());
    }

    private static string Piece(Rendering run, Arguments arguments, string what)
    {
        string piece = Arguments.Text(arguments.Bind(what, 1, "text")[0], what).Text;
        run.Spend(1 + piece.Length / 64);
        return piece;
    }

    private static TemplateException Changes(string name) => new($"'{name}' would change a value, which templates cannot");
}
