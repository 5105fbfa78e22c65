namespace QedEdge.Templates;

/// <summary>What a piece of a template is.</summary>
internal enum TokenKind
{
    /// <summary>Text between tags.</summary>
    Text,
    /// <summary><c>{{</c></summary>
    OutputBegin,
    /// <summary><c>{%</c></summary>
    StatementBegin,
    /// <summary><c>}}</c> or <c>%}</c></summary>
    TagEnd,
    /// <summary>A name.</summary>
    Name,
    /// <summary>A text in quotes.</summary>
    Quoted,
    /// <summary>A number.</summary>
    Number,
    /// <summary>An operator or a bracket.</summary>
    Operator,
    /// <summary>The end of the template.</summary>
    End,
}

/// <summary>A piece of a template.</summary>
/// <param name="kind">What it is.</param>
/// <param name="text">Its text, for <see cref="TokenKind.Quoted"/> what it means.</param>
/// <param name="line">The line where it begins, from 1.</param>
/// <param name="number">A number's value.</param>
internal sealed class Token(TokenKind kind, string text, int line, object? number = null)
{
    public TokenKind Kind => kind;
    public string Text => text;
    public int Line => line;
    public object? Number => number;
}
