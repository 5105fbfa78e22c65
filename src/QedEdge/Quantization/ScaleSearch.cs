namespace QedEdge.Quantization;

/// <summary>
/// A block's scale and nibbles by search: of many scales of either sign the one with the least squared error, refined by least squares and by moving single
/// quants to neighbouring levels. Sums are in double precision and in order, so the same block gives the same bytes on every machine.
/// </summary>
internal static class ScaleSearch
{
    private const int Steps = 12;            // to each side of the scale that puts the largest value on the outermost level
    private const double Step = 0.0125;
    private const int MostPasses = 8;

    /// <summary>Encodes 32 values.</summary>
    /// <param name="x">The values.</param>
    /// <param name="levels">What nibbles count, ascending.</param>
    /// <param name="quants">Takes the nibbles, one a byte [32].</param>
    /// <returns>The scale; infinite where it is beyond half precision.</returns>
    public static Half Encode(ReadOnlySpan<float> x, ReadOnlySpan<sbyte> levels, Span<byte> quants)
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
                (double product, double square) = Nearest(x, largest / (sign * levels[0] * (1 + i * Step)), levels, tried);
                if (square > 0 && product * product > best * square)
                {
                    best = product * product / square;
                    scale = product / square;
                    tried.CopyTo(quants);
                }
            }
        }
        if (best > 0)
            scale = Refine(x, levels, quants);
        Half stored = (Half)scale;
        if (Half.IsFinite(stored))
            Nearest(x, (double)stored, levels, quants); // the scale was rounded
        return stored;
    }

    /// <summary>Quants nearest to x / scale; returns Σ x · level and Σ level².</summary>
    private static (double Product, double Square) Nearest(ReadOnlySpan<float> x, double scale, ReadOnlySpan<sbyte> levels, Span<byte> quants)
    {
        double inverse = scale != 0 ? 1 / scale : 0, product = 0, square = 0;
        for (int j = 0; j < x.Length; j++)
        {
            int q = Nearest(x[j] * inverse, levels);
            quants[j] = (byte)q;
            product += (double)x[j] * levels[q];
            square += levels[q] * levels[q];
        }
        return (product, square);
    }

    private static int Nearest(double value, ReadOnlySpan<sbyte> levels)
    {
        int low = 0, high = levels.Length - 1; // the level is one of low .. high
        while (low < high)
        {
            int middle = (low + high) / 2;
            if (2 * value >= levels[middle] + levels[middle + 1])
                low = middle + 1;
            else
                high = middle;
        }
        return low;
    }

    /// <summary>Moves single quants by one level while that lessens the error of the best scale for all; returns that scale.</summary>
    private static double Refine(ReadOnlySpan<float> x, ReadOnlySpan<sbyte> levels, Span<byte> quants)
    {
        double product = 0, square = 0;
        for (int j = 0; j < x.Length; j++)
        {
            product += (double)x[j] * levels[quants[j]];
            square += levels[quants[j]] * levels[quants[j]];
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
                    if (q < 0 || q >= levels.Length)
                        continue;
                    int from = levels[quants[j]], to = levels[q];
                    double newProduct = product + (double)x[j] * (to - from), newSquare = square + to * to - from * from;
                    if (newSquare <= 0 || newProduct * newProduct * square <= product * product * newSquare * (1 + 1e-9)) // not for a rounding error
                        continue;
                    (product, square, moved) = (newProduct, newSquare, true);
                    quants[j] = (byte)q;
                }
            }
        }
        return product / square;
    }
}
