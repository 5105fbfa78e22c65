namespace QedEdge.Templates;

/// <summary>A template that is wrong, asks for what there is not, takes too much, or raises an error itself.</summary>
internal sealed class TemplateException : QedException
{
    /// <summary>An error without a place, which the rendering adds.</summary>
    public TemplateException(string message) : base(message) { }

    /// <summary>An error of a line.</summary>
    public TemplateException(int line, string message) : base("line " + Numbers.Text(line) + ": " + message)
    {
        HasPlace = true;
    }

    /// <summary>Whether the message is the template's own: it called raise_exception.</summary>
    public bool IsRaised { get; private init; }

    /// <summary>Whether the message says all that is known.</summary>
    public bool HasPlace { get; private init; }

    /// <summary>What a template raises.</summary>
    public static TemplateException Raised(string message) =>
        new(message.Length > TemplateLimits.Error ? message[..TemplateLimits.Error] + "…" : message) { IsRaised = true, HasPlace = true };

    /// <summary>A value of the wrong kind.</summary>
    public static TemplateException Wrong(object? value, string what) =>
        new(value is Undefined undefined ? $"'{undefined.Name}' is undefined" : $"{what} is not possible with {Values.KindOf(value)}");
}
