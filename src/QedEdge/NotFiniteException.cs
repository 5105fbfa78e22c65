namespace QedEdge;

/// <summary>
/// Results are not finite numbers: somewhere in the layers a value overflowed, or a key or value is too large for the type that it is stored in. Every
/// instruction set, number of threads and cut of the prompt ends with this error for the same tokens.
/// </summary>
public sealed class NotFiniteException : ModelFormatException
{
    private readonly int[] _members;

    internal NotFiniteException(string file, string problem, int[] members) : base(ModelFault.Damaged, file, problem) => _members = members;

    /// <summary>Which members of a <see cref="SessionBatch"/> met it, in ascending order; 0 for a session of its own. The others were fed to their ends.</summary>
    public ReadOnlySpan<int> Members => _members;
}
