using System.IO.Hashing;
using System.Runtime.InteropServices;
using System.Text;
using QedEdge.Conversion.Checkpoints;
using QedEdge.Gguf;
using QedEdge.Memory;
using QedEdge.Quantization;

namespace QedEdge.Conversion.Calibration;

/// <summary>
/// Converts a checkpoint beside its float32 model, which lies in a file beside the output and is removed in the end: what flows through it shows how to quantize, and
/// how well that went. What is done of a long calibration is kept in a <see cref="WorkFile"/> until the output is there.
/// </summary>
internal static class CalibratedConverter
{
    /// <summary>Changes with the arithmetic of calibration: what another version left half done is not gone on with.</summary>
    private const int Version = 1;

    /// <summary>Converts, as <see cref="CheckpointConverter.Convert(string, string, ConversionOptions, Action{double, string}?, CancellationToken)"/>.</summary>
    public static ConversionReport Convert(string folder, AtomicFile file, ConversionOptions options, Action<double, string>? progress, CancellationToken cancellation)
    {
        foreach (string text in new[] { options.CalibrationText, options.MeasureText }.OfType<string>())
            Texts.RequireFile(text); // before the work that leads to it
        using var exactFile = new AtomicFile(OutputNames.Exact(file.Path), overwrite: true, isPrivate: true); // never committed
        var plain = new ConversionOptions { Type = BlockFormat.F32, LoraFolder = options.LoraFolder, Threads = options.Threads };
        CheckpointConverter.Write(folder, exactFile, plain, new Calibrated(Exact: null), progress, cancellation);
        using QedModel exact = QedModel.Open(GgufFile.Open(exactFile.Stream.Name, folder), new ModelOptions { InstructionSet = options.InstructionSet });
        if (!OperatingSystem.IsWindows())
            exactFile.Dispose(); // mapped it stays until it is closed: nothing is left behind, however this ends
        var calibrated = new Calibrated(exact)
        {
            CalibrationText = options.CalibrationText is { } calibration ? Texts.Read(exact, calibration, options.CalibrationTokens) : null,
            MeasureText = options.MeasureText is { } measure ? Texts.Read(exact, measure, options.MeasureTokens) : null,
        };
        return calibrated.CalibrationText is null
            ? CheckpointConverter.Convert(folder, file, options, calibrated, progress, cancellation)
            : Calibrate(folder, file, options, calibrated, progress, cancellation);
    }

    private static ConversionReport Calibrate(string folder, AtomicFile file, ConversionOptions options, Calibrated calibrated, Action<double, string>? progress, CancellationToken cancellation)
    {
        (QedModel exact, int[][] windows) = (calibrated.Exact!, calibrated.CalibrationText!.Windows);
        var plan = new TensorPlan(Checkpoint.Open(folder), options);
        Dictionary<string, BlockFormat> formats = Formats(plan);
        if (options.TargetBitsPerWeight is double target)
        {
            // Queries, keys and values that the file has in one tensor must keep one format.
            HashSet<string> tensors = [.. plan.Tensors.Select(static tensor => tensor.Name)];
            using var budget = new BitBudget(exact, windows, options.Threads);
            IReadOnlyList<string> chosen = budget.Choose(name => formats[name], name => tensors.Contains(name) && !options.TensorTypes.Any(rule => rule.Pattern.IsMatch(name)), target, progress, cancellation);
            options = options with { TensorTypes = [.. options.TensorTypes, .. chosen.Select(static name => TensorTypeRule.Exactly(name, BlockFormat.Q8_0))] };
            formats = Formats(new TensorPlan(Checkpoint.Open(folder), options));
        }
        using var done = new WorkFile(file.Path, Fingerprint(exact, windows, formats, options.Method));
        try
        {
            using var calibrator = new ModelCalibrator(exact, windows, new CalibrationOptions(name => formats[name], options.Method, options.Threads), done);
            calibrated = calibrated with { Matrices = calibrator.Run(progress, cancellation) };
            ConversionReport report = CheckpointConverter.Convert(folder, file, options, calibrated, progress, cancellation);
            done.Delete();
            return report;
        }
        catch (OperationCanceledException exception)
        {
            throw new ConversionPausedException(done.Path, exception);
        }
        catch (QedException exception) when (exception.InnerException is not { } cause || !WriteError.Is(cause))
        {
            done.Delete(); // the same command would fail again; not so where the disk is full
            throw;
        }
    }

    /// <summary>The formats of the model's matrices; those that the file has in one tensor share its format.</summary>
    private static Dictionary<string, BlockFormat> Formats(TensorPlan plan)
    {
        var formats = new Dictionary<string, BlockFormat>();
        foreach (PlannedTensor tensor in plan.Tensors)
        {
            formats.Add(tensor.Name, tensor.Format);
            foreach ((string part, _) in tensor.Parts)
                formats.Add(part, tensor.Format);
        }
        return formats;
    }

    private static ulong Fingerprint(QedModel exact, int[][] windows, Dictionary<string, BlockFormat> formats, QuantizationMethod method)
    {
        var hash = new XxHash3();
        hash.Append(BitConverter.GetBytes(Version));
        hash.Append(BitConverter.GetBytes(exact.Fingerprint));
        hash.Append(BitConverter.GetBytes((int)method));
        foreach (int[] window in windows)
        {
            hash.Append(BitConverter.GetBytes(window.Length));
            hash.Append(MemoryMarshal.AsBytes(window.AsSpan()));
        }
        foreach (var (name, format) in formats)
            hash.Append(Encoding.UTF8.GetBytes($"{name} {format}\n"));
        return hash.GetCurrentHashAsUInt64();
    }
}

/// <summary>A calibration was stopped whose finished matrices are kept.</summary>
/// <param name="workFile">Where they are.</param>
/// <param name="inner">The cancellation.</param>
internal sealed class ConversionPausedException(string workFile, OperationCanceledException inner)
    : OperationCanceledException($"interrupted; what is done is kept in {workFile}, and the same command goes on from there", inner, inner.CancellationToken);

/// <summary>What a float32 model gave to a conversion.</summary>
/// <param name="Exact">The model, or null where there is none.</param>
internal sealed record Calibrated(QedModel? Exact)
{
    /// <summary>Matrices that were quantized by what flows into them, by their names in the file.</summary>
    public IReadOnlyDictionary<string, EncodedMatrix> Matrices { get; init; } = new Dictionary<string, EncodedMatrix>();

    /// <summary>The calibration text, or null.</summary>
    public ConversionText? CalibrationText { get; init; }

    /// <summary>The text that the file is measured on, or null.</summary>
    public ConversionText? MeasureText { get; init; }
}
