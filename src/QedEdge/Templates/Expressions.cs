using System.Text;

namespace QedEdge.Templates;

/// <summary>A part of a template that has a value.</summary>
internal abstract class Expression
{
    /// <summary>Its value.</summary>
    /// <exception cref="TemplateException">It has none, or takes too much.</exception>
    public object? Evaluate(Rendering run, Scope scope)
    {
        run.Enter();
        object? value = Compute(run, scope);
        run.Leave();
        return value;
    }

    protected abstract object? Compute(Rendering run, Scope scope);

    /// <summary>The values of several.</summary>
    public static object?[] All(Expression[] expressions, Rendering run, Scope scope)
    {
        var values = new object?[expressions.Length];
        for (int i = 0; i < values.Length; i++)
            values[i] = expressions[i].Evaluate(run, scope);
        return values;
    }
}

/// <summary>A text, a number, true, false or none.</summary>
internal sealed class Constant(object? value) : Expression
{
    public object? Value => value;

    protected override object? Compute(Rendering run, Scope scope) => value;
}

/// <summary>A name.</summary>
internal sealed class Variable(string name) : Expression
{
    protected override object? Compute(Rendering run, Scope scope) => scope.Find(run, name);
}

/// <summary><c>[a, b]</c> or <c>(a, b)</c></summary>
internal sealed class ListDisplay(Expression[] items, bool isTuple) : Expression
{
    protected override object? Compute(Rendering run, Scope scope)
    {
        run.MakeList(items.Length);
        return new ListValue(All(items, run, scope), isTuple);
    }
}

/// <summary><c>{a: b}</c></summary>
internal sealed class DictDisplay(Expression[] keys, Expression[] values) : Expression
{
    protected override object? Compute(Rendering run, Scope scope)
    {
        run.MakeList(2L * keys.Length);
        var dict = new DictValue();
        for (int i = 0; i < keys.Length; i++)
            dict.Set(keys[i].Evaluate(run, scope), values[i].Evaluate(run, scope));
        return dict;
    }
}

/// <summary><c>x.name</c></summary>
internal sealed class AttributeAccess(Expression target, string name) : Expression
{
    protected override object? Compute(Rendering run, Scope scope) => Members.Attribute(target.Evaluate(run, scope), name);
}

/// <summary><c>x[key]</c></summary>
internal sealed class ItemAccess(Expression target, Expression key) : Expression
{
    protected override object? Compute(Rendering run, Scope scope) => Members.Item(run, target.Evaluate(run, scope), key.Evaluate(run, scope));
}

/// <summary><c>x[from:to:by]</c></summary>
internal sealed class SliceAccess(Expression target, Expression? from, Expression? to, Expression? by) : Expression
{
    protected override object? Compute(Rendering run, Scope scope) =>
        Members.Slice(run, target.Evaluate(run, scope), from?.Evaluate(run, scope), to?.Evaluate(run, scope), by?.Evaluate(run, scope));
}

/// <summary><c>not x</c></summary>
internal sealed class Negation(Expression operand) : Expression
{
    protected override object? Compute(Rendering run, Scope scope) => Values.Of(!Values.Truth(operand.Evaluate(run, scope)));
}

/// <summary><c>-x</c> or <c>+x</c></summary>
internal sealed class Sign(Expression operand, bool minus) : Expression
{
    protected override object? Compute(Rendering run, Scope scope)
    {
        object? value = operand.Evaluate(run, scope);
        return !Numbers.IsNumber(value) ? throw TemplateException.Wrong(value, "a sign")
            : value is double number ? minus ? -number : number
            : Numbers.Compute(minus ? "-" : "+", (Int128)0, value!);
    }
}

/// <summary><c>a and b</c>, <c>a or b</c>: one of the two.</summary>
internal sealed class Choice(Expression left, Expression right, bool isOr) : Expression
{
    protected override object? Compute(Rendering run, Scope scope)
    {
        object? value = left.Evaluate(run, scope);
        return Values.Truth(value) == isOr ? value : right.Evaluate(run, scope);
    }
}

