using System.Security.Cryptography;
using QedEdge.Quantization;
using QedEdge.Quantization.Formats;

namespace QedEdge.Tests.Quantization;

/// <summary>
/// Digests of what ggml's own <c>quantize_row_q8_0_ref</c> and <c>quantize_row_q4_0_ref</c> (x64 build in node-llama-cpp 3.22.1)
/// give for the seeded input below: ordinary values, ties, signed zeros, subnormals, huge values.
/// </summary>
public class ReferenceQuantizerTests
{
    private const int BlockCount = 8192;

    [Theory]
    [InlineData("Q8_0", "6a2c73b12ef0d2bd01ea1bc3e0ea4ea93cfa0fcc2e509374ebcfe98cdf32c92e")]
    [InlineData("Q4_0", "f63e8a8ff6bce82bdabd2dd11d1f7606cee54adc884834099c805e88e38701ea")]
    public void EncodeRow_GivesTheBytesOfGgmlsReference(string name, string sha256)
    {
        var format = Enum.Parse<BlockFormat>(name);
        float[] values = Input();
        byte[] plain = new byte[format.Info().RowBytes(values.Length)];
        format.Info().EncodeRow(values, plain);
        Assert.Equal(sha256, Convert.ToHexStringLower(SHA256.HashData(plain)));
    }

    private static float[] Input()
    {
        ulong state = 20261124;
        float[] values = new float[BlockCount * 32];
        for (int i = 0; i < values.Length; i++)
        {
            ulong z = state += 0x9E37_79B9_7F4A_7C15;
            z = (z ^ (z >> 30)) * 0xBF58_476D_1CE4_E5B9;
            z = (z ^ (z >> 27)) * 0x94D0_49BB_1331_11EB;
            z ^= z >> 31;
            uint high = (uint)(z >> 32);
            values[i] = (i / 32 % 8) switch
            {
                0 => WithExponent(100 + (high % 40)),
                1 => WithExponent(118 + (high % 9)),
                2 => WithExponent(high % 40),
                3 => WithExponent(200 + (high % 55)),
                4 => ((int)(high % 33) - 16) / 2f,
                5 => ((int)(high % 509) - 254) / 2f,
                6 => BitConverter.UInt32BitsToSingle(((uint)z & 0x8000_0000) | (high % 16 == 0 ? 0x3F80_0000u : 0)),
                _ => WithExponent(high % 255),
            };

            float WithExponent(uint exponent) => BitConverter.UInt32BitsToSingle(((uint)z & 0x807F_FFFF) | (exponent << 23));
        }
        return values;
    }
}
