using System.Numerics;
using System.Runtime.InteropServices;
using QedEdge.Memory;
using QedEdge.Quantization;
using QedEdge.Quantization.Formats;

namespace QedEdge.Model;

/// <summary>
/// Whether all stored values are finite numbers. For quantized matrices only the scales can fail to be, a tenth of the bytes, so
/// looking costs little at the start and spares the kernels every check.
/// </summary>
internal static class FiniteCheck
{
    /// <summary>A packed matrix.</summary>
    public static bool Matrix(in PackedMatrix matrix) => Groups(matrix, matrix.Groups);

    /// <summary>The first row groups of a packed matrix.</summary>
    public static bool Groups(in PackedMatrix matrix, int count)
    {
        for (int group = 0; group < count; group++)
        {
            if (!Group(matrix.Format.Info(), matrix.Cols, matrix.Group(group)))
                return false;
        }
        return true;
    }

    /// <summary>A packed row group.</summary>
    public static bool Group(FormatInfo format, int cols, ReadOnlySpan<byte> group)
    {
        ReadOnlySpan<byte> numbers = group[(int)format.NumbersOffset(cols)..];
        return format.HasSingles ? Floats(MemoryMarshal.Cast<byte, float>(numbers)) : Halves(MemoryMarshal.Cast<byte, ushort>(numbers), format.Infinity);
    }

    /// <summary>Floats of any number, or halves.</summary>
    public static bool View(NativeView view, bool halves)
    {
        bool finite = true;
        view.InPieces(piece => finite = finite && (halves ? Halves(MemoryMarshal.Cast<byte, ushort>(piece)) : Floats(MemoryMarshal.Cast<byte, float>(piece))));
        return finite;
    }

    /// <summary>32-bit floats: no exponent of all ones.</summary>
    public static bool Floats(ReadOnlySpan<float> values)
    {
        ReadOnlySpan<Vector<float>> vectors = MemoryMarshal.Cast<float, Vector<float>>(values);
        Vector<float> trouble = Vector<float>.Zero;
        foreach (Vector<float> v in vectors)
        {
            // x - x is 0 for finite x and not a number otherwise; the sum keeps whatever went wrong.
            trouble += v - v;
        }
        float rest = Vector.Sum(trouble);
        foreach (float v in values[(vectors.Length * Vector<float>.Count)..])
            rest += v - v;
        return rest == 0f;
    }

    /// <summary>16-bit floats: no exponent of all ones, being the bits of <paramref name="infinity"/>.</summary>
    public static bool Halves(ReadOnlySpan<ushort> values, ushort infinity = 0x7C00)
    {
        ReadOnlySpan<Vector<ushort>> vectors = MemoryMarshal.Cast<ushort, Vector<ushort>>(values);
        var exponent = new Vector<ushort>(infinity);
        Vector<ushort> bad = Vector<ushort>.Zero;
        foreach (Vector<ushort> v in vectors)
            bad |= Vector.Equals(v & exponent, exponent);
        bool finite = bad == Vector<ushort>.Zero;
        foreach (ushort v in values[(vectors.Length * Vector<ushort>.Count)..])
            finite &= (v & infinity) != infinity;
        return finite;
    }
}
