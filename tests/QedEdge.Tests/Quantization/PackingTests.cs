using System.Runtime.InteropServices;
using QedEdge.Quantization;
using QedEdge.Quantization.Formats;

namespace QedEdge.Tests.Quantization;

public class PackingTests
{
    [Theory]
    [MemberData(nameof(FormatTests.Formats), MemberType = typeof(FormatTests))]
    public void PackGroup_AndBack_GivesTheSameRowsAndValues(string name)
    {
        var format = Enum.Parse<BlockFormat>(name);
        var random = new Random(99);
        for (int trial = 0; trial < 100; trial++)
        {
            int rows = random.Next(1, 9), cols = random.Next(1, 150);
            float[] values = RandomValues(random, rows * cols);
            int rowBytes = (int)format.Info().RowBytes(cols);
            byte[] plain = new byte[rows * rowBytes];
            for (int row = 0; row < rows; row++)
                format.Info().EncodeRow(values.AsSpan(row * cols, cols), plain.AsSpan(row * rowBytes));

            byte[] group = new byte[format.Info().GroupBytes(cols)];
            random.NextBytes(group); // every byte must be written
            format.Info().PackGroup(plain, rows, cols, group);
            byte[] back = new byte[plain.Length];
            format.Info().UnpackGroup(group, rows, cols, back);
            Assert.Equal(plain, back);

            float[] decoded = new float[cols], dequantized = new float[cols];
            for (int row = 0; row < rows; row++)
            {
                format.Info().DecodeRow(plain.AsSpan(row * rowBytes), decoded);
                format.Info().DequantizeRow(group, row, dequantized);
                Assert.Equal(MemoryMarshal.AsBytes<float>(decoded), MemoryMarshal.AsBytes<float>(dequantized));
            }
        }
    }

    [Theory]
    [MemberData(nameof(FormatTests.Formats), MemberType = typeof(FormatTests))]
    public void PackGroup_PaddingIsZero(string name)
    {
        var format = Enum.Parse<BlockFormat>(name);
        var random = new Random(7);
        const int rows = 3, cols = 45;
        int rowBytes = (int)format.Info().RowBytes(cols);
        byte[] plain = new byte[rows * rowBytes];
        for (int row = 0; row < rows; row++)
            format.Info().EncodeRow(RandomValues(random, cols), plain.AsSpan(row * rowBytes));
        byte[] group = new byte[format.Info().GroupBytes(cols)];
        random.NextBytes(group);
        format.Info().PackGroup(plain, rows, cols, group);

        // The same group read as one of 64 whole columns: the padding must decode to zeros.
        float[] values = new float[64];
        for (int row = 0; row < 8; row++)
        {
            format.Info().DequantizeRow(group, row, values);
            if (format == BlockFormat.IQ4_NL && row < rows)
                continue; // it has no zero: there the activations are
            Assert.All(values[(row < rows ? cols : 0)..], value => Assert.Equal(0f, value));
        }
        if (format.Info().HasScales)
            Assert.All(group[(int)(format.Info().ScalesOffset(cols) + (2 * 16))..], value => Assert.Equal(0, value));
    }

    [Fact]
    public void PackGroup_Q8_0_LiesAsTheLayoutSays()
    {
        // Row r, column c holds a quant that names both; two blocks.
        byte[] plain = new byte[8 * 2 * 34];
        for (int row = 0; row < 8; row++)
        {
            for (int b = 0; b < 2; b++)
            {
                int at = ((row * 2) + b) * 34;
                plain[at] = (byte)((b * 8) + row);
                for (int j = 0; j < 32; j++)
                    plain[at + 2 + j] = (byte)((row * 32) + j + b);
            }
        }
        byte[] group = new byte[BlockFormat.Q8_0.Info().GroupBytes(64)];
        BlockFormat.Q8_0.Info().PackGroup(plain, 8, 64, group);
        Assert.Equal(576, group.Length);
        for (int b = 0; b < 2; b++)
        {
            for (int vector = 0; vector < 8; vector++)
            {
                for (int row = 0; row < 8; row++)
                {
                    for (int k = 0; k < 4; k++)
                        Assert.Equal((byte)((row * 32) + (4 * vector) + k + b), group[(b * 256) + (vector * 32) + (row * 4) + k]);
                    Assert.Equal((b * 8) + row, group[512 + (((b * 8) + row) * 2)]);
                }
            }
        }
    }

    [Fact]
    public void PackGroup_Q4_0_LiesAsTheLayoutSays()
    {
        var random = new Random(1);
        int[,] q = new int[8, 32];
        byte[] plain = new byte[8 * 18];
        for (int row = 0; row < 8; row++)
        {
            for (int j = 0; j < 32; j++)
                q[row, j] = random.Next(16);
            for (int j = 0; j < 16; j++)
                plain[(row * 18) + 2 + j] = (byte)(q[row, j] | (q[row, j + 16] << 4));
        }
        byte[] group = new byte[BlockFormat.Q4_0.Info().GroupBytes(32)];
        BlockFormat.Q4_0.Info().PackGroup(plain, 8, 32, group);
        for (int vector = 0; vector < 8; vector++)
        {
            for (int row = 0; row < 8; row++)
            {
                for (int k = 0; k < 4; k++)
                {
                    int both = group[((vector % 4) * 32) + (row * 4) + k];
                    Assert.Equal(q[row, (4 * vector) + k], vector < 4 ? both & 15 : both >> 4);
                }
            }
        }
    }

    [Fact]
    public void PackGroup_ShortSpans_Throw()
    {
        Assert.Throws<ArgumentException>(() => BlockFormat.Q8_0.Info().PackGroup(new byte[33], 1, 32, new byte[4096]));
        Assert.Throws<ArgumentOutOfRangeException>(() => BlockFormat.Q8_0.Info().PackGroup(new byte[34], 1, 32, new byte[319]));
        Assert.Throws<ArgumentOutOfRangeException>(() => BlockFormat.Q8_0.Info().PackGroup(new byte[3400], 9, 32, new byte[4096]));
        Assert.Throws<ArgumentOutOfRangeException>(() => BlockFormat.Q8_0.Info().DequantizeRow(new byte[320], 8, new float[32]));
    }

    private static float[] RandomValues(Random random, int count)
    {
        float[] values = new float[count];
        for (int i = 0; i < count; i++)
            values[i] = (random.NextSingle() - 0.5f) * MathF.ScaleB(1, random.Next(-4, 4));
        return values;
    }
}
