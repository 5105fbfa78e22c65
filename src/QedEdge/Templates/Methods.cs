using System.Text;

namespace QedEdge.Templates;

/// <summary>Methods of texts, dicts and lists.</summary>
internal static class Methods
{
    private static readonly string[] OfTexts = ["strip", "lstrip", "rstrip", "split", "startswith", "endswith", "upper", "lower", "capitalize", "title", "replace", "join"];
    private static readonly string[] OfDicts = ["items", "keys", "values", "get", "copy"];
    private static readonly string[] ChangeDicts = ["clear", "pop", "popitem", "setdefault", "update", "fromkeys"];
    private static readonly string[] ChangeLists = ["append", "clear", "extend", "insert", "pop", "remove", "reverse", "sort"];

    /// <summary>Whether a value has such a method.</summary>
    /// <exception cref="TemplateException">It has one that would change it.</exception>
    public static bool Exists(object value, string name)
    {
        string[] changing = value is DictValue ? ChangeDicts : value is ListValue ? ChangeLists : [];
        if (Array.IndexOf(changing, name) >= 0)
            throw new TemplateException("'" + name + "' would change a value, which templates cannot");
        return Array.IndexOf(value is TemplateText ? OfTexts : value is DictValue ? OfDicts : [], name) >= 0;
    }

    /// <summary>Calls a method.</summary>
    /// <exception cref="TemplateException">The arguments are not its own, or it takes too much.</exception>
    public static object? Call(Rendering run, object target, string name, Arguments arguments) =>
        target is TemplateText text ? OfText(run, text, name, arguments) : OfDict(run, (DictValue)target, name, arguments);

    private static object? OfDict(Rendering run, DictValue dict, string name, Arguments arguments)
    {
        switch (name)
        {
            case "items":
                return Items(run, dict);
            case "keys":
                return new ListValue(Values.Iterate(run, dict));
            case "values":
                run.MakeList(dict.Count);
                return new ListValue(dict.Values());
            case "get":
                object?[] given = arguments.Bind(name, 1, "key", "default");
                return dict.TryGet(given[0], out object? value) ? value : given[1] == Arguments.Missing ? null : given[1];
            default:
                return dict; // a copy: nothing can change either
        }
    }

    private static object? OfText(Rendering run, TemplateText text, string name, Arguments arguments)
    {
        switch (name)
        {
            case "strip" or "lstrip" or "rstrip":
                return Strip(run, text, arguments, start: name != "rstrip", end: name != "lstrip");
            case "split":
                return Split(run, text, arguments);
            case "startswith" or "endswith":
                string piece = Arguments.Text(arguments.Bind(name, 1, "text")[0], name).Text;
                run.Spend(1 + piece.Length / 64);
                return Values.Of(name == "endswith" ? text.Text.EndsWith(piece, StringComparison.Ordinal) : text.Text.StartsWith(piece, StringComparison.Ordinal));
            case "upper":
                return Upper(run, text);
            case "lower":
                return Lower(run, text);
            case "capitalize":
                return Capitalize(run, text);
            case "title":
                return Title(run, text, afterLetters: true);
            case "replace":
                return Replace(run, text, arguments);
            default:
                object?[] items = Values.Iterate(run, arguments.Bind(name, 1, "values")[0]);
                foreach (object? item in items)
                    Arguments.Text(item, "a join");
                return Join(run, text, items);
        }
    }

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
            int found = TextSearch.Find(run, source, separator, begin);
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
            int found = old.Length == 0 ? begin : TextSearch.Find(run, source, old.Text, begin);
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
    /// <param name="afterLetters">Whether a word goes on with letters alone, as the method has it; the filter parts them by spaces and brackets.</param>
    public static TemplateText Title(Rendering run, TemplateText text, bool afterLetters)
    {
        run.Make(0, text.Length);
        run.Spend(text.Length);
        var title = new StringBuilder(text.Length);
        bool begins = true;
        foreach (char c in text.Text)
        {
            title.Append(begins ? char.ToUpperInvariant(c) : char.ToLowerInvariant(c));
            begins = afterLetters ? !char.IsLetter(c) : Lexer.IsSpace(c) || c is '-' or '(' or '{' or '[' or '<';
        }
        return text.With(title.ToString());
    }
}
