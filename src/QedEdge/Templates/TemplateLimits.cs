namespace QedEdge.Templates;

/// <summary>
/// What a chat template may take. Templates stand in files of strangers and can loop, recurse and double texts, so that everything is counted. The largest published one has 18,681
/// characters, a depth of 16 when parsed and 31 when run, and takes 250,000 steps for 81 messages.
/// </summary>
internal static class TemplateLimits
{
    /// <summary>UTF-16 units of a template.</summary>
    public const int Source = 1 << 20;

    /// <summary>Expressions and blocks within each other in a template, lists and dicts within each other in a value.</summary>
    public const int Depth = 100;

    /// <summary>Nodes that are evaluated within each other, macros included.</summary>
    public const int EvaluationDepth = 400;

    /// <summary>Nodes evaluated, rounds of loops, elements touched, and sixteenths of characters touched.</summary>
    public const int Steps = 5_000_000;

    /// <summary>UTF-16 units of a text.</summary>
    public const int Text = 1 << 23;

    /// <summary>UTF-16 units of all texts that are made; an element of a list counts as 8.</summary>
    public const int Made = 1 << 25;

    /// <summary>Numbers of a range.</summary>
    public const int Range = 100_000;

    /// <summary>Digits of a whole number.</summary>
    public const int Digits = 38;

    /// <summary>Spaces of an indent.</summary>
    public const int Indent = 64;

    /// <summary>Values of a conversation: its messages, their members and all within.</summary>
    public const int Values = 1 << 20;

    /// <summary>UTF-16 units of the error that a template raises itself.</summary>
    public const int Error = 400;
}
