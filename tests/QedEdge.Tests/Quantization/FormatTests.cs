using QedEdge.Quantization;
using QedEdge.Quantization.Formats;

namespace QedEdge.Tests.Quantization;

public class FormatTests
{
    public static TheoryData<string> Formats => [.. BlockFormats.Written.Select(static format => format.ToString())];

    [Fact]
    public void Blocks_HaveTheSizesOfTheFormat()
    {
        Assert.Equal(34, BlockFormat.Q8_0.Info().RowBytes(32));
        Assert.Equal(18, BlockFormat.Q4_0.Info().RowBytes(32));
    }

    [Fact]
    public void EncodeRow_Q8_0_ByHand()
    {
        // Largest magnitude 127: d = 1, and the halves go away from zero.
        float[] row = new float[32];
        float[] start = [127, 0.5f, -0.5f, 1.5f, -2.5f, 0.49999997f, -126.5f, -0f];
        start.CopyTo(row, 0);
        byte[] plain = new byte[34];
        Assert.True(BlockFormat.Q8_0.Info().EncodeRow(row, plain));
        byte[] expected = [0x00, 0x3C, 127, 1, 0xFF, 2, 0xFD, 0, 0x81, 0];
        Assert.Equal(expected, plain[..10]);
        Assert.All(plain[10..], value => Assert.Equal(0, value));
    }

    [Fact]
    public void EncodeRow_Q4_0_ByHand()
    {
        // The first value of largest magnitude is −8: d = 1, q = trunc(x + 8.5), 8 at most 15.
        float[] row = new float[32];
        (row[3], row[16], row[19], row[4], row[5], row[31]) = (-8, 8, 0.5f, -0.5f, -0.51f, 7);
        byte[] plain = new byte[18];
        Assert.True(BlockFormat.Q4_0.Info().EncodeRow(row, plain));
        byte[] expected = [0x00, 0x3C, 0xF8, 0x88, 0x88, 0x90, 0x88, 0x87, 0x88, 0x88, 0x88, 0x88, 0x88, 0x88, 0x88, 0x88, 0x88, 0xF8];
        Assert.Equal(expected, plain);

        row[3] = 8; // now the first is positive: d = −1 and every sign turns
        BlockFormat.Q4_0.Info().EncodeRow(row, plain);
        Assert.Equal([0x00, 0xBC], plain[..2]);
        Assert.Equal(0x00, plain[2 + 3] & 0x0F);
    }

    [Fact]
    public void EncodeRow_IQ4_NL_KeepsItsLevels_AndRoundsBetterThanQ4_0()
    {
        float[] row = new float[64], decoded = new float[64];
        byte[] plain = new byte[36];
        for (int j = 0; j < 64; j++)
            row[j] = NonlinearLevels.Values[j % 16] * (j < 32 ? 0.5f : -0.25f);
        Assert.True(BlockFormat.IQ4_NL.Info().EncodeRow(row, plain));
        BlockFormat.IQ4_NL.Info().DecodeRow(plain, decoded);
        Assert.Equal(row, decoded);
        Assert.Equal([0x00, 0x38, 0x00, 0x11, 0x22], plain[..5]); // 0.5, columns 0 and 16, 1 and 17, 2 and 18

        // Normal values, as weights are; and the square of the error.
        var random = new Random(5);
        float[] weights = [.. Enumerable.Range(0, 4096).Select(_ => (float)(Math.Sqrt(-2 * Math.Log(1 - random.NextDouble())) * Math.Cos(2 * Math.PI * random.NextDouble())))];
        double Error(BlockFormat format)
        {
            byte[] bytes = new byte[format.Info().RowBytes(weights.Length)];
            float[] back = new float[weights.Length];
            format.Info().EncodeRow(weights, bytes);
            format.Info().DecodeRow(bytes, back);
            return weights.Zip(back, (a, b) => (double)(a - b) * (a - b)).Sum();
        }
        Assert.InRange(Error(BlockFormat.IQ4_NL) / Error(BlockFormat.Q4_0), 0.5, 0.9);
    }

