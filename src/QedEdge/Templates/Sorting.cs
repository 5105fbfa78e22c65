namespace QedEdge.Templates;

/// <summary>Sorts values, equal ones in the order they have.</summary>
internal static class Sorting
{
    /// <summary>Sorts by keys.</summary>
    /// <param name="run">Counts the work.</param>
    /// <param name="values">What to sort.</param>
    /// <param name="keys">The key of each: all texts, or all numbers.</param>
    /// <param name="reverse">Whether the largest comes first.</param>
    /// <exception cref="TemplateException">The keys have no order.</exception>
    public static object?[] Sort(Rendering run, object?[] values, object?[] keys, bool reverse)
    {
        long longest = 0;
        foreach (object? key in keys)
        {
            if (key is TemplateText text ? keys[0] is not TemplateText : !Numbers.IsNumber(key) || !Numbers.IsNumber(keys[0]))
                throw new TemplateException($"{Values.KindOf(keys[0])} and {Values.KindOf(key)} cannot be sorted");
            longest = Math.Max(longest, key is TemplateText { Length: var length } ? length : 0);
        }
        run.MakeList(values.Length);
        run.Spend(values.Length * (long)(1 + Math.Log2(Math.Max(values.Length, 1))) * (1 + longest / 64));
        var order = new List<int>(values.Length);
        for (int i = 0; i < values.Length; i++)
            order.Add(i);
        order.Sort((a, b) => // it does not fail: what would is refused above
        {
            int compared = keys[a] is TemplateText left ? CodePoints.Compare(left.Text, ((TemplateText)keys[b]!).Text) : Numbers.Compare(keys[a], keys[b]);
            return compared == 0 ? a.CompareTo(b) : reverse ? -compared : compared;
        });
        var sorted = new object?[values.Length];
        for (int i = 0; i < sorted.Length; i++)
            sorted[i] = values[order[i]];
        return sorted;
    }

    /// <summary>A key that knows no case.</summary>
    public static object? WithoutCase(object? key) => key is TemplateText text ? text.With(text.Text.ToLowerInvariant()) : key;
}
