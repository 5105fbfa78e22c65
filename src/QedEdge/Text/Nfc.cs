using System.Buffers;
using System.Text;

namespace QedEdge.Text;

/// <summary>
/// Unicode's canonical composition with the data of Unicode 9.0: what Hugging Face's tokenizers have, whatever their date. .NET's has newer data, and does nothing where
/// cultures are left out, as in the programs.
/// </summary>
internal static class Nfc
{
    /// <summary>Bytes that become one at most.</summary>
    public const int MostBytesForOne = 3;

    private const int MarkBit = 1 << 30, ClassShift = 21, PointMask = (1 << ClassShift) - 1;
    private const int ShortRun = 32;
    private const byte FirstByteOfActive = 0xCC; // of U+0300, the first active code point
    private const int FirstSyllable = 0xAC00, Syllables = 11172, FirstL = 0x1100, FirstV = 0x1161, FirstT = 0x11A7, Ls = 19, Vs = 21, Ts = 28;

    /// <summary>
    /// Where the first code point stands that composition may change or join with what is before it, or -1: all others are starters that stay as they are.
    /// </summary>
    public static int FirstActive(ReadOnlySpan<byte> text)
    {
        for (int at = 0; ;)
        {
            int skip = text[at..].IndexOfAnyInRange(FirstByteOfActive, byte.MaxValue);
            if (skip < 0)
                return -1;
            at += skip;
            Rune.DecodeFromUtf8(text[at..], out Rune rune, out int bytes);
            if (NfcTables.IsActive(rune.Value))
                return at;
            at += bytes;
        }
    }

    /// <summary>Appends a text's composed form.</summary>
    public static void Compose(MarkedText text, ref NormalizedText result)
    {
        while (text.Length > 0)
        {
            int active = FirstActive(text.Bytes);
            if (active < 0)
            {
                result.Append(text);
                return;
            }
            int begin = active;
            while (begin > 0 && (text.Bytes[--begin] & 0xC0) == 0x80)
            {
                // back to the first byte of the starter before, which may take it
            }
            int end = active, points = 1;
            while (end < text.Length && Rune.DecodeFromUtf8(text.Bytes[end..], out Rune rune, out int bytes) == OperationStatus.Done && NfcTables.IsActive(rune.Value))
            {
                end += bytes;
                points++;
            }
            result.Append(text[..begin]);
            ComposeSegment(text[begin..end], points, ref result);
            text = text[end..];
        }
    }

    private static void ComposeSegment(MarkedText text, int points, ref NormalizedText result)
    {
        int[] rented = ArrayPool<int>.Shared.Rent(checked(NfcTables.LongestDecomposition * points));
        int count = 0;
        while (text.Length > 0)
        {
            Rune.DecodeFromUtf8(text.Bytes, out Rune rune, out int bytes);
            int mark = text.IsTyped(0, bytes) ? MarkBit : 0;
            int first = count;
            count = Decompose(rune.Value, rented, count);
            for (int i = first; i < count; i++)
                rented[i] |= NfcTables.CombiningClass(rented[i]) << ClassShift | mark;
            text = text[bytes..];
        }
        Span<int> decomposed = rented.AsSpan(0, count);
        Reorder(decomposed);
        Span<byte> utf8 = stackalloc byte[4];
        foreach (int point in decomposed[..Join(decomposed)])
            result.Append(utf8[..new Rune(point & PointMask).EncodeToUtf8(utf8)], (point & MarkBit) != 0);
        ArrayPool<int>.Shared.Return(rented);
    }

    private static int Decompose(int point, int[] to, int count)
    {
        if (point - FirstSyllable is >= 0 and < Syllables and var syllable)
        {
            to[count++] = FirstL + syllable / (Vs * Ts);
            to[count++] = FirstV + syllable % (Vs * Ts) / Ts;
            if (syllable % Ts > 0)
                to[count++] = FirstT + syllable % Ts;
            return count;
        }
        if (!NfcTables.TryDecompose(point, out int first, out int second))
        {
            to[count++] = point;
            return count;
        }
        count = Decompose(first, to, count);
        return second == 0 ? count : Decompose(second, to, count);
    }

    /// <summary>Sorts each run of marks by their classes; those of one class stay in order.</summary>
    private static void Reorder(Span<int> points)
    {
        for (int begin = 0; begin < points.Length; begin++)
        {
            int end = begin;
            while (end < points.Length && Class(points[end]) > 0)
                end++;
            if (end - begin > ShortRun)
                SortLong(points[begin..end]);
            else
                SortShort(points[begin..end]);
            begin = end;
        }
    }

    private static void SortShort(Span<int> run)
    {
        for (int i = 1; i < run.Length; i++)
        {
            int point = run[i], hole = i;
            for (; hole > 0 && Class(run[hole - 1]) > Class(point); hole--)
                run[hole] = run[hole - 1];
            run[hole] = point;
        }
    }

    /// <summary>By counting: a run of 100,000 marks takes as many steps.</summary>
    private static void SortLong(Span<int> run)
    {
        int[] copy = ArrayPool<int>.Shared.Rent(run.Length);
        run.CopyTo(copy);
        Span<int> next = stackalloc int[257];
        next.Clear();
        foreach (int point in run)
            next[Class(point) + 1]++;
        for (int i = 1; i < next.Length; i++)
            next[i] += next[i - 1];
        foreach (int point in copy.AsSpan(0, run.Length))
            run[next[Class(point)]++] = point;
        ArrayPool<int>.Shared.Return(copy);
    }

    /// <summary>Joins what composes, in place; returns how many are left.</summary>
    private static int Join(Span<int> points)
    {
        int written = 0, starter = -1, last = 0;
        foreach (int point in points)
        {
            int of = Class(point);
            if (starter >= 0 && (last < of || last == 0) && Pair(points[starter] & PointMask, point & PointMask) is >= 0 and var joined)
            {
                points[starter] = joined | (points[starter] | point) & MarkBit;
                continue;
            }
            points[written++] = point;
            if (of == 0)
                (starter, last) = (written - 1, 0);
            else
                last = of;
        }
        return written;
    }

    private static int Pair(int first, int second)
    {
        if (first - FirstL is >= 0 and < Ls and var l && second - FirstV is >= 0 and < Vs and var v)
            return FirstSyllable + (l * Vs + v) * Ts;
        if (first - FirstSyllable is >= 0 and < Syllables and var syllable && syllable % Ts == 0 && second - FirstT is > 0 and < Ts and var t)
            return first + t;
        return NfcTables.Compose(first, second);
    }

    private static int Class(int point) => point >> ClassShift & byte.MaxValue;
}