    [Theory]
    [InlineData("Q4_0")]
    [InlineData("IQ4_NL")]
    public void Search_IsNeverWorseThanRounding_ForAnyBlock(string name)
    {
        var format = Enum.Parse<BlockFormat>(name);
        var random = new Random(11);
        double searched = 0, rounded = 0;
        for (int block = 0; block < 2000; block++)
        {
            double spread = Math.Pow(10, random.Next(0, 4)), heavy = block % 3 == 0 ? 4 : 1; // some with outliers
            float[] x = [.. Enumerable.Range(0, 32).Select(_ => (float)(spread * Math.Pow(random.NextDouble() - 0.5, heavy % 2 == 0 ? 5 : 1)))];
            double a = Error(x, QuantizationMethod.Search), b = Error(x, QuantizationMethod.Nearest);
            double norm = x.Sum(v => (double)v * v);
            Assert.InRange(a, 0, b * 1.001 + norm * 1e-5); // scales are rounded to half precision
            searched += a / norm;
            rounded += b / norm;
        }
        Assert.InRange(searched / rounded, 0.5, 0.92);

        double Error(float[] x, QuantizationMethod method)
        {
            byte[] plain = new byte[18];
            float[] back = new float[32];
            Assert.True(format.Info().EncodeRow(x, plain, method));
            format.Info().DecodeRow(plain, back);
            return x.Zip(back, (v, w) => ((double)v - w) * ((double)v - w)).Sum();
        }
    }

    [Theory]
    [InlineData("Q4_0")]
    [InlineData("IQ4_NL")]
    public void Search_OfExtremes_IsFiniteOrSaysSo(string name)
    {
        var format = Enum.Parse<BlockFormat>(name);
        foreach (float value in new[] { 0f, 1e-45f, 1e-38f, 1e-6f, 1f, 3e38f })
        {
            byte[] plain = new byte[18];
            float[] decoded = new float[32];
            Assert.Equal(value < 1e6f, format.Info().EncodeRow([.. Enumerable.Range(0, 32).Select(i => i % 3 == 0 ? value : -value / 2)], plain, QuantizationMethod.Search));
            format.Info().DecodeRow(plain, decoded);
            Assert.All(decoded, v => Assert.False(float.IsNaN(v)));
        }
    }

    [Theory]
    [InlineData(0f)]
    [InlineData(1e-45f)]
    [InlineData(1e-38f)]
    [InlineData(3e38f)]
    public void EncodeRow_IQ4_NL_OfExtremes_IsFiniteOrSaysSo(float value)
    {
        byte[] plain = new byte[18];
        bool fits = BlockFormat.IQ4_NL.Info().EncodeRow([.. Enumerable.Range(0, 32).Select(i => i % 3 == 0 ? value : -value / 2)], plain);
        Assert.Equal(value < 1e6f, fits);
        float[] decoded = new float[32];
        BlockFormat.IQ4_NL.Info().DecodeRow(plain, decoded);
        Assert.All(decoded, v => Assert.False(float.IsNaN(v)));
        if (fits)
            Assert.All(decoded, v => Assert.Equal(0f, v, 1e-3f));
    }

    [Fact]
    public void EncodeRow_ZerosKeepTheReferencesSigns()
    {
        byte[] plain = new byte[34];
        BlockFormat.Q8_0.Info().EncodeRow(new float[32], plain);
        Assert.All(plain, value => Assert.Equal(0, value));
        BlockFormat.Q4_0.Info().EncodeRow(new float[32], plain);
        Assert.Equal([0x00, 0x80, 0x88], plain[..3]); // d = 0 / −8 = −0
    }

    [Fact]
    public void EncodeRow_RandomRows_MatchTheFormula()
    {
        foreach (float[] row in Rows(500))
        {
            byte[] plain = new byte[BlockFormat.Q8_0.Info().RowBytes(row.Length)];
            BlockFormat.Q8_0.Info().EncodeRow(row, plain);
            Assert.Equal(ReferenceQ8_0(row), plain);
            plain = new byte[BlockFormat.Q4_0.Info().RowBytes(row.Length)];
            BlockFormat.Q4_0.Info().EncodeRow(row, plain);
            Assert.Equal(ReferenceQ4_0(row), plain);
        }
    }

    [Fact]
    public void DecodeRow_StaysWithinTheFormatsError()
    {
        const float half = 1f / 2047; // relative rounding of a half, and of the float32 operations
        foreach (float[] row in Rows(200))
        {
            foreach (var (format, bound) in new[] { (BlockFormat.F32, 0f), (BlockFormat.F16, half), (BlockFormat.Q8_0, (0.5f / 127) + half), (BlockFormat.Q4_0, (1f / 8) + half) })
            {
                byte[] plain = new byte[format.Info().RowBytes(row.Length)];
                float[] decoded = new float[row.Length];
                if (!format.Info().EncodeRow(row, plain))
                    continue;
                format.Info().DecodeRow(plain, decoded);
                for (int b = 0; b < row.Length; b += 32)
                {
                    var values = row[b..Math.Min(row.Length, b + 32)];
                    float largest = values.Max(MathF.Abs);
                    // A half below 2^-14 has an absolute error of 2^-25, a quant multiplies that of its scale.
                    float limit = (bound * largest) + (format == BlockFormat.F32 ? 0 : 130 * MathF.ScaleB(1, -25));
                    for (int j = 0; j < values.Length; j++)
                        Assert.InRange(decoded[b + j] - values[j], -limit, limit);
                }
            }
        }
    }

