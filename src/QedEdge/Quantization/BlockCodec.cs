using System.Buffers.Binary;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace QedEdge.Quantization;

/// <summary>32 int8 quants and their scale, as the standard type Q8_0 stores them: w = Scale · q.</summary>
[StructLayout(LayoutKind.Sequential, Pack = 1)]
internal struct BlockQ8_0
{
    /// <summary>The scale.</summary>
    public Half Scale;

    /// <summary>Quants, column after column.</summary>
    public Quants32 Quants;

    /// <summary>32 signed bytes.</summary>
    [InlineArray(PackedLayout.BlockSize)]
    public struct Quants32
    {
        private sbyte _q;
    }
}

/// <summary>32 int4 quants and their scale, as the standard type Q4_0 stores them: w = Scale · (q − 8).</summary>
[StructLayout(LayoutKind.Sequential, Pack = 1)]
internal struct BlockQ4_0
{
    /// <summary>The scale.</summary>
    public Half Scale;

    /// <summary>Byte j: column j in the low nibble, column j + 16 in the high one.</summary>
    public Nibbles16 Nibbles;

    /// <summary>16 bytes.</summary>
    [InlineArray(PackedLayout.BlockSize / 2)]
    public struct Nibbles16
    {
        private byte _pair;
    }
}

/// <summary>
/// Float values to the standard block types and back. Encoding follows ggml's reference quantizers to the bit: one rounded IEEE
/// operation after another, nothing contracted, no C library, so every machine writes the same bytes.
/// </summary>
internal static class BlockCodec
{
    private const int BlockSize = PackedLayout.BlockSize;

    /// <summary>Bytes of a row of <paramref name="cols"/> values in the plain layout; quantized rows are whole blocks.</summary>
    public static long RowBytes(BlockFormat format, int cols) => format switch
    {
        BlockFormat.F32 => 4L * cols,
        BlockFormat.F16 => 2L * cols,
        BlockFormat.Q8_0 => (long)PackedLayout.Blocks(cols) * Unsafe.SizeOf<BlockQ8_0>(),
        BlockFormat.Q4_0 => (long)PackedLayout.Blocks(cols) * Unsafe.SizeOf<BlockQ4_0>(),
        _ => throw new ArgumentOutOfRangeException(nameof(format)),
    };

    /// <summary>One row of floats in the plain layout. The last block of a row that is no multiple of 32 is filled with zeros.</summary>
    /// <param name="format">The format to write.</param>
    /// <param name="row">Values [cols].</param>
    /// <param name="bytes">Exactly <see cref="RowBytes"/>.</param>
    public static void EncodeRow(BlockFormat format, ReadOnlySpan<float> row, Span<byte> bytes)
    {
        switch (format)
        {
            case BlockFormat.F32:
                MemoryMarshal.AsBytes(row).CopyTo(bytes);
                return;
            case BlockFormat.F16:
                for (int i = 0; i < row.Length; i++)
                    BinaryPrimitives.WriteHalfLittleEndian(bytes[(2 * i)..], (Half)row[i]);
                return;
        }
        Span<float> block = stackalloc float[BlockSize];
        for (int b = 0; b < PackedLayout.Blocks(row.Length); b++)
        {
            ReadOnlySpan<float> rest = row[(b * BlockSize)..];
            block.Clear();
            rest[..Math.Min(BlockSize, rest.Length)].CopyTo(block);
            if (format == BlockFormat.Q8_0)
                Encode(block, out MemoryMarshal.Cast<byte, BlockQ8_0>(bytes)[b]);
            else
                Encode(block, out MemoryMarshal.Cast<byte, BlockQ4_0>(bytes)[b]);
        }
    }

    /// <summary>One row of the plain layout as floats [cols].</summary>
    public static void DecodeRow(BlockFormat format, ReadOnlySpan<byte> bytes, Span<float> row)
    {
        switch (format)
        {
            case BlockFormat.F32:
                bytes[..(4 * row.Length)].CopyTo(MemoryMarshal.AsBytes(row));
                return;
            case BlockFormat.F16:
                for (int i = 0; i < row.Length; i++)
                    row[i] = (float)BinaryPrimitives.ReadHalfLittleEndian(bytes[(2 * i)..]);
                return;
            case BlockFormat.Q8_0:
                ReadOnlySpan<BlockQ8_0> q8 = MemoryMarshal.Cast<byte, BlockQ8_0>(bytes);
                for (int i = 0; i < row.Length; i++)
                    row[i] = (float)q8[i / BlockSize].Scale * q8[i / BlockSize].Quants[i % BlockSize];
                return;
            default:
                ReadOnlySpan<BlockQ4_0> q4 = MemoryMarshal.Cast<byte, BlockQ4_0>(bytes);
                for (int i = 0; i < row.Length; i++)
                {
                    int pair = q4[i / BlockSize].Nibbles[i % 16];
                    int q = i % BlockSize < 16 ? pair & 15 : pair >> 4;
                    row[i] = (float)q4[i / BlockSize].Scale * (q - 8);
                }
                return;
        }
    }

    /// <summary>d = max|x| / 127, q = x / d rounded half away from zero.</summary>
    private static void Encode(ReadOnlySpan<float> x, out BlockQ8_0 block)
    {
        float max = 0f;
        foreach (float v in x)
            max = MathF.Max(max, MathF.Abs(v));
        float d = max / 127f;
        float inverse = d != 0f ? 1f / d : 0f;
        block = default;
        block.Scale = (Half)d;
        for (int i = 0; i < BlockSize; i++)
            block.Quants[i] = (sbyte)MathF.Round(x[i] * inverse, MidpointRounding.AwayFromZero);
    }

    /// <summary>d = (the value of largest magnitude, the first one) / −8, q = ⌊x / d + 8.5⌋, at most 15.</summary>
    private static void Encode(ReadOnlySpan<float> x, out BlockQ4_0 block)
    {
        float max = 0f;
        foreach (float v in x)
        {
            if (MathF.Abs(v) > MathF.Abs(max))
                max = v;
        }
        float d = max / -8f;
        float inverse = d != 0f ? 1f / d : 0f;
        block = default;
        block.Scale = (Half)d;
        for (int i = 0; i < BlockSize / 2; i++)
        {
            int low = Math.Min(15, (int)(x[i] * inverse + 8.5f));
            int high = Math.Min(15, (int)(x[i + 16] * inverse + 8.5f));
            block.Nibbles[i] = (byte)(low | (high << 4));
        }
    }
}
