using QedEdge.Conversion.Calibration;
using QedEdge.Conversion.Checkpoints;
using QedEdge.Evaluation;
using QedEdge.Generation;
using QedEdge.Gguf;
using QedEdge.Quantization;
using QedEdge.Quantization.Formats;

namespace QedEdge.Conversion;

/// <summary>
/// The proof that a file carries: how it was made and from which weights, how far it is from them on a named text, and what the finished file computes
/// (<see cref="GoldenDigest"/>), so that every machine can check itself. Keys are written with placeholders and filled in once the tensors are there.
/// </summary>
/// <param name="options">What is converted.</param>
/// <param name="plan">The tensors.</param>
/// <param name="adapter">The adapter that is merged, or null.</param>
/// <param name="calibrated">The model with float32 weights and the texts, where there are any.</param>
/// <param name="prompt">The digest's prompt.</param>
internal sealed class Provenance(ConversionOptions options, TensorPlan plan, LoraAdapter? adapter, Calibrated calibrated, int[] prompt)
{
    /// <summary>Whether a text had a part in what the weights became.</summary>
    public bool IsCalibrated => calibrated.CalibrationText is not null && (options.Method == QuantizationMethod.Search ? Has(static format => format.HasNibbles) : Has(static format => format.HasScales));

    /// <summary>A digest takes a run of the finished file: for those that are made to be run.</summary>
    private readonly bool _hasDigest = plan.Tensors.Any(static tensor => tensor.IsMatrix && tensor.Format.Info().HasScales);

    /// <summary>Adds the keys.</summary>
    public void Write(GgufWriter writer)
    {
        writer.Add(GgufKeys.Recipe, Recipe());
        writer.Add(GgufKeys.SourceChecksums, new ulong[plan.Tensors.Count]);
        if (IsCalibrated)
        {
            writer.Add(GgufKeys.CalibrationText, calibrated.CalibrationText!.Name);
            writer.Add(GgufKeys.CalibrationChecksum, calibrated.CalibrationText.Checksum);
            writer.Add(GgufKeys.CalibrationTokens, (uint)calibrated.CalibrationText.Tokens);
        }
        if (calibrated.MeasureText is { } text)
        {
            writer.Add(GgufKeys.MeasuredText, text.Name);
            writer.Add(GgufKeys.MeasuredChecksum, text.Checksum);
            writer.Add(GgufKeys.MeasuredTokens, 0u);
            foreach (string key in new[] { GgufKeys.MeasuredPerplexity, GgufKeys.MeasuredExactPerplexity, GgufKeys.MeasuredMeanDivergence,
                GgufKeys.MeasuredMedianDivergence, GgufKeys.MeasuredHighDivergence, GgufKeys.MeasuredSameTop })
            {
                writer.Add(key, 0f);
            }
        }
        if (_hasDigest)
        {
            writer.Add(GgufKeys.DigestPrompt, prompt);
            writer.Add(GgufKeys.DigestCount, 0u);
            writer.Add(GgufKeys.DigestArithmetic, 0u);
            writer.Add(GgufKeys.DigestValue, new string('0', 32));
        }
    }

    /// <summary>Runs the finished file and fills in what it computes.</summary>
    /// <param name="writer">The file's writer, at its end.</param>
    /// <param name="path">Where the file is.</param>
    /// <param name="name">How it will be called: what errors name.</param>
    /// <param name="progress">Takes the share of the measurement done.</param>
    /// <param name="cancellation">Stops the work.</param>
    public void Complete(GgufWriter writer, string path, string name, Action<double, string>? progress, CancellationToken cancellation)
    {
        if (!_hasDigest && calibrated.MeasureText is null)
            return;
        using QedModel model = QedModel.Open(GgufFile.Open(path, name), null);
        if (_hasDigest)
        {
            GoldenDigest digest = GoldenDigest.Compute(model, prompt, threads: options.Threads, cancellation: cancellation);
            writer.Set(GgufKeys.DigestCount, (uint)digest.Count);
            writer.Set(GgufKeys.DigestArithmetic, (uint)digest.Arithmetic);
            writer.Set(GgufKeys.DigestValue, digest.Value);
        }
        if (calibrated.MeasureText is { } text)
        {
            DivergenceStatistics measured = Measure(model, text.Windows, progress, cancellation);
            writer.Set(GgufKeys.MeasuredTokens, (uint)measured.Count);
            writer.Set(GgufKeys.MeasuredPerplexity, (float)measured.Perplexity);
            writer.Set(GgufKeys.MeasuredExactPerplexity, (float)measured.ReferencePerplexity);
            writer.Set(GgufKeys.MeasuredMeanDivergence, (float)measured.Mean);
            writer.Set(GgufKeys.MeasuredMedianDivergence, (float)measured.Quantile(0.5));
            writer.Set(GgufKeys.MeasuredHighDivergence, (float)measured.Quantile(0.99));
            writer.Set(GgufKeys.MeasuredSameTop, (float)measured.SameTop);
        }
    }

    /// <summary>The model as it runs, int8 activations and cache included, beside the float32 one.</summary>
    private DivergenceStatistics Measure(QedModel model, int[][] windows, Action<double, string>? progress, CancellationToken cancellation)
    {
        var session = new SessionOptions { ContextLength = windows.Max(static window => window.Length), Threads = options.Threads };
        using Session reference = calibrated.Exact!.CreateSession(session with { KvType = KvCacheType.F32 });
        using Session actual = model.CreateSession(session);
        double tokens = windows.Sum(static window => (double)window.Length);
        return ModelComparison.Run(reference, actual, windows.Select(ids => new TextWindow(ids, 1)), done => progress?.Invoke(done / tokens, "measuring"), cancellation);
    }

    private string Recipe()
    {
        // The layers' formats, most frequent first.
        var formats = plan.Tensors.Where(static tensor => tensor.IsMatrix && tensor.Name.StartsWith("blk.", StringComparison.Ordinal)).CountBy(static tensor => tensor.Format)
            .OrderByDescending(static format => format.Value).ThenBy(static format => format.Key).ToList();
        string layers = formats.Count == 1 ? Name(formats[0].Key) : string.Join(" and ", formats.Select(static format => $"{format.Value} × {Name(format.Key)}"));
        string embedding = Name(plan.Tensors[0].Format);
        string method = options.Method switch
        {
            QuantizationMethod.Search when Has(static format => format.HasNibbles) => !IsCalibrated ? ", scales by search" : ", scales by search, weighted by calibration",
            QuantizationMethod.ErrorFeedback when Has(static format => format.HasScales) => ", error feedback (GPTQ) by calibration",
            _ => "",
        };
        string lora = adapter is null ? "" : $", LoRA {adapter.Name} merged (XXH3 {Texts.ChecksumOf(adapter.WeightsFile):x16})";
        return FileMetadata.Recipe($"layers {layers}, embedding {embedding}{method}{lora}");

        static string Name(BlockFormat format) => format.ToString().ToLowerInvariant();
    }

    private bool Has(Func<FormatInfo, bool> kind) => plan.Tensors.Any(tensor => tensor.IsMatrix && kind(tensor.Format.Info()));
}
