using QedEdge.Conversion.Calibration;
using QedEdge.Conversion.Checkpoints;
using QedEdge.Gguf;
using QedEdge.Memory;
using QedEdge.Quantization;
using QedEdge.Text;

namespace QedEdge.Conversion;

/// <summary>
/// Converts a checkpoint's folder into a GGUF file, streaming: no more than a tensor is mapped and a few rows are in memory at a time. Only then, for the digest of a quantized model, the finished
/// file is run once.
/// </summary>
internal static class CheckpointConverter
{
    /// <summary>Converts.</summary>
    /// <param name="folder">The checkpoint.</param>
    /// <param name="output">The file to write; it appears only when whole.</param>
    /// <param name="options">What to write.</param>
    /// <param name="progress">Takes the share done, 0 to 1, and the tensor being written.</param>
    /// <param name="cancellation">Stops the work; no file is left then.</param>
    /// <exception cref="ModelFormatException">The checkpoint or the adapter cannot be used.</exception>
    /// <exception cref="InvalidOptionException">The output is one of the files that are read.</exception>
    /// <exception cref="QedException">The options contradict each other, or the output cannot be written.</exception>
    /// <exception cref="OperationCanceledException">The work was stopped.</exception>
    public static ConversionReport Convert(string folder, string output, ConversionOptions options, Action<double, string>? progress = null, CancellationToken cancellation = default)
    {
        ConversionOptions.RequireThreads(options.Threads);
        SeparateFiles.Check([output], folder, options.LoraFolder, options.CalibrationText, options.MeasureText);
        using var file = new AtomicFile(output, options.Overwrite);
        return options is { CalibrationText: null, MeasureText: null }
            ? Convert(folder, file, options, new Calibrated(Exact: null), progress, cancellation)
            : CalibratedConverter.Convert(folder, file, options, progress, cancellation);
    }

    /// <summary>Converts with what the float32 model gave.</summary>
    internal static ConversionReport Convert(string folder, AtomicFile file, ConversionOptions options, Calibrated calibrated, Action<double, string>? progress, CancellationToken cancellation)
    {
        ConversionReport report = Write(folder, file, options, calibrated, progress, cancellation);
        file.Commit();
        return report;
    }

    /// <summary>Converts into a file that does not get its name yet.</summary>
    internal static ConversionReport Write(string folder, AtomicFile file, ConversionOptions options, Calibrated calibrated, Action<double, string>? progress, CancellationToken cancellation)
    {
        if (options is { Architecture: FileArchitecture.Qwen2, Layout: FileLayout.Packed })
            throw new QedException("--arch qwen2 is for other tools, which read only --layout plain");
        var checkpoint = Checkpoint.Open(folder);
        var plan = new TensorPlan(checkpoint, options);
        if (plan.Head is { } head && !TensorEncoder.AreEqual(checkpoint.Tensors[checkpoint.Names.Embedding + ".weight"], head))
        {
            throw new ModelFormatException(ModelFault.Damaged, head.File,
                "config.json says that the head is the embedding (tie_word_embeddings), yet this tensor differs from it; set it to false if the head was trained on its own", tensor: head.Name);
        }
        if (checkpoint.IsFile && options.LoraFolder is not null)
            throw new QedException("an adapter names the tensors of a checkpoint's folder: merge it there, --lora goes with MODEL_DIR");
        var adapter = options.LoraFolder is { } lora ? LoraAdapter.Read(lora, checkpoint) : null;
        if (adapter is not null)
            plan.Merge(adapter);

        var report = new ConversionReport { MergedMatrices = adapter?.Updates.Count ?? 0 };
        if (checkpoint.Config.UnknownKeys is { Count: > 0 } unknown)
            report.Warnings.Add($"{CheckpointConfig.FileName} has keys that are not known here and were ignored: {Listed(unknown)}; make sure that none changes what the model computes");
        if (checkpoint.PassedOver is { } passed)
            report.Warnings.Add($"only the part of the model that reads text is converted: {ModelFormatException.OneLine(passed)} and the like are left out");
        if (options.Layout == FileLayout.Plain)
            OtherTools.Check(plan.Architecture, Path.Combine(folder, CheckpointConfig.FileName), report.Warnings);
        report.Warnings.AddRange(adapter?.Warnings ?? []);
        var writer = new GgufWriter(OtherTools.AlignmentOf(options.Layout));
        ModelMetadata.WriteModel(writer, checkpoint.Config.Name, plan.Architecture);
        int[] prompt = checkpoint.IsFile ? FileMetadata.Copy(checkpoint, writer, options, report.Warnings) : WriteTexts(checkpoint, writer, options, report.Warnings);
        var provenance = new Provenance(options, plan, adapter, calibrated, prompt);
        provenance.Write(writer);
        WarnOfTexts(calibrated, provenance.IsCalibrated, options.Method, report.Warnings);
        // What a large tokenizer needed is given back before tensors are mapped, so that the two do not add up.
        GC.Collect(GC.MaxGeneration, GCCollectionMode.Aggressive);
        foreach (var tensor in plan.Tensors)
            writer.AddTensor(tensor.Name, tensor.Type, tensor.Dimensions, tensor.Bytes);

        file.Write(stream =>
        {
            writer.Begin(stream);
            WriteTensors(plan, writer, report, new TensorEncoder(options.Threads, options.Method, calibrated.Matrices), progress, cancellation);
            writer.End();
            stream.Flush();
            provenance.Complete(writer, stream.Name, file.Path, progress, cancellation);
            writer.End();
            report.FileBytes = stream.Length;
        });
        if (checkpoint.IsFile)
            FileMetadata.WarnOfRounding(checkpoint, options, report);
        if (plan.Fallbacks is [string first, ..])
            report.Warnings.Add($"{plan.Fallbacks.Count} tensors are F16 because their widths are no multiple of 32 (plain layout): {first}{(plan.Fallbacks.Count > 1 ? ", …" : "")}");
        return report;
    }

