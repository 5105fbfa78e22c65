namespace QedEdge.Quantization.Formats;

/// <summary>What quants count where they are evenly spaced: integers one after another.</summary>
internal static class IntegerLevels
{
    private const int First = -32;

    private static ReadOnlySpan<sbyte> All =>
    [
        -32, -31, -30, -29, -28, -27, -26, -25, -24, -23, -22, -21, -20, -19, -18, -17, -16, -15, -14, -13, -12, -11, -10, -9, -8, -7, -6, -5, -4, -3, -2, -1,
        0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31,
    ];

    /// <summary>Of quants of so many bits, from 0 on.</summary>
    public static ReadOnlySpan<sbyte> Unsigned(int bits) => All.Slice(-First, 1 << bits);

    /// <summary>Of quants of so many bits, half of them negative: of four bits −8 to 7.</summary>
    public static ReadOnlySpan<sbyte> Signed(int bits) => All.Slice(-First - (1 << (bits - 1)), 1 << bits);
}
