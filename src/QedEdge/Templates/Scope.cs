namespace QedEdge.Templates;

/// <summary>Names and their values, within those of what stands around. A loop makes one for each round: few names stand in arrays.</summary>
/// <param name="outer">What stands around, or null.</param>
internal sealed class Scope(Scope? outer = null)
{
    private const int Few = 4;
    private readonly Scope? _outer = outer;
    private readonly string[] _names = new string[Few];
    private readonly object?[] _values = new object?[Few];
    private int _count;
    private Dictionary<string, object?>? _more;

    /// <summary>Gives a name a value, here alone.</summary>
    public void Set(string name, object? value)
    {
        int place = Array.IndexOf(_names, name, 0, _count);
        if (place >= 0)
            _values[place] = value;
        else if (_count < Few)
            (_names[_count], _values[_count++]) = (name, value);
        else
            (_more ??= new(StringComparer.Ordinal))[name] = value;
    }

    /// <summary>A name's value: of the innermost that has it, of Jinja's functions, or undefined.</summary>
    public object? Find(Rendering run, string name)
    {
        for (Scope? scope = this; scope is not null; scope = scope._outer)
        {
            run.Spend();
            int place = Array.IndexOf(scope._names, name, 0, scope._count);
            if (place >= 0)
                return scope._values[place];
            if (scope._more is { } more && more.TryGetValue(name, out object? value))
                return value;
        }
        return Functions.Exists(name) ? new Function(name) : new Undefined(name);
    }
}
