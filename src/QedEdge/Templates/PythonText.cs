using System.Globalization;

namespace QedEdge.Templates;

/// <summary>Values as Python's <c>str</c> writes them: what <c>{{ … }}</c>, <c>~</c> and <c>string</c> give. Templates print tools and arguments so.</summary>
internal static class PythonText
{
    /// <summary>A value's text.</summary>
    /// <exception cref="TemplateException">It is too long or too deep.</exception>
    public static TemplateText Of(Rendering run, object? value)
    {
        switch (value)
        {
            case TemplateText text:
                return text;
            case Undefined:
                return TemplateText.Empty;
            default:
                var builder = new TextBuilder(run);
                Append(run, builder, value, 0);
                return builder.Build();
        }
    }

    private static void Append(Rendering run, TextBuilder text, object? value, int depth)
    {
        run.Spend();
        if (depth > TemplateLimits.Depth)
            throw new TemplateException("a value of more than " + Numbers.Text(TemplateLimits.Depth) + " levels cannot be written");
        switch (value)
        {
            case null:
                text.Append("None");
                break;
            case bool truth:
                text.Append(truth ? "True" : "False");
                break;
            case Int128 or double:
                text.Append(Numbers.Text(value));
                break;
            case TemplateText quoted:
                AppendQuoted(text, quoted);
                break;
            case Undefined:
                text.Append("Undefined");
                break;
            case ListValue list:
                text.Append(list.IsTuple ? '(' : '[');
                for (int i = 0; i < list.Items.Length; i++)
                {
                    if (i > 0)
                        text.Append(", ");
                    Append(run, text, list.Items[i], depth + 1);
                }
                text.Append(!list.IsTuple ? "]" : list.Items.Length == 1 ? ",)" : ")");
                break;
            case DictValue dict:
                text.Append('{');
                for (int i = 0; i < dict.Count; i++)
                {
                    if (i > 0)
                        text.Append(", ");
                    Append(run, text, dict.KeyAt(i), depth + 1);
                    text.Append(": ");
                    Append(run, text, dict.ValueAt(i), depth + 1);
                }
                text.Append('}');
                break;
            case NamespaceValue space:
                text.Append("<Namespace ");
                Append(run, text, space.Members, depth + 1);
                text.Append('>');
                break;
            default:
                text.Append($"<{Values.KindOf(value)}>");
                break;
        }
    }

    /// <summary>A text in quotes, as Python's <c>repr</c>: single ones, unless it has those and no double ones.</summary>
    private static void AppendQuoted(TextBuilder text, TemplateText value)
    {
        string source = value.Text;
        char quote = source.Contains('\'') && !source.Contains('"') ? '"' : '\'';
        text.Append(quote);
        int done = 0;
        for (int at = 0, next; at < source.Length; at = next)
        {
            next = CodePoints.Next(source, at);
            int code = CodePoints.At(source, at);
            string? escape = code == quote || code == '\\' ? "\\" + source[at]
                : code is >= ' ' and < 0x7F ? null
                : code switch { '\n' => "\\n", '\r' => "\\r", '\t' => "\\t", _ => IsPrintable(code) ? null : Escape(code) };
            if (escape is null)
                continue;
            text.Append(value, done, at - done);
            text.Append(escape, value, at);
            done = next;
        }
        text.Append(value, done, source.Length - done);
        text.Append(quote);
    }

    private static string Escape(int code) => code < 0x100 ? "\\x" + code.ToString("x2", CultureInfo.InvariantCulture)
        : code < 0x10000 ? "\\u" + code.ToString("x4", CultureInfo.InvariantCulture)
        : "\\U" + code.ToString("x8", CultureInfo.InvariantCulture);

    private static bool IsPrintable(int code) => CharUnicodeInfo.GetUnicodeCategory(code) is not (UnicodeCategory.Control or UnicodeCategory.Format or UnicodeCategory.Surrogate
        or UnicodeCategory.PrivateUse or UnicodeCategory.OtherNotAssigned or UnicodeCategory.LineSeparator or UnicodeCategory.ParagraphSeparator or UnicodeCategory.SpaceSeparator);
}
