using System.Runtime.InteropServices;
using QedEdge.Quantization;

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
        ReadOnlySpan<byte> last = matrix.Group(matrix.Groups - 1);
        return matrix.Format switch
        {
            BlockFormat.F32 => Zero(MemoryMarshal.Cast<byte, uint>(last), used, uint.MaxValue >> 1),
            BlockFormat.F16 => Zero(MemoryMarshal.Cast<byte, ushort>(last), used, (ushort)0x7FFF),
            _ => Zero(MemoryMarshal.Cast<byte, ushort>(last.Slice((int)matrix.ScalesOffset, matrix.Blocks * PackedLayout.GroupRows * sizeof(ushort))), used, (ushort)0x7FFF),
        };
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
