namespace QedEdge.Quantization;

/// <summary>
/// A block's scale and nibbles by search: of many scales of either sign the one with the least squared error, weighted where importances are given, refined by least squares and by moving single
/// quants to neighbouring levels. Sums are in double precision and in order, so the same block gives the same bytes on every machine.
/// </summary>
internal sealed class ScaleSearch
{
    private const int Steps = 12;            // to each side of the scale that puts the largest value on the outermost level
    private const double Step = 0.0125;
    private const int MostPasses = 8;

    private readonly LevelTable _table;
    private readonly sbyte[] _levels;

    /// <summary>For a format of nibbles.</summary>
    public ScaleSearch(LevelTable table)
    {
        _table = table;
        _levels = [.. table.Levels];
    }

    /// <summary>Encodes 32 values.</summary>
    /// <param name="x">The values.</param>
    /// <param name="importance">The weight of each value's squared error, or empty: all alike.</param>
    /// <param name="quants">Takes the nibbles, one a byte [32].</param>
    /// <returns>The scale; infinite where it is beyond half precision.</returns>
    public Half Encode(ReadOnlySpan<float> x, ReadOnlySpan<double> importance, Span<byte> quants)
    {
        double largest = 0;
        foreach (float value in x)
            largest = Math.Max(largest, Math.Abs((double)value));
        Span<byte> tried = stackalloc byte[PackedLayout.BlockSize];
        double best = -1, scale = 0;
        for (int i = -Steps; largest > 0 && i <= Steps; i++)
        {
            foreach (int sign in (ReadOnlySpan<int>)[-1, 1])
            {
                (double product, double square) = Nearest(x, importance, largest / (sign * _levels[0] * (1 + i * Step)), tried);
                if (square > 0 && product * product > best * square)
                {
                    best = product * product / square;
                    scale = product / square;
                    tried.CopyTo(quants);
                }
            }
        }
        if (best > 0)
            scale = Refine(x, importance, quants);
        Half stored = (Half)scale;
        if (Half.IsFinite(stored))
            Nearest(x, importance, (double)stored, quants); // the scale was rounded
        return stored;
    }

    /// <summary>Quants nearest to x / scale; returns Σ importance · x · level and Σ importance · level².</summary>
    private (double Product, double Square) Nearest(ReadOnlySpan<float> x, ReadOnlySpan<double> importance, double scale, Span<byte> quants)
    {
        double inverse = scale != 0 ? 1 / scale : 0, product = 0, square = 0;
        for (int j = 0; j < x.Length; j++)
        {
            byte q = quants[j] = _table.Nearest(x[j] * inverse);
            double weighted = Weight(importance, j) * _levels[q];
            product += weighted * x[j];
            square += weighted * _levels[q];
        }
        return (product, square);
    }

    /// <summary>Moves single quants by one level while that lessens the error of the best scale for all; returns that scale.</summary>
    private double Refine(ReadOnlySpan<float> x, ReadOnlySpan<double> importance, Span<byte> quants)
    {
        double product = 0, square = 0;
        for (int j = 0; j < x.Length; j++)
        {
            double weighted = Weight(importance, j) * _levels[quants[j]];
            product += weighted * x[j];
            square += weighted * _levels[quants[j]];
        }
        bool moved = true;
        for (int pass = 0; moved && pass < MostPasses; pass++)
        {
            moved = false;
            for (int j = 0; j < x.Length; j++)
            {
                foreach (int step in (ReadOnlySpan<int>)[-1, 1])
                {
                    int q = quants[j] + step;
                    if (q < 0 || q >= _levels.Length)
                        continue;
                    int from = _levels[quants[j]], to = _levels[q];
                    double weight = Weight(importance, j);
                    double newProduct = product + weight * x[j] * (to - from), newSquare = square + weight * (to * to - from * from);
                    if (newSquare <= 0 || newProduct * newProduct * square <= product * product * newSquare * (1 + 1e-9)) // not for a rounding error
                        continue;
                    (product, square, moved) = (newProduct, newSquare, true);
                    quants[j] = (byte)q;
                }
            }
        }
        return product / square;
    }

    private static double Weight(ReadOnlySpan<double> importance, int index) => importance.IsEmpty ? 1 : importance[index];
}
