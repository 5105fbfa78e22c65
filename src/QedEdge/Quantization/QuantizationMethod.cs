namespace QedEdge.Quantization;

/// <summary>How the quants of block formats are chosen.</summary>
internal enum QuantizationMethod
{
    /// <summary>By the format's own rule: a scale from the largest value, each value to the nearest quant.</summary>
    Nearest,
    /// <summary>The scale with the least squared error (<see cref="ScaleSearch"/>).</summary>
    Search,
    /// <summary>By what flows into the matrix, each quant's error made up for by the next (GPTQ: Frantar et al. 2023).</summary>
    ErrorFeedback,
}