    [Fact]
    public void EncodeRow_BeyondHalf_IsReported()
    {
        byte[] plain = new byte[128];
        float[] row = new float[32];
        row[7] = 65519.996f; // the largest that rounds to a finite half
        Assert.True(BlockFormat.F16.Info().EncodeRow(row, plain));
        row[7] = 65520f;
        Assert.False(BlockFormat.F16.Info().EncodeRow(row, plain));
        row[7] = 65520f * 8;
        Assert.False(BlockFormat.Q4_0.Info().EncodeRow(row, plain));
        Assert.True(BlockFormat.Q8_0.Info().EncodeRow(row, plain));
        row[7] = 65520f * 128;
        Assert.False(BlockFormat.Q8_0.Info().EncodeRow(row, plain));
        Assert.True(BlockFormat.F32.Info().EncodeRow(row, plain));
    }

    [Fact]
    public void FloatCodec_BFloat16_RoundsToNearestEven()
    {
        float[] values = [1f, -2f, BitConverter.UInt32BitsToSingle(0x3F808000), BitConverter.UInt32BitsToSingle(0x3F818000), BitConverter.UInt32BitsToSingle(0x3F808001)];
        ushort[] bits = new ushort[values.Length];
        FloatCodec.ToBFloat16(values, bits);
        Assert.Equal([0x3F80, 0xC000, 0x3F80, 0x3F82, 0x3F81], bits);
        float[] back = new float[values.Length];
        FloatCodec.FromBFloat16(bits, back);
        Assert.Equal([1f, -2f, 1f, 1.015625f, 1.0078125f], back);
    }

    /// <summary>Seeded rows of widths 1 to 200: ordinary values, ties, zeros, subnormals, huge values.</summary>
    internal static IEnumerable<float[]> Rows(int count)
    {
        var random = new Random(4711);
        for (int i = 0; i < count; i++)
        {
            float[] row = new float[random.Next(1, 200)];
            float size = MathF.ScaleB(1, (i % 5) switch { 0 => -3, 1 => random.Next(-30, 15), 2 => random.Next(-149, -100), 3 => random.Next(100, 127), _ => 0 });
            for (int j = 0; j < row.Length; j++)
            {
                row[j] = (i % 5) switch
                {
                    4 => random.Next(-16, 17) / 2f, // ties
                    _ => (random.NextSingle() - 0.5f) * size * (random.Next(20) == 0 ? 0 : 1),
                };
            }
            yield return row;
        }
    }

    // Straightforward second versions of the published formulas, with the library's rounding instead of ours.
    private static byte[] ReferenceQ8_0(float[] row)
    {
        var bytes = new List<byte>();
        foreach (float[] part in row.Chunk(32))
        {
            float d = part.Max(MathF.Abs) / 127f;
            float id = d == 0 || float.IsInfinity(1f / d) ? 0 : 1f / d;
            bytes.AddRange(BitConverter.GetBytes((Half)d));
            for (int j = 0; j < 32; j++)
                bytes.Add((byte)(sbyte)MathF.Round((j < part.Length ? part[j] : 0) * id, MidpointRounding.AwayFromZero));
        }
        return [.. bytes];
    }

    private static byte[] ReferenceQ4_0(float[] row)
    {
        var bytes = new List<byte>();
        foreach (float[] part in row.Chunk(32))
        {
            float largest = part.Max(MathF.Abs);
            float d = part.First(x => MathF.Abs(x) == largest) / -8f;
            if (largest == 0)
                d = -0f;
            float id = d == 0 || float.IsInfinity(1f / d) ? 0 : 1f / d;
            int[] q = [.. Enumerable.Range(0, 32).Select(j => Math.Min(15, (int)MathF.Floor((j < part.Length ? part[j] * id : 0) + 8.5f)))];
            bytes.AddRange(BitConverter.GetBytes((Half)d));
            for (int j = 0; j < 16; j++)
                bytes.Add((byte)(q[j] + (16 * q[j + 16])));
        }
        return [.. bytes];
    }
}
