using System.Runtime.Intrinsics;

namespace QedEdge.Quantization.Formats;

/// <summary>From the bits of plain blocks to codes, 16 at a time: opening a file is bound by it.</summary>
internal static class PlainBits
{
    private const int Lanes = 16;

    /// <summary>Nibbles: low halves of n bytes are codes 0..n − 1, high ones n..2n − 1.</summary>
    public static void Nibbles(ReadOnlySpan<byte> pairs, Span<byte> codes)
    {
        int i = 0;
        for (; i <= pairs.Length - Lanes; i += Lanes)
        {
            Vector128<byte> v = Vector128.Create(pairs.Slice(i, Lanes));
            (v & Vector128.Create((byte)15)).CopyTo(codes[i..]);
            (v >>> 4).CopyTo(codes[(i + pairs.Length)..]);
        }
        for (; i < pairs.Length; i++)
        {
            codes[i] = (byte)(pairs[i] & 15);
            codes[i + pairs.Length] = (byte)(pairs[i] >> 4);
        }
    }

    /// <summary>Adds bit i of 32 as the fifth of code i.</summary>
    public static void AddFifth(uint bits, Span<byte> codes)
    {
        Vector128<byte> all = Vector128.CreateScalar(bits).AsByte(), each = Vector128.Create(0x8040201008040201UL).AsByte();
        Add(Vector128.Shuffle(all, Vector128.Create((byte)0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1)), codes);
        Add(Vector128.Shuffle(all, Vector128.Create((byte)2, 2, 2, 2, 2, 2, 2, 2, 3, 3, 3, 3, 3, 3, 3, 3)), codes[Lanes..]);

        void Add(Vector128<byte> spread, Span<byte> to) =>
            (Vector128.Create<byte>(to[..Lanes]) | Vector128.AndNot(Vector128.Create((byte)16), Vector128.Equals(spread & each, Vector128<byte>.Zero))).CopyTo(to);
    }

    /// <summary>
    /// Adds upper bits: bit field k of 32 bytes, counted from the lowest, belongs to codes 32k .. 32k + 31.
    /// </summary>
    /// <param name="upper">The fields.</param>
    /// <param name="width">Bits of a field: 1 or 2.</param>
    /// <param name="fields">How many of them.</param>
    /// <param name="shift">How far up in a code they go.</param>
    /// <param name="codes">Gets them.</param>
    public static void AddUpper(ReadOnlySpan<byte> upper, int width, int fields, int shift, Span<byte> codes)
    {
        var mask = Vector128.Create((byte)((1 << width) - 1));
        for (int i = 0; i < 32 * fields; i += Lanes)
        {
            Vector128<byte> bits = Vector128.Create(upper.Slice(i % 32, Lanes)) >>> (width * (i / 32)) & mask;
            (Vector128.Create<byte>(codes.Slice(i, Lanes)) | bits << shift).CopyTo(codes[i..]);
        }
    }

    /// <summary>Two bits: of 32 bytes, bits 0 and 1 are codes 0..31, bits 2 and 3 the next 32, ...; then of the next 32 bytes.</summary>
    public static void Pairs(ReadOnlySpan<byte> bytes, Span<byte> codes)
    {
        for (int i = 0; i < 4 * bytes.Length; i += Lanes)
            (Vector128.Create(bytes.Slice(32 * (i / 128) + i % 32, Lanes)) >>> (2 * (i / 32 % 4)) & Vector128.Create((byte)3)).CopyTo(codes[i..]);
    }

    /// <summary>Adds to every code; the number of codes is a multiple of 16.</summary>
    public static void Add(byte addend, Span<byte> codes)
    {
        for (int i = 0; i < codes.Length; i += Lanes)
            (Vector128.Create<byte>(codes.Slice(i, Lanes)) + Vector128.Create(addend)).CopyTo(codes[i..]);
    }
}
