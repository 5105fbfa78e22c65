using System.Runtime.InteropServices;
using QedEdge.Quantization;
using QedEdge.Quantization.Formats;

namespace QedEdge.Model;

/// <summary>
/// Whether the rows that pad a packed matrix to whole groups of 8 are zero. Their products go into the padding of the residual stream, which a norm of
/// several tokens reads and one of a lone token does not, so that other values would make results depend on how a prompt is cut. Padded columns
/// have no effect: inputs are zero there.
/// </summary>
internal static class PaddingCheck
{
    /// <summary>A packed matrix; of quantized rows the scales are zero, whatever the quants are.</summary>
    public static bool Rows(in PackedMatrix matrix)
    {
        int used = matrix.Rows % PackedLayout.GroupRows;
        if (used == 0)
            return true;
        FormatInfo format = matrix.Format.Info();
        ReadOnlySpan<byte> numbers = matrix.Group(matrix.Groups - 1)[(int)format.NumbersOffset(matrix.Cols)..(int)format.NumbersEnd(matrix.Cols)];
        return format.HasSingles ? Zero(MemoryMarshal.Cast<byte, uint>(numbers), used, uint.MaxValue >> 1) : Zero(MemoryMarshal.Cast<byte, ushort>(numbers), used, (ushort)0x7FFF);
    }

    /// <summary>Whether the rows from <paramref name="used"/> on of every eight hold zeros of either sign.</summary>
    private static bool Zero<T>(ReadOnlySpan<T> values, int used, T magnitude) where T : unmanaged, System.Numerics.IBinaryInteger<T>
    {
        for (int i = 0; i < values.Length; i++)
        {
            if (i % PackedLayout.GroupRows >= used && (values[i] & magnitude) != T.Zero)
                return false;
        }
        return true;
    }
}
