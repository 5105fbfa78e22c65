using System.Globalization;

namespace QedEdge.CommandLine;

/// <summary>An argument: a word of the command line that belongs to no option.</summary>
/// <param name="name">What stands for it in descriptions.</param>
public sealed class Argument(string name) : Parameter
{
    /// <inheritdoc/>
    public override string Name => name;

    /// <inheritdoc/>
    public override string[] Names => [];
}

/// <summary>An option, of a type that its class says.</summary>
/// <param name="names">Its name and further ones, with their dashes.</param>
public abstract class Option(string[] names) : Parameter
{
    /// <inheritdoc/>
    public override string Name => names[0];

    /// <inheritdoc/>
    public override string[] Names { get; } = [.. names.Order(ShortFirst)];

    /// <summary>Whether a name has two dashes.</summary>
    public static bool IsLong(string name) => name.StartsWith("--", StringComparison.Ordinal);

    /// <summary>Whether a shell takes a name as it is: not -?.</summary>
    internal static bool IsTyped(string name) => !name.Contains('?');

    private static readonly Comparer<string> ShortFirst = Comparer<string>.Create((a, b) => IsLong(a) == IsLong(b) ? string.CompareOrdinal(a, b) : IsLong(a) ? 1 : -1);
}

/// <summary>An option without a value.</summary>
/// <inheritdoc/>
public sealed class Flag(params string[] names) : Option(names)
{
    /// <inheritdoc/>
    public override bool TakesValue => false;

    /// <summary>--flag=false takes back what a bundle's defaults say.</summary>
    private protected override string? Type(string text) => text is "true" or "false" ? null : "true or false; it needs neither";
}

/// <summary>An option that takes a text.</summary>
/// <inheritdoc/>
public sealed class TextOption(params string[] names) : Option(names)
{
    /// <summary>The text where it is not given.</summary>
    public string? Default { get; init; }

    /// <inheritdoc/>
    public override string? DefaultText => Default;
}

/// <summary>An option that may be given several times, each time with a text.</summary>
/// <inheritdoc/>
public sealed class TextsOption(params string[] names) : Option(names)
{
    /// <inheritdoc/>
    public override bool IsRepeatable => true;
}

/// <summary>An option that takes a whole number.</summary>
/// <inheritdoc/>
public sealed class IntegerOption(params string[] names) : Option(names)
{
    /// <summary>The number where it is not given.</summary>
    public int? Default { get; init; }

    /// <inheritdoc/>
    public override string? DefaultText => Default?.ToString(CultureInfo.InvariantCulture);

    internal static int? Value(string text) => int.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out int value) ? value : null;

    private protected override string? Type(string text) => Value(text) is null ? "a whole number, or too large" : null;
}

/// <summary>An option that takes a whole number of 64 bits without a sign.</summary>
/// <inheritdoc/>
public sealed class SeedOption(params string[] names) : Option(names)
{
    /// <summary>The number where it is not given.</summary>
    public ulong? Default { get; init; }

    /// <inheritdoc/>
    public override string? DefaultText => Default?.ToString(CultureInfo.InvariantCulture);

    internal static ulong? Value(string text) => ulong.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out ulong value) ? value : null;

    private protected override string? Type(string text) => Value(text) is null ? $"a whole number from 0 to {ulong.MaxValue}" : null;
}

/// <summary>An option that takes a number with a point. With commas between thousands, 0,8 would be 8.</summary>
/// <inheritdoc/>
public sealed class NumberOption(params string[] names) : Option(names)
{
    internal static double? Value(string text) => double.TryParse(text, NumberStyles.AllowLeadingSign | NumberStyles.AllowDecimalPoint | NumberStyles.AllowExponent, CultureInfo.InvariantCulture, out double value) ? value : null;

    private protected override string? Type(string text) => Value(text) is null ? "a number; it is written 0.8" : null;
}
