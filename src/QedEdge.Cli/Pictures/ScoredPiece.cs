namespace QedEdge.Cli.Pictures;

/// <summary>A token of a text with what a model thought of it.</summary>
/// <param name="text">What the token adds to the text; nothing where it ends within a character, which the next ones complete. Special tokens need one too.</param>
/// <param name="logProbability">The natural logarithm of the token's probability, null where it was not asked for.</param>
internal sealed class ScoredPiece(string text, double? logProbability)
{
    public string Text => text;

    /// <summary>Surprise: the bits that a perfect code of the model spends on the token. Not a number where it was not scored.</summary>
    public double Bits => logProbability is { } value ? Math.Max(0, (0 - value) / Math.Log(2)) : double.NaN;
}
