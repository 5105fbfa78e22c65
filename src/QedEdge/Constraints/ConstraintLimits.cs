namespace QedEdge.Constraints;

/// <summary>How large a constraint can be (docs/limits.md).</summary>
internal static class ConstraintLimits
{
    /// <summary>Characters of a regular expression.</summary>
    public const int PatternLength = 65_536;

    /// <summary>Groups within each other in a regular expression.</summary>
    public const int GroupDepth = 100;

    /// <summary>How often a counted repetition repeats at most.</summary>
    public const int Repetitions = 100_000;

    /// <summary>States of the automaton that a constraint becomes, all repetitions written out.</summary>
    public const int States = 262_144;
}
