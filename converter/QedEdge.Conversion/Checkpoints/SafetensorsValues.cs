using System.Runtime.InteropServices;
using QedEdge.Memory;
using QedEdge.Quantization;

namespace QedEdge.Conversion.Checkpoints;

/// <summary>The data of safetensors tensors: mapped from their files, read as float32.</summary>
internal static class SafetensorsValues
{
    /// <summary>Whether values of this type can be read: F32, F16 and BF16.</summary>
    public static bool CanRead(string type) => type is "F32" or "F16" or "BF16";

    /// <summary>Whether a tensor's values can be read.</summary>
    public static bool CanRead(SafetensorsTensor tensor) => tensor.Blocks is not null || CanRead(tensor.Type);

    /// <summary>Reads a row of a matrix.</summary>
    /// <param name="tensor">The matrix.</param>
    /// <param name="data">Its data.</param>
    /// <param name="index">Which row.</param>
    /// <param name="values">Takes it.</param>
    public static void ReadRow(SafetensorsTensor tensor, NativeView data, int index, Span<float> values)
    {
        long bytes = tensor.Blocks?.RowBytes(values.Length) ?? (long)Size(tensor.Type) * values.Length;
        ReadOnlySpan<byte> row = data.Span(index * bytes, (int)bytes);
        if (tensor.Blocks is { } blocks)
            blocks.DecodeRow(row, values);
        else
            Decode(tensor.Type, row, values);
    }

    /// <summary>Bytes of a value of a type that can be read.</summary>
    public static int Size(string type) => type == "F32" ? 4 : 2;

    /// <summary>Maps a tensor's data.</summary>
    /// <exception cref="ModelFormatException">The file cannot be opened.</exception>
    public static MappedFile Map(SafetensorsTensor tensor) => CheckpointFiles.Map(tensor.File, tensor.Offset, tensor.Bytes);

    /// <summary>Reads values; exact.</summary>
    /// <param name="type">A type that can be read.</param>
    /// <param name="bytes">The values' bytes.</param>
    /// <param name="values">As many floats.</param>
    public static void Decode(string type, ReadOnlySpan<byte> bytes, Span<float> values)
    {
        if (type == "F32")
            bytes.CopyTo(MemoryMarshal.AsBytes(values));
        else if (type == "F16")
            FloatCodec.FromHalf(MemoryMarshal.Cast<byte, Half>(bytes), values);
        else
            FloatCodec.FromBFloat16(MemoryMarshal.Cast<byte, ushort>(bytes), values);
    }

    /// <summary>Writes values, rounded to the nearest of the type.</summary>
    /// <param name="type">A type that can be read.</param>
    /// <param name="values">The values.</param>
    /// <param name="bytes">As many bytes as they take.</param>
    public static void Encode(string type, ReadOnlySpan<float> values, Span<byte> bytes)
    {
        if (type == "F32")
            MemoryMarshal.AsBytes(values).CopyTo(bytes);
        else if (type == "F16")
            FloatCodec.ToHalf(values, MemoryMarshal.Cast<byte, Half>(bytes));
        else
            FloatCodec.ToBFloat16(values, MemoryMarshal.Cast<byte, ushort>(bytes));
    }

    /// <summary>Where the first value that is not finite stands, or -1.</summary>
    public static int FindNotFinite(ReadOnlySpan<float> values)
    {
        for (int i = 0; i < values.Length; i++)
        {
            if (!float.IsFinite(values[i]))
                return i;
        }
        return -1;
    }
}
