using System.Runtime.InteropServices;
using QedEdge.Quantization;
using QedEdge.Quantization.Formats;

namespace QedEdge.Tests.Quantization;

public class ImportedFormatTests
{
    public static TheoryData<string> Formats => ImportedRows.Formats;

    [Theory]
    [MemberData(nameof(Formats))]
    public void PackedRows_HaveTheValuesOfPlainOnes(string name)
    {
        var format = Enum.Parse<BlockFormat>(name);
        FormatInfo info = format.Info();
        var random = new Random(41);
        for (int trial = 0; trial < 40; trial++)
        {
            int rows = random.Next(1, 9), cols = info.ColumnStep * random.Next(1, 4), rowBytes = (int)info.RowBytes(cols);
            byte[] plain = ImportedRows.Random(random, format, rows, cols);
            var group = new byte[info.GroupBytes(cols)];
            random.NextBytes(group); // every byte must be written
            info.PackGroup(plain, rows, cols, group);
            float[] decoded = new float[cols], dequantized = new float[cols];
            for (int row = 0; row < 8; row++)
            {
                Array.Clear(decoded);
                if (row < rows)
                    info.DecodeRow(plain.AsSpan(row * rowBytes, rowBytes), decoded);
                info.DequantizeRow(group, row, dequantized);
                Assert.Equal(decoded, dequantized);
            }
            Assert.Equal(group, ImportedRows.Pack(plain, format, rows, cols));
        }
    }

    [Theory]
    [MemberData(nameof(Formats))]
    public void Sizes_AreThoseOfTheFile(string name)
    {
        var format = Enum.Parse<BlockFormat>(name);
        FormatInfo info = format.Info();
        Assert.Null(QedEdge.Gguf.TensorTypes.TryBytes((QedEdge.Gguf.TensorType)info.Type, [3, 512], out long bytes));
        Assert.Equal(3 * info.RowBytes(512), bytes);
        Assert.Equal(name, QedEdge.Gguf.TensorTypes.Name((QedEdge.Gguf.TensorType)info.Type));
        Assert.Equal($"packed {name}", QedEdge.Gguf.TensorTypes.Name(QedEdge.Gguf.TensorTypes.Of(format, packed: true)));
        Assert.Null(QedEdge.Gguf.TensorTypes.TryBytes(QedEdge.Gguf.TensorTypes.Of(format, packed: true), [11, 512], out bytes));
        Assert.Equal(info.MatrixBytes(11, 512), bytes);
        Assert.Contains("no multiple", QedEdge.Gguf.TensorTypes.TryBytes(QedEdge.Gguf.TensorTypes.Of(format, packed: true), [11, 512 + 31], out _));
    }

    /// <summary>A block of each K-quant by hand: every field once, in the places that the format says.</summary>
    [Fact]
    public void Q4_K_ByHand()
    {
        var block = new byte[144];
        MemoryMarshal.Write(block, (Half)0.5f);
        MemoryMarshal.Write(block.AsSpan(2), (Half)0.25f);
        block[4 + 1] = 0b10_000011; // group 1: k = 3; upper bits of group 5's
        block[4 + 5] = 0b01_000111; // group 1: n = 7; upper bits of group 5's
        block[4 + 9] = 0b1001_0101; // group 5: k = 5 + 32, n = 9 + 16
        block[16 + 4] = 0xA0; // weight 4 of group 1, the upper half
        block[16 + 64 + 31] = 0xF0; // weight 31 of group 5
        var row = new float[256];
        BlockFormat.Q4_K.Info().DecodeRow(block, row);
        Assert.Equal(0.5f * 3 * 10 - 0.25f * 7, row[32 + 4]);
        Assert.Equal(-0.25f * 7, row[32]);
        Assert.Equal(0.5f * 37 * 15 - 0.25f * 25, row[160 + 31]);
        Assert.Equal(0f, row[0]);
    }

    [Fact]
    public void Q6_K_ByHand()
    {
        var block = new byte[210];
        MemoryMarshal.Write(block.AsSpan(208), (Half)2f);
        for (int g = 0; g < 16; g++)
            block[192 + g] = (byte)(sbyte)(g - 8);
        block[64 + 32 + 5] = 0xB0; // second half of the block, run 3: weight 128 + 96 + 5
        block[128 + 32 + 5] = 0b10_000000;
        var row = new float[256];
        BlockFormat.Q6_K.Info().DecodeRow(block, row);
        Assert.Equal(2f * 6 * (11 + 32 - 32), row[229]);
        Assert.Equal(2f * -8 * -32, row[0]);
    }

    [Fact]
    public void MXFP4_WithAScaleThatIsNoHalf_IsNotFinite_UnlessAllIsZero()
    {
        var block = new byte[17];
        var row = new float[32];
        (block[0], block[1]) = (255, 0x08);
        BlockFormat.MXFP4.Info().DecodeRow(block, row);
        Assert.All(row, value => Assert.Equal(0f, value));
        block[1] = 0x10;
        BlockFormat.MXFP4.Info().DecodeRow(block, row);
        Assert.False(float.IsFinite(row[16]));
        block[0] = 127;
        BlockFormat.MXFP4.Info().DecodeRow(block, row);
        Assert.Equal(0.5f, row[16]);
    }
}