    /// <summary>Writes sampling defaults and tokenizer; returns what a digest begins with.</summary>
    private static int[] WriteTexts(Checkpoint checkpoint, GgufWriter writer, ConversionOptions options, List<string> warnings)
    {
        ModelMetadata.WriteSampling(writer, checkpoint.Generation, warnings);
        return DigestPrompt(TokenizerConversion.Write(writer, checkpoint, options, warnings), checkpoint.Config.ContextLength);
    }

    /// <summary>Names in one line: the first of them, and how many more there are.</summary>
    private static string Listed(IReadOnlyList<string> names)
    {
        const int Most = 12;
        string listed = string.Join(", ", names.Take(Most).Select(ModelFormatException.OneLine));
        return names.Count > Most ? $"{listed} and {names.Count - Most} more" : listed;
    }

    private static void WarnOfTexts(Calibrated calibrated, bool hadPart, QuantizationMethod method, List<string> warnings)
    {
        const int Few = 500; // tokens: less than this says nothing of a language
        if (calibrated.CalibrationText is { } unused && !hadPart)
            warnings.Add($"{unused.Name} changed nothing: no matrix is of a type that --method {(method == QuantizationMethod.Search ? "search weighs by a text" : "gptq rounds by a text")}");
        if (calibrated.CalibrationText is { Tokens: < Few } text)
            warnings.Add($"{text.Name} has {text.Tokens} tokens, too few to calibrate on; some 16,000 or more are of use");
        if (calibrated is { CalibrationText: { } calibration, MeasureText: { } measure } && calibration.Checksum == measure.Checksum)
            warnings.Add($"{measure.Name} is what the file was calibrated on: what is measured on it says little of other texts");
    }

    private static void WriteTensors(TensorPlan plan, GgufWriter writer, ConversionReport report, TensorEncoder encoder, Action<double, string>? progress, CancellationToken cancellation)
    {
        double total = Math.Max(1, plan.Tensors.Sum(static tensor => (double)(tensor.Source?.Bytes ?? 0)));
        double before = 0;
        var checksums = new ulong[plan.Tensors.Count];
        for (int i = 0; i < plan.Tensors.Count; i++)
        {
            var tensor = plan.Tensors[i];
            checksums[i] = encoder.Encode(tensor, bytes => writer.WriteTensor(i, bytes), report.Of(tensor.Type),
                done => progress?.Invoke((before + done) / total, tensor.Name), cancellation);
            before += tensor.Source?.Bytes ?? 0;
        }
        writer.Set(GgufKeys.SourceChecksums, checksums);
    }

    /// <summary>What a digest begins with: words where the model reads words.</summary>
    internal static int[] DigestPrompt(Tokenizer? tokenizer, int context)
    {
        var ids = new List<int>();
        tokenizer?.Encode("Once upon a time", ids, tokenizer.PromptOptions & ~EncodeOptions.AddEos);
        return ids.Count == 0 ? [0] : [.. ids.Take(Math.Max(1, context / 2))];
    }
}
