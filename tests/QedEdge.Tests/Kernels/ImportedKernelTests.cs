using QedEdge.Kernels;
using QedEdge.Memory;
using QedEdge.Quantization;
using QedEdge.Quantization.Formats;
using QedEdge.Tests.Quantization;

namespace QedEdge.Tests.Kernels;

/// <summary>Matrices of other tools' formats: every instruction set gives the bits of the definition.</summary>
public class ImportedKernelTests
{
    private static readonly KernelSet Scalar = KernelRegistry.Select("scalar");

    public static TheoryData<string> Formats => [.. ImportedRows.Formats.Select(static row => row.Data), nameof(BlockFormat.BF16)];

    [Theory]
    [MemberData(nameof(Formats))]
    public void Gemm_RandomBlocks_MatchesScalar(string name)
    {
        var format = Enum.Parse<BlockFormat>(name);
        var random = new Random(7);
        foreach ((int rows, int blocks) in new[] { (1, 1), (8, 1), (21, 2), (40, 3) })
        {
            int cols = Math.Max(32, format.Info().ColumnStep) * blocks;
            byte[] plain = format == BlockFormat.BF16 ? Brain(random, rows * cols) : ImportedRows.Random(random, format, rows, cols);
            using var data = new AlignedBuffer<byte>(format.Info().MatrixBytes(rows, cols));
            ImportedRows.Pack(plain, format, rows, cols).CopyTo(data.Span);
            var w = new PackedMatrix(format, rows, cols, data.View);
            foreach (int tokens in new[] { 1, 2, 4, 5, 8, 9, 19 })
            {
                using var x = new Activations(tokens, cols, hasHalfOffsets: true);
                for (int t = 0; t < tokens; t++)
                {
                    for (int c = 0; c < cols; c++)
                        x.Row(t)[c] = random.Next(6) == 0 ? (random.Next(2) * 2) - 1 : (random.NextSingle() * 2) - 1; // the largest quants of either sign are frequent
                    Scalar.Quantize(x, t, cols);
                }
                int begin = w.Groups / 3, stride = w.Groups * 8 + 3;
                var expected = new float[tokens * stride];
                Scalar.Gemm(new(w, x, tokens, begin, w.Groups, expected, stride));
                foreach ((string setName, KernelSet set) in TestKernels.All)
                {
                    var actual = new float[tokens * stride];
                    set.Gemm(new(w, x, tokens, begin, w.Groups, actual, stride));
                    Assert.True(expected.AsSpan().SequenceEqual(actual), $"{setName}: {format} [{rows}, {cols}] × {tokens}");
                }
            }
        }
    }

    /// <summary>All quants as large as they can be, of either sign, times the largest activations of either sign: sums come closest to what lanes hold.</summary>
    [Theory]
    [MemberData(nameof(Formats))]
    public void Gemm_ExtremeQuants_MatchScalar(string name)
    {
        var format = Enum.Parse<BlockFormat>(name);
        if (format == BlockFormat.BF16)
            return; // floats have no sums that could overflow
        const int rows = 16, cols = 512, tokens = 13;
        FormatInfo info = format.Info();
        using var data = new AlignedBuffer<byte>(info.MatrixBytes(rows, cols));
        var w = new PackedMatrix(format, rows, cols, data.View);
        var random = new Random(14);
        foreach (int mode in new[] { 0, 1, 2 })
        {
            for (int g = 0; g < w.Groups; g++)
            {
                Span<byte> group = data.Span[(int)(g * w.GroupBytes)..(int)((g + 1) * w.GroupBytes)];
                Span<byte> quants = group[..(int)w.ScalesOffset];
                foreach (ref byte b in quants)
                    b = (mode == 2 ? random.Next(2) : mode) == 0 ? (byte)0 : (byte)0xFF;
                group[(int)w.ScalesOffset..].Fill(mode == 2 ? (byte)0xB3 : (byte)0x33); // scales and mins of some size; of a packed file that no converter wrote negative
            }
            using var x = new Activations(tokens, cols, hasHalfOffsets: true);
            for (int t = 0; t < tokens; t++)
            {
                for (int c = 0; c < cols; c++)
                    x.Row(t)[c] = (mode == 2 ? random.Next(2) : t & 1) == 0 ? 1f : -1f;
                Scalar.Quantize(x, t, cols);
            }
            var expected = new float[tokens * rows];
            Scalar.Gemm(new(w, x, tokens, 0, w.Groups, expected, rows));
            foreach ((string setName, KernelSet set) in TestKernels.All)
            {
                var actual = new float[tokens * rows];
                set.Gemm(new(w, x, tokens, 0, w.Groups, actual, rows));
                Assert.True(expected.AsSpan().SequenceEqual(actual), $"{setName}: {format} mode {mode}");
            }
        }
    }

    /// <summary>The definition itself, against the values that a row decodes to.</summary>
    [Theory]
    [MemberData(nameof(Formats))]
    public void Gemm_Scalar_IsTheSumOfDecodedProducts(string name)
    {
        var format = Enum.Parse<BlockFormat>(name);
        var random = new Random(3);
        int rows = 11, cols = 512, rowBytes = (int)format.Info().RowBytes(cols);
        byte[] plain = format == BlockFormat.BF16 ? Brain(random, rows * cols) : ImportedRows.Random(random, format, rows, cols);
        using var data = new AlignedBuffer<byte>(format.Info().MatrixBytes(rows, cols));
        ImportedRows.Pack(plain, format, rows, cols).CopyTo(data.Span);
        var w = new PackedMatrix(format, rows, cols, data.View);
        using var x = new Activations(1, cols);
        for (int c = 0; c < cols; c++)
            x.Row(0)[c] = (random.NextSingle() * 2) - 1;
        Scalar.Quantize(x, 0, cols);
        var y = new float[w.Groups * 8];
        Scalar.Gemm(new(w, x, 1, 0, w.Groups, y, y.Length));
        var row = new float[cols];
        for (int r = 0; r < rows; r++)
        {
            format.Info().DecodeRow(plain.AsSpan(r * rowBytes, rowBytes), row);
            double sum = 0, magnitude = 0;
            for (int c = 0; c < cols; c++)
            {
                double input = format.Info().HasScales ? x.Quants.Span[c] * (double)x.Scales.Span[c / 32] : x.Row(0)[c];
                sum += row[c] * input;
                magnitude += Math.Abs(row[c] * input);
            }
            Assert.Equal(sum, y[r], magnitude * 1e-5);
        }
        Assert.All(y[rows..], padding => Assert.Equal(0f, padding));
    }

    private static byte[] Brain(Random random, int count)
    {
        var bytes = new byte[2 * count];
        for (int i = 0; i < count; i++)
            BitConverter.TryWriteBytes(bytes.AsSpan(2 * i), (ushort)(BitConverter.SingleToUInt32Bits((random.NextSingle() * 2) - 1) >> 16));
        return bytes;
    }
}
