namespace QedEdge.Templates;

/// <summary>How it goes on behind a statement.</summary>
internal enum Flow
{
    /// <summary>With the next one.</summary>
    Next,
    /// <summary>Behind the loop.</summary>
    Break,
    /// <summary>With the loop's next round.</summary>
    Continue,
}

/// <summary>A part of a template that writes, or does something.</summary>
internal abstract class Statement
{
    /// <summary>The line where it stands, from 1.</summary>
    public int Line { get; init; }

    public abstract Flow Execute(Rendering run, Scope scope, TextBuilder output);
}

/// <summary>Statements, one after another.</summary>
internal sealed class Body(Statement[] statements) : Statement
{
    public override Flow Execute(Rendering run, Scope scope, TextBuilder output)
    {
        run.Enter();
        Flow flow = Flow.Next;
        for (int i = 0; i < statements.Length && flow == Flow.Next; i++)
        {
            run.Spend();
            run.Line = statements[i].Line;
            flow = statements[i].Execute(run, scope, output);
        }
        run.Leave();
        return flow;
    }

    /// <summary>What they write.</summary>
    public TemplateText Capture(Rendering run, Scope scope)
    {
        var output = new TextBuilder(run);
        Execute(run, scope, output);
        return output.Build();
    }
}

/// <summary>Text between tags.</summary>
internal sealed class Literal(string text) : Statement
{
    public override Flow Execute(Rendering run, Scope scope, TextBuilder output)
    {
        output.Append(text);
        return Flow.Next;
    }
}

/// <summary><c>{{ … }}</c></summary>
internal sealed class Output(Expression value) : Statement
{
    public override Flow Execute(Rendering run, Scope scope, TextBuilder output)
    {
        output.Append(PythonText.Of(run, value.Evaluate(run, scope)));
        return Flow.Next;
    }
}

/// <summary><c>{% if … %}</c></summary>
internal sealed class If(Expression[] conditions, Body[] bodies, Body? otherwise) : Statement
{
    public override Flow Execute(Rendering run, Scope scope, TextBuilder output)
    {
        for (int i = 0; i < conditions.Length; i++)
        {
            if (Values.Truth(conditions[i].Evaluate(run, scope)))
                return bodies[i].Execute(run, scope, output);
        }
        return otherwise?.Execute(run, scope, output) ?? Flow.Next;
    }
}

/// <summary><c>{% for … %}</c></summary>
internal sealed class For(Target target, Expression value, Expression? condition, Body body, Body? otherwise) : Statement
{
    public override Flow Execute(Rendering run, Scope scope, TextBuilder output)
    {
        object?[] items = Values.Iterate(run, value.Evaluate(run, scope));
        if (condition is not null)
            items = Filtered(run, scope, items);
        if (items.Length == 0)
            return otherwise?.Execute(run, new Scope(scope), output) ?? Flow.Next;
        for (int i = 0; i < items.Length; i++)
        {
            run.Spend();
            run.Line = Line;
            var inner = new Scope(scope);
            inner.Set("loop", new Loop(items, i));
            target.Assign(run, inner, items[i]);
            if (body.Execute(run, inner, output) == Flow.Break)
                break;
        }
        return Flow.Next;
    }

    private object?[] Filtered(Rendering run, Scope scope, object?[] items)
    {
        var left = new List<object?>();
        foreach (object? item in items)
        {
            run.MakeList(1);
            var inner = new Scope(scope);
            target.Assign(run, inner, item);
            if (Values.Truth(condition!.Evaluate(run, inner)))
                left.Add(item);
        }
        return [.. left];
    }
}

/// <summary><c>{% set … = … %}</c></summary>
internal sealed class Set(Target target, Expression value) : Statement
{
    public override Flow Execute(Rendering run, Scope scope, TextBuilder output)
    {
        target.Assign(run, scope, value.Evaluate(run, scope));
        return Flow.Next;
    }
}

/// <summary><c>{% macro … %}</c></summary>
internal sealed class MacroDefinition(string name, string[] parameters, Expression?[] defaults, Body body) : Statement
{
    public override Flow Execute(Rendering run, Scope scope, TextBuilder output)
    {
        scope.Set(name, Bind(scope));
        return Flow.Next;
    }

    /// <summary>The macro as it stands somewhere.</summary>
    public Macro Bind(Scope scope) => new(name, parameters, defaults, body, scope);
}

/// <summary><c>{% call … %}</c></summary>
internal sealed class CallBlock(MacroDefinition caller, Call call) : Statement
{
    public override Flow Execute(Rendering run, Scope scope, TextBuilder output)
    {
        output.Append(PythonText.Of(run, call.Do(run, scope, caller.Bind(scope))));
        return Flow.Next;
    }
}

/// <summary><c>{% generation %}</c>: marks what an assistant said, which matters for training alone.</summary>
internal sealed class Generation(Body body) : Statement
{
    public override Flow Execute(Rendering run, Scope scope, TextBuilder output) => body.Execute(run, new Scope(scope), output);
}

/// <summary><c>{% break %}</c>, <c>{% continue %}</c></summary>
internal sealed class Jump(Flow flow) : Statement
{
    public override Flow Execute(Rendering run, Scope scope, TextBuilder output) => flow;
}

/// <summary>What a body writes, as a value.</summary>
internal sealed class CapturedBody(Body body) : Expression
{
    protected override object? Compute(Rendering run, Scope scope) => body.Capture(run, new Scope(scope));
}

/// <summary>What values are given to.</summary>
/// <param name="names">One name, or several that a list's elements go to.</param>
/// <param name="attribute">An attribute of the namespace with that name, or null.</param>
internal sealed class Target(string[] names, string? attribute)
{
    /// <summary>Gives a value.</summary>
    /// <exception cref="TemplateException">There is no such namespace, or the value has another number of elements.</exception>
    public void Assign(Rendering run, Scope scope, object? value)
    {
        if (attribute is not null)
        {
            if (scope.Find(run, names[0]) is not NamespaceValue space)
                throw new TemplateException($"'{names[0]}' is no namespace, and nothing else can be changed");
            space.Members.Set(attribute, value);
        }
        else if (names.Length == 1)
            scope.Set(names[0], value);
        else
        {
            object?[] items = Values.Iterate(run, value);
            if (items.Length != names.Length)
                throw new TemplateException(Numbers.Text(items.Length) + " values cannot be given to " + Numbers.Text(names.Length) + " names");
            for (int i = 0; i < names.Length; i++)
                scope.Set(names[i], items[i]);
        }
    }
}
