using QedEdge.Quantization;

namespace QedEdge.Conversion.Calibration;

/// <summary>How a model is quantized by its inputs.</summary>
/// <param name="FormatOf">The format of a matrix, by its name in the file.</param>
/// <param name="Method">How quants are chosen.</param>
/// <param name="Threads">Threads to use; the result does not depend on it.</param>
internal sealed record CalibrationOptions(Func<string, BlockFormat> FormatOf, QuantizationMethod Method, int Threads);
