using QedEdge.Quantization;
using QedEdge.Quantization.Formats;

namespace QedEdge.Gguf;

/// <summary>Names and sizes of the tensor types: all of GGUF's, so that files of other architectures can be inspected, and the packed ones.</summary>
public static class TensorTypes
{
    private const uint PackedBase = 0x5145_0000; // "QE", to which the plain type's number is added

    /// <summary>The type's usual name ("Q4_0", "packed Q4_0"), or "type N" for a number that is none.</summary>
    /// <param name="type">Any type.</param>
    public static string Name(TensorType type) =>
        PackedFormat(type) is BlockFormat format ? $"packed {format}" : Block(type).Name ?? $"type {(uint)type}";

    /// <summary>Whether the number is a tensor type that this version knows the size of.</summary>
    /// <param name="type">Any value that a file may hold.</param>
    public static bool IsKnown(TensorType type) => IsPacked(type) || Block(type).Name is not null;

    /// <summary>Whether values lie in QedEdge's packed order.</summary>
    /// <param name="type">Any type.</param>
    public static bool IsPacked(TensorType type) => PackedFormat(type) is not null;

    /// <summary>Values that share a block: the innermost dimension is a multiple of it, except in the packed order, which pads.</summary>
    /// <param name="type">A known type.</param>
    public static int BlockSize(TensorType type) => PackedFormat(type) is { } format ? Math.Max(PackedLayout.BlockSize, format.Info().ColumnStep) : Block(type).Size;

    /// <summary>The format of the values of a packed matrix, or null for other types.</summary>
    internal static BlockFormat? PackedFormat(TensorType type) => (uint)type >= PackedBase ? FormatInfo.Find((uint)type - PackedBase) : null;

    /// <summary>The format of the values of a tensor in plain order, or null for types that QedEdge does not run.</summary>
    internal static BlockFormat? PlainFormat(TensorType type) => FormatInfo.Find((uint)type);

    /// <summary>The type of a tensor whose values are encoded in a format, in plain or packed order.</summary>
    internal static TensorType Of(BlockFormat format, bool packed) => (TensorType)(format.Info().Type + (packed ? PackedBase : 0));

    /// <summary>The bytes that a tensor takes, without the padding behind it.</summary>
    /// <param name="type">A known type.</param>
    /// <param name="dimensions">Dimensions, outermost first; none negative; any may be zero.</param>
    /// <param name="bytes">The size.</param>
    /// <returns>What is wrong with type or dimensions, or null.</returns>
    internal static string? TryBytes(TensorType type, ReadOnlySpan<long> dimensions, out long bytes)
    {
        bytes = 0;
        // A zero dimension must not hide an overflow from code that multiplies the others.
        long product = 1;
        bool empty = false;
        foreach (long dimension in dimensions)
        {
            if (dimension == 0)
                empty = true;
            else if (product > long.MaxValue / dimension)
                return "the product of the dimensions exceeds 2^63";
            else
                product *= dimension;
        }

        if (PackedFormat(type) is BlockFormat format)
        {
            if (dimensions is not [>= 0 and <= int.MaxValue and long rows, >= 0 and <= int.MaxValue and long cols])
                return "a packed tensor has two dimensions below 2^31";
            if (cols % format.Info().ColumnStep != 0)
                return $"the innermost dimension {cols} is no multiple of {format}'s block of {format.Info().ColumnStep}";
            if (empty)
                return null;
            long groups = PackedLayout.RowGroups((int)rows), groupBytes = format.Info().GroupBytes((int)cols);
            if (groups > long.MaxValue / groupBytes)
                return "its size in bytes exceeds 2^63";
            bytes = groups * groupBytes;
            return null;
        }

        var (name, blockSize, blockBytes) = Block(type);
        if (name is null)
            return Unknown(type);
        if (dimensions[^1] % blockSize != 0)
            return $"the innermost dimension {dimensions[^1]} is no multiple of {name}'s block of {blockSize}";
        if (empty)
            return null;
        if (product / blockSize > long.MaxValue / blockBytes)
            return "its size in bytes exceeds 2^63";
        bytes = product / blockSize * blockBytes;
        return null;
    }

    /// <summary>Says why a type number is refused.</summary>
    internal static string Unknown(TensorType type) => (uint)type switch
    {
        4 or 5 or 31 or 32 or 33 or 36 or 37 or 38 =>
            $"tensor type {(uint)type} was removed from the format; convert the original checkpoint again",
        _ => $"tensor type {(uint)type} is unknown to this version: a newer type, or another program's own; take the model in another type (Q4_K_M, Q8_0, F16)",
    };

    /// <summary>Name, values per block and bytes per block of GGUF's own types (ggml's block structures).</summary>
    private static (string? Name, int Size, int Bytes) Block(TensorType type) => type switch
    {
        TensorType.F32 => ("F32", 1, 4),
        TensorType.F16 => ("F16", 1, 2),
        TensorType.BF16 => ("BF16", 1, 2),
        TensorType.F64 => ("F64", 1, 8),
        TensorType.I8 => ("I8", 1, 1),
        TensorType.I16 => ("I16", 1, 2),
        TensorType.I32 => ("I32", 1, 4),
        TensorType.I64 => ("I64", 1, 8),
        TensorType.Q4_0 => ("Q4_0", 32, 18),
        TensorType.Q4_1 => ("Q4_1", 32, 20),
        TensorType.Q5_0 => ("Q5_0", 32, 22),
        TensorType.Q5_1 => ("Q5_1", 32, 24),
        TensorType.Q8_0 => ("Q8_0", 32, 34),
        TensorType.Q8_1 => ("Q8_1", 32, 36),
        TensorType.IQ4_NL => ("IQ4_NL", 32, 18),
        TensorType.MXFP4 => ("MXFP4", 32, 17),
        TensorType.Q2_K => ("Q2_K", 256, 84),
        TensorType.Q3_K => ("Q3_K", 256, 110),
        TensorType.Q4_K => ("Q4_K", 256, 144),
        TensorType.Q5_K => ("Q5_K", 256, 176),
        TensorType.Q6_K => ("Q6_K", 256, 210),
        TensorType.Q8_K => ("Q8_K", 256, 292),
        TensorType.IQ1_S => ("IQ1_S", 256, 50),
        TensorType.IQ1_M => ("IQ1_M", 256, 56),
        TensorType.IQ2_XXS => ("IQ2_XXS", 256, 66),
        TensorType.IQ2_XS => ("IQ2_XS", 256, 74),
        TensorType.IQ2_S => ("IQ2_S", 256, 82),
        TensorType.IQ3_XXS => ("IQ3_XXS", 256, 98),
        TensorType.IQ3_S => ("IQ3_S", 256, 110),
        TensorType.IQ4_XS => ("IQ4_XS", 256, 136),
        TensorType.TQ1_0 => ("TQ1_0", 256, 54),
        TensorType.TQ2_0 => ("TQ2_0", 256, 66),
        TensorType.NVFP4 => ("NVFP4", 64, 36),
        TensorType.Q1_0 => ("Q1_0", 128, 18),
        TensorType.Q2_0 => ("Q2_0", 64, 18),
        _ => (null, 0, 0),
    };
}
