using QedEdge.Conversion.Checkpoints;
using QedEdge.Quantization;

namespace QedEdge.Conversion.Calibration;

/// <summary>Converts a checkpoint beside its float32 model, which lies in a file beside the output and is removed in the end: what flows through it shows how to quantize, and how well that went.</summary>
internal static class CalibratedConverter
{
    /// <summary>Converts, as <see cref="CheckpointConverter.Convert(string, string, ConversionOptions, Action{double, string}?, CancellationToken)"/>.</summary>
    public static ConversionReport Convert(string folder, string output, ConversionOptions options, Action<double, string>? progress, CancellationToken cancellation)
    {
        string exactFile = Path.Combine(Path.GetDirectoryName(Path.GetFullPath(output))!, $".{Path.GetFileName(output)}.{Guid.NewGuid():N}.f32");
        try
        {
            var plain = new ConversionOptions { Type = BlockFormat.F32, LoraFolder = options.LoraFolder, Threads = options.Threads };
            CheckpointConverter.Convert(folder, exactFile, plain, progress: null, cancellation);
            using QedModel exact = QedModel.Open(exactFile);
            if (options.CalibrationText is not { } text)
                return CheckpointConverter.Convert(folder, output, options, new Calibrated(exact), progress, cancellation);
            int[][] windows = Texts.Windows(exact, text, options.CalibrationTokens);
            var formats = new TensorPlan(Checkpoint.Open(folder), options).Tensors.ToDictionary(static tensor => tensor.Name, static tensor => tensor.Format);
            using var calibrator = new ModelCalibrator(exact, windows, new CalibrationOptions(name => formats[name], options.Method, options.Threads));
            var calibrated = new Calibrated(exact) { Matrices = calibrator.Run(progress, cancellation), Tokens = windows.Sum(static window => (long)window.Length) };
            return CheckpointConverter.Convert(folder, output, options, calibrated, progress: null, cancellation);
        }
        finally
        {
            File.Delete(exactFile);
        }
    }
}

/// <summary>What a float32 model gave to a conversion.</summary>
/// <param name="Exact">The model, or null where there is none.</param>
internal sealed record Calibrated(QedModel? Exact)
{
    /// <summary>Matrices that were quantized by what flows into them, by their names in the file.</summary>
    public IReadOnlyDictionary<string, EncodedMatrix> Matrices { get; init; } = new Dictionary<string, EncodedMatrix>();

    /// <summary>Tokens of the calibration text.</summary>
    public long Tokens { get; init; }
}
