using System.Runtime.CompilerServices;

namespace QedEdge.Templates;

// What a template computes with: null (none), bool, Int128, double, TemplateText, and the classes below. Nothing of the host's can be reached.

/// <summary>What does not exist.</summary>
/// <param name="name">How errors call it.</param>
internal sealed class Undefined(string name)
{
    public string Name => name;
}

/// <summary>A list or a tuple, which nothing changes.</summary>
/// <param name="items">Its elements.</param>
/// <param name="isTuple">Whether it is a tuple: written and compared in another way.</param>
internal sealed class ListValue(object?[] items, bool isTuple = false)
{
    public object?[] Items => items;
    public bool IsTuple => isTuple;
}

/// <summary>What <c>namespace()</c> makes: the only value that a template can change.</summary>
/// <param name="members">Its attributes.</param>
internal sealed class NamespaceValue(DictValue members)
{
    public DictValue Members => members;
}

/// <summary>What can be called.</summary>
internal abstract class Callable
{
    public abstract object? Call(Rendering run, Arguments arguments);
}

/// <summary>A function that every template has.</summary>
/// <param name="name">Its name.</param>
internal sealed class Function(string name) : Callable
{
    public override object? Call(Rendering run, Arguments arguments) => Functions.Call(run, name, arguments);
}

/// <summary>A method of a value.</summary>
/// <param name="name">Its name.</param>
/// <param name="target">The value.</param>
internal sealed class BoundMethod(string name, object target) : Callable
{
    public override object? Call(Rendering run, Arguments arguments) => Methods.Call(run, target, name, arguments);
}

/// <summary>What all values can be asked.</summary>
internal static class Values
{
    public static object True { get; } = true;
    public static object False { get; } = false;

    /// <summary>A truth value without a new box.</summary>
    public static object Of(bool value) => value ? True : False;

    /// <summary>How errors call the kind of a value.</summary>
    public static string KindOf(object? value) => value switch
    {
        null => "none",
        bool => "a boolean",
        Int128 => "a whole number",
        double => "a number",
        TemplateText => "text",
        ListValue { IsTuple: true } => "a tuple",
        ListValue => "a list",
        DictValue => "a dict",
        NamespaceValue => "a namespace",
        Undefined => "what is undefined",
        Loop => "a loop",
        _ => "a function",
    };

    /// <summary>Whether a condition holds.</summary>
    public static bool Truth(object? value) => value switch
    {
        null or Undefined => false,
        bool truth => truth,
        Int128 number => number != 0,
        double number => number != 0,
        TemplateText text => text.Length > 0,
        ListValue list => list.Items.Length > 0,
        DictValue dict => dict.Count > 0,
        _ => true,
    };

    /// <summary>The elements of a value, one after another: characters of a text, keys of a dict.</summary>
    /// <exception cref="TemplateException">It has none.</exception>
    public static object?[] Iterate(Rendering run, object? value)
    {
        switch (value)
        {
            case ListValue list:
                run.Spend(1 + list.Items.Length / 4);
                return list.Items;
            case DictValue dict:
                run.MakeList(dict.Count);
                return dict.Keys();
            case TemplateText text:
                run.Spend(1 + text.Length / 16);
                var characters = new object?[CodePoints.Count(text.Text)];
                run.MakeList(characters.Length);
                for (int i = 0, at = 0; i < characters.Length; i++)
                {
                    int next = CodePoints.Next(text.Text, at);
                    characters[i] = text.Slice(at, next - at);
                    at = next;
                }
                return characters;
            case Undefined:
                return [];
            default:
                throw TemplateException.Wrong(value, "a loop");
        }
    }

