namespace QedEdge.CommandLine.Documentation;

/// <summary>How a part of a line is set: as it is typed, as something that stands for another, or neither.</summary>
internal enum PartStyle
{
    Plain,
    Literal,
    Placeholder,
}

/// <summary>A part of a line that shows what to type. No structure: lists of those take kilobytes of code.</summary>
internal sealed class LinePart(string text, PartStyle style)
{
    public string Text { get; } = text;

    public PartStyle Style { get; } = style;
}

/// <summary>Lines that show what to type.</summary>
internal static class Synopsis
{
    /// <summary>How a command is called: its path, its arguments, what it cannot do without, and whether there are options.</summary>
    public static List<LinePart> Of(Command command)
    {
        var line = new List<LinePart> { new(command.Path, PartStyle.Literal) };
        if (command.Action is null)
            line.Add(new(" COMMAND", PartStyle.Placeholder));
        foreach (Argument argument in command.Arguments)
        {
            line.Add(new(argument.IsRequired ? " " : " [", PartStyle.Plain));
            line.Add(new(argument.ValueLabel, PartStyle.Placeholder));
            line.Add(new(argument.IsRequired ? "" : "]", PartStyle.Plain));
        }
        foreach (Option option in command.Options.Where(option => option.IsRequired))
        {
            line.Add(new(" ", PartStyle.Plain));
            AddHead(line, option, 1);
        }
        if (command.Action is null || command.Options.Any(option => !option.IsRequired))
        {
            line.Add(new(" [", PartStyle.Plain));
            line.Add(new("options", PartStyle.Placeholder));
            line.Add(new("]", PartStyle.Plain));
        }
        return line;
    }

    /// <summary>What stands before a description: an argument's placeholder, or an option's names and what follows them.</summary>
    public static List<LinePart> Head(Parameter parameter)
    {
        var line = new List<LinePart>();
        AddHead(line, parameter, parameter.Names.Length);
        return line;
    }

    /// <summary>A line without its styles.</summary>
    public static string Plain(List<LinePart> parts) => string.Concat(parts.Select(part => part.Text));

    private static void AddHead(List<LinePart> line, Parameter parameter, int names)
    {
        for (int i = 0; i < names; i++)
        {
            if (i > 0)
                line.Add(new(", ", PartStyle.Plain));
            line.Add(new(parameter.Names[i], PartStyle.Literal));
        }
        if (names > 0 && parameter.TakesValue)
            line.Add(new(" ", PartStyle.Plain));
        if (parameter.TakesValue)
            line.Add(new(parameter.ValueLabel, PartStyle.Placeholder));
    }
}
