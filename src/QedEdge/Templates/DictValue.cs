namespace QedEdge.Templates;

/// <summary>A dict in the order of its keys, which are texts, numbers, booleans or none. Nothing changes one that a template can see, but for a namespace's.</summary>
internal sealed class DictValue
{
    private const int FewKeys = 8; // without an index
    private readonly List<object?> _keys = [], _values = [];
    private Dictionary<string, int>? _index;

    /// <summary>How many keys there are.</summary>
    public int Count => _keys.Count;

    /// <summary>A key by its place.</summary>
    public object? KeyAt(int index) => _keys[index];

    /// <summary>A value by its key's place.</summary>
    public object? ValueAt(int index) => _values[index];

    /// <summary>The keys.</summary>
    public object?[] Keys() => [.. _keys];

    /// <summary>The values.</summary>
    public object?[] Values() => [.. _values];

    /// <summary>The value of a key.</summary>
    public bool TryGet(object? key, out object? value)
    {
        int index = Find(key);
        value = index >= 0 ? _values[index] : null;
        return index >= 0;
    }

    /// <summary>The value of a text key.</summary>
    public bool TryGet(string key, out object? value)
    {
        int index = FindText(key);
        value = index >= 0 ? _values[index] : null;
        return index >= 0;
    }

    /// <summary>Gives a key a value; one that is there keeps its place.</summary>
    /// <exception cref="TemplateException">The value cannot be a key.</exception>
    public void Set(object? key, object? value)
    {
        if (key is not (null or bool or Int128 or double or TemplateText))
            throw TemplateException.Wrong(key, "a dict's key");
        int index = Find(key);
        if (index >= 0)
        {
            _values[index] = value;
            return;
        }
        _keys.Add(key);
        _values.Add(value);
        if (_index is not null)
            _index[NameOf(key)] = _keys.Count - 1;
        else if (_keys.Count > FewKeys)
        {
            _index = new(StringComparer.Ordinal);
            for (int i = 0; i < _keys.Count; i++)
                _index[NameOf(_keys[i])] = i;
        }
    }

    /// <summary>Gives a name a value.</summary>
    public void Set(string key, object? value) => Set(new TemplateText(key), value);

    private int Find(object? key)
    {
        if (key is TemplateText text)
            return FindText(text.Text);
        if (key is not (null or bool or Int128 or double))
            return -1;
        if (_index is not null)
            return _index.TryGetValue(NameOf(key), out int index) ? index : -1;
        for (int i = 0; i < _keys.Count; i++)
        {
            if (_keys[i] is not TemplateText && NameOf(_keys[i]) == NameOf(key))
                return i;
        }
        return -1;
    }

    private int FindText(string key)
    {
        if (_index is not null)
            return _index.TryGetValue("t" + key, out int index) ? index : -1;
        for (int i = 0; i < _keys.Count; i++)
        {
            if (_keys[i] is TemplateText text && text.Text == key)
                return i;
        }
        return -1;
    }

    /// <summary>One name for equal keys, another for others: true is 1 is 1.0.</summary>
    private static string NameOf(object? key) => key is TemplateText text ? "t" + text.Text
        : key is null ? "n"
        : "d" + Numbers.Text(key is double number ? Numbers.IsWhole(number) ? (Int128)number : number : Numbers.Integer(key));
}
