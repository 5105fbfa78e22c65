namespace QedEdge.Quantization;

/// <summary>How the quants of formats with four bits are chosen.</summary>
internal enum QuantizationMethod
{
    /// <summary>By the format's own rule: a scale from the largest value, each value to the nearest quant.</summary>
    Nearest,
    /// <summary>The scale with the least squared error (<see cref="ScaleSearch"/>).</summary>
    Search,
}
