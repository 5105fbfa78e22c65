using QedEdge.Conversion.Checkpoints;
using QedEdge.Gguf;
using QedEdge.Memory;
using QedEdge.Model;
using QedEdge.Quantization.Formats;
using Architecture = QedEdge.Architectures.Architecture;

namespace QedEdge.Conversion;

/// <summary>
/// Writes a file's tensors in the other layout, streaming. Every value stays the same, with one exception: a block format cannot be
/// stored in plain order where the width is no multiple of 32, and becomes F16.
/// </summary>
internal static class FileRepacker
{
    /// <summary>Repacks.</summary>
    /// <param name="input">A model file of any family, of either layout.</param>
    /// <param name="output">The file to write; it appears only when whole.</param>
    /// <param name="layout">The order to write.</param>
    /// <param name="threads">Threads to use.</param>
    /// <param name="overwrite">Whether an existing output is replaced.</param>
    /// <param name="progress">Takes the share done, 0 to 1, and the tensor being written.</param>
    /// <param name="cancellation">Stops the work; no file is left then.</param>
    /// <exception cref="ModelFormatException">The input cannot be used, or other tools would compute something else with it in the plain layout.</exception>
    /// <exception cref="InvalidOptionException">The output is the input.</exception>
    /// <exception cref="QedException">The output cannot be written.</exception>
    public static ConversionReport Repack(string input, string output, FileLayout layout, int threads, bool overwrite, Action<double, string>? progress = null, CancellationToken cancellation = default)
    {
        ConversionOptions.RequireThreads(threads);
        SeparateFiles.Check([output], input);
        using var source = GgufFile.Open(input);
        var report = new ConversionReport();
        Architecture architecture = ModelConfig.Read(source).Architecture;
        TensorCheck.Run(source, architecture); // nothing is written that cannot run
        if (layout == FileLayout.Plain)
            OtherTools.Check(architecture, input, report.Warnings);
        var writer = new GgufWriter(OtherTools.AlignmentOf(layout));
        var tensors = new RepackPlan(source, architecture, layout).Tensors;
        RepackedTensor? rounded = tensors.FirstOrDefault(static tensor => tensor.Format != tensor.To);
        TokenizerConversion.CopyKeys(writer, source, layout, key =>
        {
            if (key == GgufKeys.SourceChecksums)
                writer.Add(key, SourceChecksums(source, tensors));
            else if (!GgufKeys.IsBaked(key) && (rounded is null || !(GgufKeys.IsDigest(key) || GgufKeys.IsMeasured(key))))
                writer.Copy(source.Metadata, key);
        });
        if (!source.IsOwn && !source.Metadata.Contains(GgufKeys.Recipe))
        {
            writer.Add(GgufKeys.Recipe, FileMetadata.Recipe("repacked, values unchanged"));
            FileMetadata.AddSource(writer, source);
        }
        if (source.Tensors.Any(static tensor => tensor.IsBaked))
            report.Warnings.Add("the baked prefix is left out; bake it again with 'qed bake'");
        foreach (var tensor in tensors)
            writer.AddTensor(tensor.Name, tensor.Type, tensor.Dimensions, tensor.Bytes);

        using var file = new AtomicFile(output, overwrite);
        file.Fill(stream =>
        {
            writer.Begin(stream);
            var runner = new RowGroupRunner(threads);
            double total = Math.Max(1, tensors.Sum(static tensor => (double)tensor.SourceBytes)), before = 0;
            for (int i = 0; i < tensors.Count; i++)
            {
                Write(source, tensors[i], runner, (rows, bytes) =>
                {
                    writer.WriteTensor(i, bytes);
                    progress?.Invoke((before + (double)tensors[i].SourceBytes * rows / tensors[i].Rows) / total, tensors[i].Name);
                }, cancellation);
                before += tensors[i].SourceBytes;
                report.Of(tensors[i].Type).Add((long)tensors[i].Rows * tensors[i].Cols, tensors[i].Bytes);
            }
            writer.End();
            report.FileBytes = stream.Length;
        });
        if (rounded is not null)
            report.Warnings.Add($"tensors whose width is no multiple of 32 became F16, which rounds their values: {rounded.Name}, …");
        return report;
    }

    private static void Write(GgufFile file, RepackedTensor tensor, RowGroupRunner runner, Action<int, ReadOnlySpan<byte>> write, CancellationToken cancellation)
    {
        MappedFile[] mapped = [.. tensor.Sources.Select(source => CheckpointFiles.Map((source.Part ?? file).Name, source.Offset, source.Bytes))];
        try
        {
            NativeView[] data = [.. mapped.Select(static source => source.View)];
            for (int i = 0; i < data.Length; i++)
                GgufChecksums.Check(file, tensor.Sources[i], data[i]); // the output gets checksums of its own: they must not vouch for damaged data
            runner.Run(tensor.Rows, tensor.GroupBytes, (row, rows, output) =>
            {
                tensor.Group(data, row, rows, output);
                if (tensor.ToPacked && !FiniteCheck.Group(tensor.To.Info(), tensor.Cols, output))
                    throw new ModelFormatException(ModelFault.Damaged, file.Name, "holds values that are not finite numbers; download it again, or convert the checkpoint again", tensor: tensor.Sources[0].Name, offset: tensor.Sources[0].Offset);
            }, write, cancellation);
        }
        finally
        {
            foreach (MappedFile source in mapped)
                source.Dispose();
        }
    }

    /// <summary>The checksum of a checkpoint's tensor stands once for each tensor that was made of it.</summary>
    private static ulong[] SourceChecksums(GgufFile source, IReadOnlyList<RepackedTensor> tensors)
    {
        ReadOnlySpan<ulong> stored = source.Metadata.GetArray(GgufKeys.SourceChecksums).UInt64();
        var checksums = new ulong[tensors.Count];
        for (int i = 0; i < checksums.Length; i++)
        {
            int at = 0;
            while (source.Tensors[at] != tensors[i].Sources[0])
                at++;
            checksums[i] = at < stored.Length ? stored[at] : 0;
        }
        return checksums;
    }
}
