using System.Buffers.Binary;

namespace QedEdge.Fuzz.Mutation;

/// <summary>Changes that need to know nothing of a format.</summary>
internal static class Bytes
{
    /// <summary>Numbers where readers go wrong: around powers of two, limits of types and of this project, patterns of floats.</summary>
    private static readonly ulong[] Boundaries =
    [
        0, 1, 2, 3, 4, 7, 8, 9, 15, 16, 31, 32, 33, 63, 64, 65, 127, 128, 255, 256, 257, 1023, 1024, 1025, 4096, 65535, 65536, 65537, 1 << 20, (1 << 20) + 1, 1 << 24, (1 << 24) + 1, 1 << 30,
        0x7FFFFFFE, 0x7FFFFFFF, 0x80000000, 0x80000001, 0xFFFFFFFE, 0xFFFFFFFF, 0x100000000, 0x100000001, 1UL << 44, 1UL << 60, 1UL << 61, 1UL << 62, 0x7FFFFFFFFFFFFFFF, 0x8000000000000000, 0xFFFFFFFFFFFFFFFE, ulong.MaxValue,
        0x7F800000, 0xFF800000, 0x7FC00000, 0x7F7FFFFF, 0x00800000, 0x007FFFFF, 0x3F800000, 0x7C00, 0x7BFF, 0x7E00, 0xFC00, 0x8000, 0x03FF,
    ];

    /// <summary>A number like one that stands there, or at a limit.</summary>
    public static ulong Number(Random random, ulong old, int bytes) => random.Next(8) switch
    {
        0 => old + 1,
        1 => old - 1,
        2 => old * 2,
        3 => old / 2,
        4 => (ulong)random.NextInt64(long.MinValue, long.MaxValue),
        5 => old ^ (1UL << random.Next(8 * bytes)),
        _ => Boundaries[random.Next(Boundaries.Length)],
    };

    /// <summary>Reads a number of 1, 2, 4 or 8 bytes.</summary>
    public static ulong Read(ReadOnlySpan<byte> at, int bytes) => bytes switch
    {
        1 => at[0],
        2 => BinaryPrimitives.ReadUInt16LittleEndian(at),
        4 => BinaryPrimitives.ReadUInt32LittleEndian(at),
        _ => BinaryPrimitives.ReadUInt64LittleEndian(at),
    };

    /// <summary>Writes a number of 1, 2, 4 or 8 bytes.</summary>
    public static void Write(Span<byte> at, int bytes, ulong value)
    {
        Span<byte> whole = stackalloc byte[sizeof(ulong)];
        BinaryPrimitives.WriteUInt64LittleEndian(whole, value);
        whole[..bytes].CopyTo(at);
    }

    /// <summary>Puts another number in the place of one.</summary>
    public static void Renumber(Random random, Span<byte> at, int bytes) => Write(at, bytes, Number(random, Read(at, bytes), bytes));

    /// <summary>The input with a range replaced.</summary>
    public static byte[] Splice(byte[] input, int at, int delete, ReadOnlySpan<byte> insert) => [.. input.AsSpan(0, at), .. insert, .. input.AsSpan(at + delete)];

    /// <summary>One change anywhere: a bit, a byte, a number, a range taken out, doubled, moved in from another input, an end cut off or added.</summary>
    public static byte[] Change(Random random, byte[] input, byte[] other)
    {
        if (input.Length == 0)
            return other;
        int at = random.Next(input.Length), length = Math.Min(random.Next(random.Next(2) == 0 ? 8 : 256), input.Length - at);
        byte[] changed = [.. input];
        switch (random.Next(12))
        {
            case 0 or 1:
                changed[at] ^= (byte)(1 << random.Next(8));
                return changed;
            case 2 or 3:
                changed[at] = (byte)random.Next(256);
                return changed;
            case 4 or 5:
                int size = 1 << random.Next(4);
                if (size <= input.Length - at)
                    Renumber(random, changed.AsSpan(at), size);
                return changed;
            case 6:
                return Splice(input, at, length, default);
            case 7:
                return Splice(input, at, 0, input.AsSpan(at, length));
            case 8:
                int from = random.Next(other.Length + 1);
                return Splice(input, at, length, other.AsSpan(from, Math.Min(random.Next(256), other.Length - from)));
            case 9:
                return input[..at];
            case 10:
                random.NextBytes(changed.AsSpan(at, length));
                return changed;
            default:
                var tail = new byte[random.Next(300)];
                random.NextBytes(tail);
                return [.. input, .. tail];
        }
    }
}
