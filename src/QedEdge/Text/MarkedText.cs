using System.Text;

namespace QedEdge.Text;

/// <summary>A text, and which of its bytes a user typed: no special token is read from these.</summary>
/// <param name="bytes">Well-formed UTF-8.</param>
/// <param name="typed">A mark for each byte; empty where none was typed.</param>
internal readonly ref struct MarkedText(ReadOnlySpan<byte> bytes, ReadOnlySpan<bool> typed = default)
{
    /// <summary>Well-formed UTF-8.</summary>
    public ReadOnlySpan<byte> Bytes { get; } = bytes;

    /// <summary>A mark for each byte, or empty.</summary>
    public ReadOnlySpan<bool> Typed { get; } = typed;

    /// <summary>The length in bytes.</summary>
    public int Length => Bytes.Length;

    /// <summary>A part of it.</summary>
    public MarkedText Slice(int start, int length) => new(Bytes.Slice(start, length), Typed.IsEmpty ? default : Typed.Slice(start, length));

    /// <summary>Whether any byte of a part was typed.</summary>
    public bool IsTyped(int start, int length) => !Typed.IsEmpty && Typed.Slice(start, length).Contains(true);

    /// <summary>The marks of a text's bytes. A character is marked where any part of it lies in a range.</summary>
    /// <param name="text">UTF-16.</param>
    /// <param name="typed">In order, none overlapping another.</param>
    /// <param name="bytes">The length of the text in UTF-8.</param>
    /// <exception cref="ArgumentOutOfRangeException">A range is not within the text, or before the end of the one before.</exception>
    public static bool[] Marks(ReadOnlySpan<char> text, ReadOnlySpan<Range> typed, int bytes)
    {
        if (typed.IsEmpty)
            return [];
        var marks = new bool[bytes];
        int last = 0, chars = 0, position = 0;
        foreach (Range range in typed)
        {
            (int start, int length) = range.GetOffsetAndLength(text.Length);
            ArgumentOutOfRangeException.ThrowIfLessThan(start, last, nameof(typed));
            last = start + length;
            start -= SplitsPair(text, start) && start > chars ? 1 : 0;
            int end = last + (SplitsPair(text, last) ? 1 : 0);
            position += Encoding.UTF8.GetByteCount(text[chars..Math.Max(chars, start)]);
            start = Math.Max(chars, start);
            int typedBytes = Encoding.UTF8.GetByteCount(text[start..Math.Max(start, end)]);
            marks.AsSpan(position, typedBytes).Fill(true);
            position += typedBytes;
            chars = Math.Max(start, end);
        }
        return marks;
    }

    private static bool SplitsPair(ReadOnlySpan<char> text, int index) =>
        index > 0 && index < text.Length && char.IsHighSurrogate(text[index - 1]) && char.IsLowSurrogate(text[index]);
}
