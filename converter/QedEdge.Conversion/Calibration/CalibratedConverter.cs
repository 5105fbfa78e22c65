using QedEdge.Conversion.Checkpoints;
using QedEdge.Evaluation;
using QedEdge.Quantization;

namespace QedEdge.Conversion.Calibration;

/// <summary>Converts a checkpoint by what flows through it: a float32 file beside the output is run on the calibration text, and removed in the end.</summary>
internal static class CalibratedConverter
{
    /// <summary>Converts, as <see cref="CheckpointConverter.Convert(string, string, ConversionOptions, Action{double, string}?, CancellationToken)"/>.</summary>
    public static ConversionReport Convert(string folder, string output, ConversionOptions options, Action<double, string>? progress, CancellationToken cancellation)
    {
        string exactFile = Path.Combine(Path.GetDirectoryName(Path.GetFullPath(output))!, $".{Path.GetFileName(output)}.{Guid.NewGuid():N}.f32");
        try
        {
            var plain = new ConversionOptions { Type = BlockFormat.F32, Threads = options.Threads };
            CheckpointConverter.Convert(folder, exactFile, plain, progress: null, cancellation);
            using QedModel model = QedModel.Open(exactFile);
            int[][] windows = Windows(model, options);
            var formats = new TensorPlan(Checkpoint.Open(folder), options).Tensors.ToDictionary(static tensor => tensor.Name, static tensor => tensor.Format);
            using var calibrator = new ModelCalibrator(model, windows, new CalibrationOptions(name => formats[name], options.Method, options.Threads));
            return CheckpointConverter.Convert(folder, output, options, calibrator.Run(progress, cancellation), progress: null, cancellation);
        }
        finally
        {
            File.Delete(exactFile);
        }
    }

    private static int[][] Windows(QedModel model, ConversionOptions options)
    {
        string text = options.CalibrationText!;
        if (model.Tokenizer is not { } tokenizer)
            throw new QedException($"{text}: the checkpoint has no tokenizer.json, so a calibration text cannot be read");
        var windows = new List<int[]>();
        int left = options.CalibrationTokens;
        foreach (int[] window in TextWindows.Read(text, tokenizer, model.Config.ContextLength))
        {
            windows.Add(window.Length <= left ? window : window[..left]);
            left -= windows[^1].Length;
            if (left < 2)
                break;
        }
        return windows.Count > 0 ? [.. windows] : throw new QedException($"{text}: holds no text to calibrate with");
    }
}
