using QedEdge.Kernels;
using QedEdge.Memory;
using QedEdge.Quantization;
using QedEdge.Quantization.Formats;

namespace QedEdge.Tests.Kernels;

/// <summary>Numbers that are the same on every machine and in every version of .NET: integers scaled by powers of two.</summary>
internal static class Inputs
{
    /// <summary>Every kind of float: zeros of both signs, subnormal, normal and largest ones. Multiples of 8 in all.</summary>
    public static float[] Finite { get; } =
    [
        0f, -0f, float.Epsilon, -float.Epsilon, 1.17549421e-38f, -1.17549421e-38f, 1.17549435e-38f, -1.17549435e-38f,
        1e-36f, -1e-20f, 1e-7f, -6.1e-5f, 0.5f, -1f, 1.5f, -127f,
        65504f, -65520f, 1e10f, -1.8e19f, 1.7e38f, -1.7e38f, float.MaxValue, -float.MaxValue,
        3f, -2.5f, 88f, -88f, 103f, -104f, 8388608f, -16777216f,
    ];

    /// <summary>What is not finite, each once.</summary>
    public static (string Name, float Value)[] NotFinite { get; } =
    [
        ("infinity", float.PositiveInfinity), ("-infinity", float.NegativeInfinity), ("nan", float.NaN), ("positive nan", BitConverter.UInt32BitsToSingle(0x7FC0_0000)),
    ];

    /// <summary>Values below <paramref name="size"/> in magnitude, a power of two.</summary>
    public static float[] Values(uint seed, int count, float size)
    {
        var values = new float[count];
        for (int i = 0; i < count; i++)
            values[i] = ((int)Next(ref seed) >> 8) * (1f / (1 << 23)) * size;
        return values;
    }

    /// <summary>A copy with one element replaced.</summary>
    public static float[] With(float[] values, int index, float value)
    {
        float[] copy = [.. values];
        copy[index] = value;
        return copy;
    }

    /// <summary>A packed matrix of any quants; scales, and the values of the float formats, are ordinary halves, or bytes and what these are multiplied by ordinary halves.</summary>
    public static PackedMatrix Matrix(AlignedBuffer<byte> buffer, BlockFormat format, int rows, int cols, uint seed)
    {
        var matrix = new PackedMatrix(format, rows, cols, buffer.View);
        FormatInfo info = format.Info();
        for (int g = 0; g < matrix.Groups; g++)
        {
            Span<byte> group = buffer.Slice(g * matrix.GroupBytes, (int)matrix.GroupBytes);
            bool floats = format == BlockFormat.F32;
            foreach (ref byte b in group[..(int)(info.SuperBytes > 0 ? info.NumbersOffset(cols) : matrix.ScalesOffset)])
                b = (byte)(Next(ref seed) >> 16);
            if (info is ImportedFormat { Scaling: BlockScaling.ByteAndMin })
            {
                foreach (ref byte b in group[(int)matrix.ScalesOffset..(int)matrix.SupersOffset])
                    b &= 63;
            }
            Span<ushort> halves = System.Runtime.InteropServices.MemoryMarshal.Cast<byte, ushort>(group[(int)info.NumbersOffset(cols)..]);
            for (int i = 0; i < halves.Length; i++)
            {
                if (!floats)
                    halves[i] = (ushort)(Next(ref seed) >> 16 & 0x83FF | 0x2C00 | Next(ref seed) >> 20 & 0x1000);
                else if (i % 2 == 1) // the upper half of a float: its sign and exponent
                    halves[i] = (ushort)(Next(ref seed) >> 16 & 0x80FF | 0x3E00);
            }
        }
        return matrix;
    }

    /// <summary>Inputs of a matrix, quantized by the set.</summary>
    public static Activations Activations(KernelSet set, int tokens, int cols, uint seed)
    {
        var x = new Activations(tokens, cols, hasHalfOffsets: true);
        for (int t = 0; t < tokens; t++)
        {
            Values(seed + (uint)t, cols, 4f).CopyTo(x.Row(t));
            set.Quantize(x, t, cols);
        }
        return x;
    }

    private static uint Next(ref uint state) // xorshift (Marsaglia 2003), spread by a multiplication
    {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        return state * 0x9E37_79B1u;
    }
}
