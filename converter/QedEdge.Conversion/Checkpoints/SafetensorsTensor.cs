using QedEdge.Quantization.Formats;

namespace QedEdge.Conversion.Checkpoints;

/// <summary>A tensor's entry in a safetensors header, or in a GGUF file's table. All values were checked against the file's size.</summary>
/// <param name="Name">The name in the file.</param>
/// <param name="File">The file's path.</param>
/// <param name="Type">How values are stored: "F32", "BF16", …</param>
/// <param name="Shape">Dimensions, outermost first; any may be zero; none for a single value.</param>
/// <param name="Offset">Where the data start, in bytes from the file's start.</param>
/// <param name="Bytes">Their length, equal to what type and shape require.</param>
internal sealed record SafetensorsTensor(string Name, string File, string Type, long[] Shape, long Offset, long Bytes)
{
    /// <summary>The format of a matrix of blocks, which only GGUF files have; or null.</summary>
    public FormatInfo? Blocks { get; init; }

    /// <summary>Whether the file's metadata give this name to data that stand under another one.</summary>
    public bool IsAlias { get; init; }

    /// <summary>The shape as error texts print it.</summary>
    public string ShapeText => $"[{string.Join(", ", Shape)}]";
}
