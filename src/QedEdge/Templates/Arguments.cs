namespace QedEdge.Templates;

/// <summary>What a call gives.</summary>
/// <param name="positional">Values by their places.</param>
/// <param name="names">Names of further ones.</param>
/// <param name="named">The values of these.</param>
internal sealed class Arguments(object?[] positional, string[] names, object?[] named)
{
    /// <summary>Stands for an argument that was not given.</summary>
    public static object Missing { get; } = new();

    /// <summary>No arguments.</summary>
    public static Arguments None { get; } = new([], [], []);

    public object?[] Positional => positional;
    public string[] Names => names;
    public object?[] Named => named;

    /// <summary>The values in the order of a function's parameters, <see cref="Missing"/> for those not given.</summary>
    /// <param name="function">How errors call it.</param>
    /// <param name="required">How many parameters must be given.</param>
    /// <param name="parameters">Their names.</param>
    /// <exception cref="TemplateException">The function has no such parameters, or needs more.</exception>
    public object?[] Bind(string function, int required, params string[] parameters)
    {
        if (positional.Length > parameters.Length)
            throw new TemplateException("'" + function + "' takes " + Numbers.Text(parameters.Length) + " arguments at most, not " + Numbers.Text(positional.Length));
        var values = new object?[parameters.Length];
        Array.Fill(values, Missing);
        positional.CopyTo(values, 0);
        for (int i = 0; i < names.Length; i++)
        {
            int place = Array.IndexOf(parameters, names[i]);
            if (place < 0)
                throw new TemplateException($"{function} takes no argument '{names[i]}'");
            if (values[place] != Missing)
                throw new TemplateException($"{function} is given '{names[i]}' twice");
            values[place] = named[i];
        }
        if (Array.IndexOf(values, Missing) is >= 0 and var missing && missing < required)
            throw new TemplateException($"{function} needs '{parameters[missing]}'");
        return values;
    }

    /// <summary>Those behind the first ones.</summary>
    public Arguments Behind(int count) => new(positional[Math.Min(count, positional.Length)..], names, named);

    /// <summary>A flag's value.</summary>
    public static bool Flag(object? value, bool missing = false) => value == Missing ? missing : Values.Truth(value);

    /// <summary>A whole number's value, as far as 32 bits go: what is beyond is as good as the end.</summary>
    /// <exception cref="TemplateException">It is none.</exception>
    public static int Integer(object? value, int missing, string what) => value == Missing ? missing
        : value is Int128 or bool ? (int)Int128.Clamp(Numbers.Integer(value), int.MinValue, int.MaxValue)
        : throw TemplateException.Wrong(value, what);

    /// <summary>A text.</summary>
    /// <exception cref="TemplateException">It is none.</exception>
    public static TemplateText Text(object? value, string what) => value as TemplateText ?? throw TemplateException.Wrong(value, what);
}
