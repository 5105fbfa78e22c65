namespace QedEdge.Templates;

/// <summary>The arguments of a call.</summary>
/// <param name="positional">By their places.</param>
/// <param name="spread">Which of these are lists of arguments, or null for none.</param>
/// <param name="names">Names of further ones.</param>
/// <param name="named">These.</param>
internal sealed class ArgumentList(Expression[] positional, bool[]? spread, string[] names, Expression[] named)
{
    /// <summary>Their values.</summary>
    public Arguments Evaluate(Rendering run, Scope scope)
    {
        run.Spend(positional.Length + names.Length);
        object?[] values = Expression.All(positional, run, scope);
        if (spread is not null)
        {
            var all = new List<object?>();
            for (int i = 0; i < values.Length; i++)
            {
                if (!spread[i])
                    all.Add(values[i]);
                else
                {
                    object?[] items = Values.Iterate(run, values[i]);
                    run.MakeList(items.Length);
                    all.AddRange(items);
                }
            }
            values = [.. all];
        }
        return new Arguments(values, names, Expression.All(named, run, scope));
    }
}

/// <summary><c>x | name(…)</c>: an unknown filter is an error only where it is reached.</summary>
internal sealed class FilterCall(Expression target, string name, ArgumentList arguments) : Expression
{
    protected override object? Compute(Rendering run, Scope scope)
    {
        object? value = target.Evaluate(run, scope);
        return Filters.Apply(run, name, value, arguments.Evaluate(run, scope));
    }
}

/// <summary><c>x is name …</c>: an unknown test is an error only where it is reached.</summary>
internal sealed class CheckCall(Expression target, string name, Expression[] arguments) : Expression
{
    protected override object? Compute(Rendering run, Scope scope)
    {
        object? value = target.Evaluate(run, scope);
        return Values.Of(Checks.Holds(run, name, value, All(arguments, run, scope)));
    }
}

/// <summary><c>f(…)</c></summary>
internal sealed class Call(Expression function, ArgumentList arguments) : Expression
{
    protected override object? Compute(Rendering run, Scope scope) => Do(run, scope, null);

    /// <summary>Calls.</summary>
    /// <param name="run">Counts the work.</param>
    /// <param name="scope">Where the call stands.</param>
    /// <param name="caller">What a macro finds as <c>caller</c>, or null.</param>
    public object? Do(Rendering run, Scope scope, Callable? caller)
    {
        object? value = function.Evaluate(run, scope);
        Arguments given = arguments.Evaluate(run, scope);
        if (caller is not null && value is Macro)
            given = new Arguments(given.Positional, [.. given.Names, Macro.Caller], [.. given.Named, caller]);
        return value is Callable callable ? callable.Call(run, given) : throw TemplateException.Wrong(value, "a call");
    }
}