/// <summary><c>a if condition else b</c></summary>
internal sealed class Conditional(Expression condition, Expression value, Expression? otherwise) : Expression
{
    protected override object? Compute(Rendering run, Scope scope) =>
        Values.Truth(condition.Evaluate(run, scope)) ? value.Evaluate(run, scope) : otherwise is null ? new Undefined("an if without else") : otherwise.Evaluate(run, scope);
}

/// <summary><c>a &lt; b &lt;= c</c>: all must hold.</summary>
internal sealed class Comparison(Expression first, string[] operators, Expression[] operands) : Expression
{
    protected override object? Compute(Rendering run, Scope scope)
    {
        object? left = first.Evaluate(run, scope);
        for (int i = 0; i < operators.Length; i++)
        {
            object? right = operands[i].Evaluate(run, scope);
            bool holds = operators[i] switch
            {
                "==" => Values.Equal(run, left, right),
                "!=" => !Values.Equal(run, left, right),
                "in" => Values.Contains(run, right, left),
                "not in" => !Values.Contains(run, right, left),
                "<" => Values.Compare(run, left, right) < 0,
                "<=" => Values.Compare(run, left, right) <= 0,
                ">" => Values.Compare(run, left, right) > 0,
                _ => Values.Compare(run, left, right) >= 0,
            };
            if (!holds)
                return Values.False;
            left = right;
        }
        return Values.True;
    }
}

/// <summary><c>a + b</c>, <c>a ~ b</c> and the like.</summary>
internal sealed class Operation(string operation, Expression left, Expression right) : Expression
{
    protected override object? Compute(Rendering run, Scope scope)
    {
        object? a = left.Evaluate(run, scope), b = right.Evaluate(run, scope);
        if (operation == "~")
            return Joined(run, PythonText.Of(run, a), PythonText.Of(run, b));
        if (a is Undefined || b is Undefined)
            throw TemplateException.Wrong(a is Undefined ? a : b, "");
        if (Numbers.IsNumber(a) && Numbers.IsNumber(b))
            return Numbers.Compute(operation, a!, b!);
        if (operation == "+" && a is TemplateText text && b is TemplateText other)
            return Joined(run, text, other);
        if (operation == "+" && a is ListValue list && b is ListValue second && list.IsTuple == second.IsTuple)
        {
            run.MakeList((long)list.Items.Length + second.Items.Length);
            return new ListValue([.. list.Items, .. second.Items], list.IsTuple);
        }
        if (operation == "*" && a is TemplateText or ListValue && b is Int128 or bool)
            return Repeated(run, a, (int)Int128.Clamp(Numbers.Integer(b), 0, int.MaxValue));
        throw new TemplateException($"'{operation}' is not possible with {Values.KindOf(a)} and {Values.KindOf(b)}");
    }

    private static TemplateText Joined(Rendering run, TemplateText a, TemplateText b) => new TextBuilder(run).Append(a).Append(b).Build();

    private static object Repeated(Rendering run, object value, int times)
    {
        if (value is TemplateText text)
        {
            long length = (long)text.Length * times, marks = (long)text.Typed.Length * times;
            run.Make(0, length);
            run.Spend(marks);
            var typed = new List<int>();
            for (int i = 0; i < marks; i++)
            {
                int mark = text.Typed[i % text.Typed.Length] + i / text.Typed.Length * text.Length;
                if (i % 2 == 0 && typed.Count > 0 && typed[^1] == mark)
                    typed.RemoveAt(typed.Count - 1);
                else
                    typed.Add(mark);
            }
            return new TemplateText(new StringBuilder().Insert(0, text.Text, text.Length == 0 ? 0 : times).ToString(), [.. typed]);
        }
        var list = (ListValue)value;
        long count = (long)list.Items.Length * times;
        run.MakeList(count);
        var items = new object?[count];
        for (int i = 0; i < items.Length; i++)
            items[i] = list.Items[i % list.Items.Length];
        return new ListValue(items, list.IsTuple);
    }
}
