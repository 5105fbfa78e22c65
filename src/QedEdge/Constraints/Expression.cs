namespace QedEdge.Constraints;

/// <summary>What an <see cref="Expression"/> is.</summary>
internal enum ExpressionKind : byte
{
    /// <summary>Bytes, one after another.</summary>
    Bytes,
    /// <summary>One character of a set.</summary>
    Character,
    /// <summary>Expressions, one after another; none of them is the empty text.</summary>
    Sequence,
    /// <summary>One of several expressions; none of them is nothing, not even the empty text.</summary>
    Choice,
    /// <summary>An expression several times.</summary>
    Repeat,
    /// <summary>What a rule of the grammar says; rules may call themselves.</summary>
    Call,
}

/// <summary>A set of texts, before it becomes an automaton.</summary>
internal sealed class Expression
{
    private Expression(ExpressionKind kind) => Kind = kind;

    /// <summary>Without end, of <see cref="Most"/>.</summary>
    public const int Endless = int.MaxValue;

    /// <summary>What it is.</summary>
    public ExpressionKind Kind { get; }

    /// <summary>The bytes.</summary>
    public byte[] Text { get; private init; } = [];

    /// <summary>The characters that one is of.</summary>
    public ScalarSet? Characters { get; private init; }

    /// <summary>The parts of a sequence or choice; what is repeated.</summary>
    public Expression[] Parts { get; private init; } = [];

    /// <summary>How often it is repeated at least.</summary>
    public int Least { get; private init; }

    /// <summary>How often it is repeated at most.</summary>
    public int Most { get; private init; }

    /// <summary>The rule that is called.</summary>
    public int Rule { get; private init; }

    public static Expression Bytes(byte[] text) => new(ExpressionKind.Bytes) { Text = text };

    public static Expression Character(ScalarSet characters) => new(ExpressionKind.Character) { Characters = characters };

    public static Expression Sequence(params Expression[] parts) => new(ExpressionKind.Sequence) { Parts = parts };

    public static Expression Choice(params Expression[] parts) => new(ExpressionKind.Choice) { Parts = parts };

    public static Expression Repeat(Expression part, int least, int most) => new(ExpressionKind.Repeat) { Parts = [part], Least = least, Most = most };

    public static Expression Call(int rule) => new(ExpressionKind.Call) { Rule = rule };
}
