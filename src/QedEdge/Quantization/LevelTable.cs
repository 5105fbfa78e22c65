namespace QedEdge.Quantization;

/// <summary>The values that a quant of a block format counts, times the block's scale, and the quant nearest to any number.</summary>
internal sealed class LevelTable
{
    private const int Range = 256; // of values, as halves, to each side of zero

    private readonly sbyte[] _levels;
    private readonly byte[] _nearest = new byte[2 * Range]; // index: 2 · value + 256. Levels are integers, so decision thresholds are multiples of ½ and this table is exact

    /// <summary>For the levels of a format, ascending whole numbers from −128 to 127.</summary>
    public LevelTable(ReadOnlySpan<sbyte> levels)
    {
        _levels = [.. levels];
        for (int i = 0, q = 0; i < _nearest.Length; i++)
        {
            while (q < _levels.Length - 1 && i - Range >= _levels[q] + _levels[q + 1])
                q++;
            _nearest[i] = (byte)q;
        }
    }

    /// <summary>What each quant counts, ascending.</summary>
    public ReadOnlySpan<sbyte> Levels => _levels;

    /// <summary>The quant whose level is nearest; of two equally near, the upper.</summary>
    public byte Nearest(double value) => _nearest[(int)Math.Clamp(Math.Floor(2 * value), -Range, Range - 1) + Range];
}
