using System.Runtime.InteropServices;

namespace QedEdge.Quantization.Formats;

/// <summary>32-bit floats.</summary>
internal sealed class SingleFormat() : FormatInfo(0, sizeof(float), PackedLayout.GroupRows * PackedLayout.BlockSize * sizeof(float))
{
    /// <inheritdoc/>
    public override bool HasSingles => true;

    /// <inheritdoc/>
    public override bool EncodeRow(ReadOnlySpan<float> row, Span<byte> plain, QuantizationMethod method = QuantizationMethod.Nearest, ReadOnlySpan<double> importance = default)
    {
        MemoryMarshal.AsBytes(row).CopyTo(plain);
        return true;
    }

    /// <inheritdoc/>
    public override void DecodeRow(ReadOnlySpan<byte> plain, Span<float> row) => MemoryMarshal.Cast<byte, float>(plain)[..row.Length].CopyTo(row);

    /// <inheritdoc/>
    protected override void Pack(ReadOnlySpan<byte> plain, int rows, int cols, Span<byte> group) =>
        Columns.Interleave(MemoryMarshal.Cast<byte, uint>(plain), rows, cols, MemoryMarshal.Cast<byte, uint>(group));

    /// <inheritdoc/>
    protected override void UnpackRow(ReadOnlySpan<byte> group, int row, int cols, Span<byte> plain) =>
        Columns.TakeRow(MemoryMarshal.Cast<byte, uint>(group), row, MemoryMarshal.Cast<byte, uint>(plain));

    /// <inheritdoc/>
    protected override void Dequantize(ReadOnlySpan<byte> group, int row, Span<float> destination) =>
        Columns.TakeRow(MemoryMarshal.Cast<byte, float>(group), row, destination);
}

/// <summary>Floats of 16 bits.</summary>
/// <param name="type">The type's number in GGUF.</param>
internal abstract class ShortFloatFormat(uint type) : FormatInfo(type, sizeof(ushort), PackedLayout.GroupRows * PackedLayout.BlockSize * sizeof(ushort))
{
    /// <inheritdoc/>
    protected override void Pack(ReadOnlySpan<byte> plain, int rows, int cols, Span<byte> group) =>
        Columns.Interleave(MemoryMarshal.Cast<byte, ushort>(plain), rows, cols, MemoryMarshal.Cast<byte, ushort>(group));

    /// <inheritdoc/>
    protected override void UnpackRow(ReadOnlySpan<byte> group, int row, int cols, Span<byte> plain) =>
        Columns.TakeRow(MemoryMarshal.Cast<byte, ushort>(group), row, MemoryMarshal.Cast<byte, ushort>(plain));
}

/// <summary>Half precision.</summary>
internal sealed class HalfFormat() : ShortFloatFormat(1)
{
    /// <inheritdoc/>
    public override bool EncodeRow(ReadOnlySpan<float> row, Span<byte> plain, QuantizationMethod method = QuantizationMethod.Nearest, ReadOnlySpan<double> importance = default)
    {
        Span<Half> halves = MemoryMarshal.Cast<byte, Half>(plain)[..row.Length];
        FloatCodec.ToHalf(row, halves);
        bool finite = true;
        foreach (Half value in halves)
            finite &= Half.IsFinite(value);
        return finite;
    }

    /// <inheritdoc/>
    public override void DecodeRow(ReadOnlySpan<byte> plain, Span<float> row) => FloatCodec.FromHalf(MemoryMarshal.Cast<byte, Half>(plain)[..row.Length], row);

    /// <inheritdoc/>
    protected override void Dequantize(ReadOnlySpan<byte> group, int row, Span<float> destination)
    {
        ReadOnlySpan<Half> halves = MemoryMarshal.Cast<byte, Half>(group);
        for (int i = 0; i < destination.Length; i++)
            destination[i] = (float)halves[i * PackedLayout.GroupRows + row];
    }
}

/// <summary>The upper 16 bits of 32-bit floats; of other tools' files.</summary>
internal sealed class BrainFormat() : ShortFloatFormat(30)
{
    /// <inheritdoc/>
    public override ushort Infinity => 0x7F80;

    /// <inheritdoc/>
    public override bool IsWritten => false;

    /// <inheritdoc/>
    public override void DecodeRow(ReadOnlySpan<byte> plain, Span<float> row) => FloatCodec.FromBFloat16(MemoryMarshal.Cast<byte, ushort>(plain)[..row.Length], row);

    /// <inheritdoc/>
    protected override void Dequantize(ReadOnlySpan<byte> group, int row, Span<float> destination)
    {
        ReadOnlySpan<ushort> values = MemoryMarshal.Cast<byte, ushort>(group);
        for (int i = 0; i < destination.Length; i++)
            destination[i] = Widen(values[i * PackedLayout.GroupRows + row]);
    }

    /// <summary>The float of the upper bits.</summary>
    public static float Widen(ushort upper) => BitConverter.UInt32BitsToSingle((uint)upper << 16);
}

/// <summary>Between rows and a row group of float columns: column 0 of all eight rows, then column 1.</summary>
internal static class Columns
{
    /// <summary>Rows [rows, cols] into a group [cols, 8].</summary>
    public static void Interleave<T>(ReadOnlySpan<T> plain, int rows, int cols, Span<T> group)
    {
        for (int row = 0; row < rows; row++)
        {
            ReadOnlySpan<T> source = plain.Slice(row * cols, cols);
            for (int i = 0; i < source.Length; i++)
                group[i * PackedLayout.GroupRows + row] = source[i];
        }
    }

    /// <summary>One row of a group.</summary>
    public static void TakeRow<T>(ReadOnlySpan<T> group, int row, Span<T> plain)
    {
        for (int i = 0; i < plain.Length; i++)
            plain[i] = group[i * PackedLayout.GroupRows + row];
    }
}
