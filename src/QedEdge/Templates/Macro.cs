namespace QedEdge.Templates;

/// <summary>A macro: sees what stands around it, and gives its output as text.</summary>
/// <param name="name">How errors call it.</param>
/// <param name="parameters">Names of its parameters.</param>
/// <param name="defaults">What stands for those not given, or null: undefined.</param>
/// <param name="body">What it does.</param>
/// <param name="outer">Where it stands.</param>
internal sealed class Macro(string name, string[] parameters, Expression?[] defaults, Body body, Scope outer) : Callable
{
    /// <summary>The name of what a call block gives.</summary>
    public const string Caller = "caller";

    public override object? Call(Rendering run, Arguments arguments)
    {
        run.Enter();
        int line = run.Line;
        if (arguments.Positional.Length > parameters.Length)
            throw new TemplateException("the macro '" + name + "' takes " + Numbers.Text(parameters.Length) + " arguments at most, not " + Numbers.Text(arguments.Positional.Length));
        var scope = new Scope(outer);
        for (int i = 0; i < arguments.Names.Length; i++)
        {
            int place = Array.IndexOf(parameters, arguments.Names[i]);
            if (place < arguments.Positional.Length && arguments.Names[i] != Caller)
                throw new TemplateException($"the macro '{name}' takes no argument '{arguments.Names[i]}', or is given it twice");
            scope.Set(arguments.Names[i], arguments.Named[i]);
        }
        run.Spend((long)parameters.Length * (1 + arguments.Names.Length));
        for (int i = 0; i < parameters.Length; i++)
        {
            if (i < arguments.Positional.Length)
                scope.Set(parameters[i], arguments.Positional[i]);
            else if (Array.IndexOf(arguments.Names, parameters[i]) < 0)
                scope.Set(parameters[i], defaults[i] is { } missing ? missing.Evaluate(run, scope) : new Undefined(parameters[i]));
        }
        TemplateText text = body.Capture(run, scope);
        run.Line = line;
        run.Leave();
        return text;
    }
}

/// <summary>What <c>loop</c> is.</summary>
/// <param name="items">What is gone through.</param>
/// <param name="index">The round, from 0.</param>
internal sealed class Loop(object?[] items, int index)
{
    /// <summary>A field.</summary>
    public object? Find(string name) => name switch
    {
        "index" => (Int128)(index + 1),
        "index0" => (Int128)index,
        "revindex" => (Int128)(items.Length - index),
        "revindex0" => (Int128)(items.Length - index - 1),
        "first" => Values.Of(index == 0),
        "last" => Values.Of(index == items.Length - 1),
        "length" => (Int128)items.Length,
        "previtem" => index > 0 ? items[index - 1] : new Undefined(name),
        "nextitem" => index < items.Length - 1 ? items[index + 1] : new Undefined(name),
        _ => new Undefined(name),
    };
}