    /// <summary>How many elements a value has.</summary>
    /// <exception cref="TemplateException">It has none.</exception>
    public static int Length(Rendering run, object? value)
    {
        switch (value)
        {
            case Undefined:
                return 0;
            case TemplateText text:
                run.Spend(1 + text.Length / 64);
                return CodePoints.Count(text.Text);
            case ListValue list:
                return list.Items.Length;
            case DictValue dict:
                return dict.Count;
            default:
                throw TemplateException.Wrong(value, "a length");
        }
    }

    /// <summary>Whether two values are equal.</summary>
    /// <exception cref="TemplateException">Comparing them takes too much.</exception>
    public static bool Equal(Rendering run, object? a, object? b, int depth = 0)
    {
        run.Spend();
        if (depth > TemplateLimits.Depth)
            throw new TemplateException("values of more than " + Numbers.Text(TemplateLimits.Depth) + " levels cannot be compared");
        switch (a)
        {
            case null:
                return b is null;
            case Undefined:
                return b is Undefined;
            case TemplateText text:
                if (b is not TemplateText other || text.Length != other.Length)
                    return false;
                run.Spend(text.Length / 64);
                return text.Text == other.Text;
            case ListValue list:
                if (b is not ListValue second || list.IsTuple != second.IsTuple || list.Items.Length != second.Items.Length)
                    return false;
                for (int i = 0; i < list.Items.Length; i++)
                {
                    if (!Equal(run, list.Items[i], second.Items[i], depth + 1))
                        return false;
                }
                return true;
            case DictValue dict:
                if (b is not DictValue with || dict.Count != with.Count)
                    return false;
                for (int i = 0; i < dict.Count; i++)
                {
                    if (!with.TryGet(dict.KeyAt(i), out object? value) || !Equal(run, dict.ValueAt(i), value, depth + 1))
                        return false;
                }
                return true;
            default:
                return Numbers.IsNumber(a) && Numbers.IsNumber(b) ? Numbers.Compare(a, b) == 0 : RuntimeHelpers.ReferenceEquals(a, b);
        }
    }

    /// <summary>Whether a value has an element, a text a piece, a dict a key.</summary>
    /// <exception cref="TemplateException">It cannot have any.</exception>
    public static bool Contains(Rendering run, object? value, object? element)
    {
        switch (value)
        {
            case TemplateText text:
                if (element is not TemplateText piece)
                    throw TemplateException.Wrong(element, "'in' a text");
                return TextSearch.Find(run, text.Text, piece.Text, 0) >= 0;
            case DictValue dict:
                return dict.TryGet(element, out _);
            default:
                foreach (object? item in Iterate(run, value))
                {
                    if (Equal(run, item, element))
                        return true;
                }
                return false;
        }
    }

    /// <summary>The order of two values: negative, 0 or positive.</summary>
    /// <exception cref="TemplateException">They have none.</exception>
    public static int Compare(Rendering run, object? a, object? b, int depth = 0)
    {
        run.Spend();
        if (depth > TemplateLimits.Depth)
            throw new TemplateException("values of more than " + Numbers.Text(TemplateLimits.Depth) + " levels cannot be compared");
        if (Numbers.IsNumber(a) && Numbers.IsNumber(b))
            return Numbers.Compare(a, b);
        if (a is TemplateText text && b is TemplateText other)
        {
            run.Spend(Math.Min(text.Length, other.Length) / 64);
            return CodePoints.Compare(text.Text, other.Text);
        }
        if (a is ListValue list && b is ListValue second && list.IsTuple == second.IsTuple)
        {
            for (int i = 0; i < Math.Min(list.Items.Length, second.Items.Length); i++)
            {
                if (!Equal(run, list.Items[i], second.Items[i], depth + 1))
                    return Compare(run, list.Items[i], second.Items[i], depth + 1);
            }
            return list.Items.Length.CompareTo(second.Items.Length);
        }
        throw a is Undefined ? TemplateException.Wrong(a, "") : b is Undefined ? TemplateException.Wrong(b, "")
            : new TemplateException($"{KindOf(a)} and {KindOf(b)} have no order");
    }
}
