using QedEdge.Quantization.Formats;

namespace QedEdge.Quantization;

/// <summary>The values that a quant of a block format counts, times the block's scale, and the quant nearest to any number.</summary>
internal sealed class LevelTable
{
    private const int Range = 256; // of values, as halves, to each side of zero

    private readonly sbyte[] _levels;
    private readonly byte[] _nearest = new byte[2 * Range]; // the quant of each half from −128 on: levels are whole numbers, and so are twice their middles

    private LevelTable(BlockFormat format)
    {
        _levels = [.. format.Info().Levels];
        for (int i = 0, q = 0; i < _nearest.Length; i++)
        {
            while (q < _levels.Length - 1 && i - Range >= _levels[q] + _levels[q + 1])
                q++;
            _nearest[i] = (byte)q;
        }
    }

    /// <summary>Q4_0.</summary>
    public static LevelTable Linear { get; } = new(BlockFormat.Q4_0);

    /// <summary>IQ4_NL.</summary>
    public static LevelTable Nonlinear { get; } = new(BlockFormat.IQ4_NL);

    /// <summary>Q8_0; quant i counts i − 127.</summary>
    public static LevelTable Bytes { get; } = new(BlockFormat.Q8_0);

    /// <summary>What each quant counts, ascending.</summary>
    public ReadOnlySpan<sbyte> Levels => _levels;

    /// <summary>A format's levels.</summary>
    public static LevelTable Of(BlockFormat format) => format switch
    {
        BlockFormat.Q4_0 => Linear,
        BlockFormat.IQ4_NL => Nonlinear,
        BlockFormat.Q8_0 => Bytes,
        _ => throw new ArgumentOutOfRangeException(nameof(format)),
    };

    /// <summary>The quant whose level is nearest; of two equally near, the upper.</summary>
    public byte Nearest(double value) => _nearest[(int)Math.Clamp(Math.Floor(2 * value), -Range, Range - 1) + Range];
}
