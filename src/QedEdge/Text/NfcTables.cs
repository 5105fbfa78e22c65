namespace QedEdge.Text;

/// <summary>The tables of canonical composition, unpacked from <see cref="NfcData"/> when they are first needed.</summary>
internal static class NfcTables
{
    /// <summary>Code points that one becomes at most.</summary>
    public const int LongestDecomposition = 4;

    private const int ActiveLimit = 0x30000; // all that composition may change are below
    private const int Slots = 2048;          // for 940 pairs

    private static readonly int[] ClassStarts, ClassEnds, Composites, Firsts, Seconds;
    private static readonly byte[] Classes;
    private static readonly short[] PairSlots = new short[Slots];
    private static readonly uint[] Active = new uint[ActiveLimit / 32];

    static NfcTables()
    {
        ReadOnlySpan<byte> data = NfcData.Packed;
        int runs = Next(ref data), point = 0;
        (ClassStarts, ClassEnds, Classes) = (new int[runs], new int[runs], new byte[runs]);
        for (int i = 0; i < runs; i++)
        {
            ClassStarts[i] = point += Next(ref data);
            ClassEnds[i] = point += Next(ref data);
            Classes[i] = (byte)Next(ref data);
            for (int active = ClassStarts[i]; active < ClassEnds[i]; active++)
                Activate(active);
        }

        int count = Next(ref data), first = 0, second = 0;
        (Composites, Firsts, Seconds) = (new int[count], new int[count], new int[count]);
        point = 0;
        for (int i = 0; i < count; i++)
        {
            int step = Next(ref data);
            Composites[i] = point += step >> 1;
            Firsts[i] = first += Signed(Next(ref data));
            Seconds[i] = second += Signed(Next(ref data));
            if ((step & 1) == 0) // it decomposes and is not composed again
            {
                Activate(point);
                continue;
            }
            Activate(second);
            int slot = Slot(first, second);
            while (PairSlots[slot] != 0)
                slot = slot + 1 & Slots - 1;
            PairSlots[slot] = (short)(i + 1);
        }
        for (int vowel = 0x1161; vowel < 0x1176; vowel++)
            Activate(vowel);
        for (int trailing = 0x11A8; trailing < 0x11C3; trailing++)
            Activate(trailing);
    }

    /// <summary>Whether composition may change a code point, or join it with the one before.</summary>
    public static bool IsActive(int point) => point < ActiveLimit && (Active[point >> 5] >> (point & 31) & 1) != 0;

    /// <summary>A code point's canonical combining class, 0 for a starter.</summary>
    public static int CombiningClass(int point)
    {
        int run = Array.BinarySearch(ClassStarts, point);
        if (run < 0)
            run = ~run - 1;
        return run >= 0 && point < ClassEnds[run] ? Classes[run] : 0;
    }

    /// <summary>The two code points that one decomposes into, or one and 0.</summary>
    public static bool TryDecompose(int point, out int first, out int second)
    {
        int found = Array.BinarySearch(Composites, point);
        (first, second) = found < 0 ? (0, 0) : (Firsts[found], Seconds[found]);
        return found >= 0;
    }

    /// <summary>The code point that two compose to, or -1.</summary>
    public static int Compose(int first, int second)
    {
        for (int slot = Slot(first, second); PairSlots[slot] != 0; slot = slot + 1 & Slots - 1)
        {
            int found = PairSlots[slot] - 1;
            if (Firsts[found] == first && Seconds[found] == second)
                return Composites[found];
        }
        return -1;
    }

    private static int Slot(int first, int second) => (int)((uint)(first * 31 + second) * 0x9E3779B1 >> 21);

    private static void Activate(int point) => Active[point >> 5] |= 1u << (point & 31);

    private static int Next(ref ReadOnlySpan<byte> data)
    {
        int value = 0;
        for (int shift = 0; ; shift += 7)
        {
            byte next = data[0];
            data = data[1..];
            value |= (next & 0x7F) << shift;
            if (next < 0x80)
                return value;
        }
    }

    private static int Signed(int value) => (value >>> 1) ^ -(value & 1);
}
