namespace QedEdge.Quantization.Formats;

/// <summary>
/// Rows whose values lie on the grid of <c>Q4_0</c> already: after training that took quantization into account each block is d·(q − 8) with a half d. Rounding them
/// anew would move them, for it takes d from the value of largest magnitude, which need not be −8·d.
/// </summary>
internal static class ExactNibbles
{
    private const int BlockSize = PackedLayout.BlockSize, Levels = 8;

    /// <summary>Whether a format has the grid's values: Q4_0, and Q8_0 with the same scales.</summary>
    public static bool Holds(BlockFormat format) => format is BlockFormat.Q4_0 or BlockFormat.Q8_0;

    /// <summary>Encodes a row exactly.</summary>
    /// <param name="row">Its values, a multiple of 32.</param>
    /// <param name="format">Q4_0 or Q8_0.</param>
    /// <param name="plain">Takes its blocks; of no use where a block is not on the grid.</param>
    /// <returns>Whether every block is.</returns>
    public static bool TryEncode(ReadOnlySpan<float> row, BlockFormat format, Span<byte> plain)
    {
        var info = (ScaledFormat)format.Info();
        int shift = info.Levels.IndexOf((sbyte)-Levels); // where the format's quants of the grid begin
        Span<byte> quants = stackalloc byte[BlockSize];
        for (int b = 0; b * BlockSize < row.Length; b++)
        {
            if (row.Length - b * BlockSize < BlockSize || !TryBlock(row.Slice(b * BlockSize, BlockSize), quants, out Half scale))
                return false;
            foreach (ref byte quant in quants)
                quant += (byte)shift;
            info.StoreBlock(plain, b, scale, quants);
        }
        return true;
    }

    /// <summary>The scale and quants whose products are exactly these values: the smallest magnitude is one to eight times the scale.</summary>
    private static bool TryBlock(ReadOnlySpan<float> x, Span<byte> quants, out Half scale)
    {
        scale = Half.Zero;
        float least = 0;
        foreach (float value in x)
        {
            if (value != 0 && (least == 0 || MathF.Abs(value) < least))
                least = MathF.Abs(value);
        }
        if (least == 0)
        {
            quants.Fill(Levels);
            return true;
        }
        for (int k = 1; k <= Levels; k++)
        {
            foreach (float sign in (ReadOnlySpan<float>)[1f, -1f])
            {
                scale = (Half)(sign * least / k);
                if (TryScale(x, (float)scale, quants))
                    return true;
            }
        }
        return false;
    }

    private static bool TryScale(ReadOnlySpan<float> x, float d, Span<byte> quants)
    {
        if (d == 0 || !float.IsFinite(d))
            return false;
        for (int i = 0; i < x.Length; i++)
        {
            float q = MathF.Round(x[i] / d);
            if (q is < -Levels or >= Levels || q * d != x[i])
                return false;
            quants[i] = (byte)(q + Levels);
        }
        return true;
    }
}
