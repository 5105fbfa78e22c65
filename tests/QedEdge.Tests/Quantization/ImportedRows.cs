using QedEdge.Quantization;
using QedEdge.Quantization.Formats;

namespace QedEdge.Tests.Quantization;

/// <summary>Plain rows of the formats that other tools write: any bytes that hold finite weights.</summary>
internal static class ImportedRows
{
    public static TheoryData<string> Formats => [.. All.Select(static format => format.ToString())];

    public static BlockFormat[] All { get; } = [.. Enum.GetValues<BlockFormat>().Where(static format => format.Info() is ImportedFormat)];

    /// <summary>Rows [rows][row bytes].</summary>
    public static byte[] Random(Random random, BlockFormat format, int rows, int cols)
    {
        FormatInfo info = format.Info();
        int step = info.ColumnStep, blockBytes = (int)info.RowBytes(step);
        var plain = new byte[rows * info.RowBytes(cols)];
        var decoded = new float[step];
        for (int at = 0; at < plain.Length; at += blockBytes)
        {
            Span<byte> block = plain.AsSpan(at, blockBytes);
            do
            {
                random.NextBytes(block);
                info.DecodeRow(block, decoded);
            }
            while (!Array.TrueForAll(decoded, float.IsFinite));
        }
        return plain;
    }

    /// <summary>Packed rows [row groups][group bytes].</summary>
    public static byte[] Pack(byte[] plain, BlockFormat format, int rows, int cols)
    {
        FormatInfo info = format.Info();
        int groupBytes = (int)info.GroupBytes(cols), rowBytes = (int)info.RowBytes(cols);
        var packed = new byte[info.MatrixBytes(rows, cols)];
        for (int group = 0; group < PackedLayout.RowGroups(rows); group++)
            info.PackGroup(plain.AsSpan(group * 8 * rowBytes, Math.Min(8, rows - group * 8) * rowBytes), Math.Min(8, rows - group * 8), cols, packed.AsSpan(group * groupBytes, groupBytes));
        return packed;
    }
}
