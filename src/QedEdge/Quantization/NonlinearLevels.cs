namespace QedEdge.Quantization;

/// <summary>
/// The sixteen values of <c>IQ4_NL</c> (a fact of the format), denser around zero, where weights are. Of two levels equally near, quantizing takes the upper.
/// </summary>
internal static class NonlinearLevels
{
    /// <summary>The levels, ascending.</summary>
    public static ReadOnlySpan<sbyte> Values => [-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113];

    /// <summary>The index of the level nearest to a value.</summary>
    public static int Nearest(float value)
    {
        int index = 0;
        while (index < 15 && value - Values[index] >= Values[index + 1] - value)
            index++;
        return index;
    }
}
