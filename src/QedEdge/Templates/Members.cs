namespace QedEdge.Templates;

/// <summary>What <c>x.name</c>, <c>x[key]</c> and <c>x[a:b]</c> find.</summary>
internal static class Members
{
    /// <summary>A member by its name: a method before a key.</summary>
    /// <exception cref="TemplateException">The value is undefined, or the method would change it.</exception>
    public static object? Attribute(object? value, string name)
    {
        switch (value)
        {
            case Undefined:
                throw TemplateException.Wrong(value, "");
            case NamespaceValue space:
                return space.Members.TryGet(name, out object? attribute) ? attribute : new Undefined(name);
            case Loop loop:
                return loop.Find(name);
            case TemplateText or DictValue or ListValue:
                if (Methods.Exists(value, name))
                    return new BoundMethod(name, value);
                return value is DictValue dict && dict.TryGet(name, out object? member) ? member : new Undefined(name);
            default:
                return new Undefined(name);
        }
    }

    /// <summary>An element by its place or key.</summary>
    /// <exception cref="TemplateException">The value is undefined.</exception>
    public static object? Item(Rendering run, object? value, object? key)
    {
        switch (value)
        {
            case Undefined:
                throw TemplateException.Wrong(value, "");
            case DictValue dict when dict.TryGet(key, out object? found):
                return found;
            case ListValue list when key is Int128 or bool:
                Int128 index = Numbers.Integer(key), place = index < 0 ? index + list.Items.Length : index;
                return place >= 0 && place < list.Items.Length ? list.Items[(int)place] : new Undefined("element " + Numbers.Text(index));
            case TemplateText text when key is Int128 or bool:
                run.Spend(1 + text.Length / 64);
                int[]? starts = CodePoints.IsSimple(text.Text) ? null : CodePoints.Starts(text.Text);
                int count = starts is null ? text.Length : starts.Length - 1;
                Int128 number = Numbers.Integer(key), at = number < 0 ? number + count : number;
                if (at < 0 || at >= count)
                    return new Undefined("element " + Numbers.Text(number));
                return starts is null ? text.Slice((int)at, 1) : text.Slice(starts[(int)at], starts[(int)at + 1] - starts[(int)at]);
            default:
                return key is TemplateText name ? Attribute(value, name.Text) : new Undefined("the element");
        }
    }

    /// <summary>A part of a text or a list, as Python cuts it: never out of range.</summary>
    /// <exception cref="TemplateException">A border is no number, or the step is 0.</exception>
    public static object? Slice(Rendering run, object? value, object? from, object? to, object? by)
    {
        if (value is Undefined)
            throw TemplateException.Wrong(value, "");
        if (value is not (TemplateText or ListValue))
            return new Undefined("the slice");
        int step = Border(by, 1);
        if (step == 0)
            throw new TemplateException("the step of a slice is 0");
        TemplateText? text = value as TemplateText;
        run.Spend(1 + (text?.Length ?? 0) / 16);
        int[]? starts = text is null || CodePoints.IsSimple(text.Text) ? null : CodePoints.Starts(text.Text);
        int length = starts is not null ? starts.Length - 1 : text is not null ? text.Length : ((ListValue)value).Items.Length;
        int begin = step > 0 ? Resolve(from, 0, 0, length) : Resolve(from, length - 1, -1, length - 1);
        int end = step > 0 ? Resolve(to, length, 0, length) : Resolve(to, -1, -1, length - 1);
        long count = step > 0 ? Math.Max(0, ((long)end - begin + step - 1) / step) : Math.Max(0, ((long)begin - end - step - 1) / -(long)step);
        if (text is null)
        {
            run.MakeList(count);
            var items = new object?[count];
            for (int i = 0; i < items.Length; i++)
                items[i] = ((ListValue)value).Items[begin + i * step];
            return new ListValue(items, ((ListValue)value).IsTuple);
        }
        if (step == 1)
        {
            run.Make(0, starts is null ? (int)count : text.Length);
            return starts is null ? text.Slice(begin, (int)count) : text.Slice(starts[begin], starts[begin + (int)count] - starts[begin]);
        }
        var builder = new TextBuilder(run);
        for (long i = 0, at = begin; i < count; i++, at += step)
            builder.Append(text, starts is null ? (int)at : starts[at], starts is null ? 1 : starts[at + 1] - starts[at]);
        return builder.Build();

        int Resolve(object? border, int missing, int low, int high)
        {
            int at = Border(border, missing);
            return Math.Clamp(at < 0 && border is not null ? at + length : at, low, high);
        }

        static int Border(object? border, int missing) => border is null ? missing : Arguments.Integer(border, missing, "a slice");
    }
}
