using CommunityToolkit.HighPerformance.Buffers;
using QedEdge.Conversion.Checkpoints;
using QedEdge.Gguf;
using QedEdge.Memory;
using QedEdge.Model;
using QedEdge.Quantization;

namespace QedEdge.Conversion;

/// <summary>
/// Writes a QED file's tensors in the other layout, streaming. Every value stays the same, with one exception: a block format cannot be
/// stored in plain order where the width is no multiple of 32, and becomes F16.
/// </summary>
internal static class FileRepacker
{
    /// <summary>Repacks.</summary>
    /// <param name="input">A file of architecture "qed".</param>
    /// <param name="output">The file to write; it appears only when whole.</param>
    /// <param name="layout">The order to write.</param>
    /// <param name="threads">Threads to use.</param>
    /// <param name="overwrite">Whether an existing output is replaced.</param>
    /// <param name="progress">Takes the share done, 0 to 1, and the tensor being written.</param>
    /// <param name="cancellation">Stops the work; no file is left then.</param>
    /// <exception cref="ModelFormatException">The input cannot be used.</exception>
    /// <exception cref="InvalidOptionException">The output is the input.</exception>
    /// <exception cref="QedException">The output cannot be written.</exception>
    public static ConversionReport Repack(string input, string output, FileLayout layout, int threads, bool overwrite, Action<double, string>? progress = null, CancellationToken cancellation = default)
    {
        ConversionOptions.RequireThreads(threads);
        SeparateFiles.Check([output], input);
        using var source = GgufFile.Open(input);
        if (ModelConfig.Read(source).IsForeign)
        {
            throw new ModelFormatException(ModelFault.Unsupported, input,
                $"only '{ModelConfig.Architecture}' files can be repacked; QedEdge runs this one as it is, and the checkpoint can be converted to either layout", GgufKeys.Architecture);
        }
        var report = new ConversionReport();
        var writer = new GgufWriter();
        var tensors = source.Tensors.Where(tensor => !tensor.IsBaked).Select(tensor => Plan(tensor, source.Name, layout)).ToList();
        bool rounds = tensors.Exists(static tensor => tensor.Format != tensor.To);
        bool mergesWritten = false;
        foreach (string key in source.Metadata.Keys)
        {
            if (GgufKeys.IsBaked(key) || (rounds && (GgufKeys.IsDigest(key) || GgufKeys.IsMeasured(key))))
                continue;
            if (!TokenizerConversion.IsLayoutDependent(key))
                writer.Copy(source.Metadata, key);
            else if (!mergesWritten)
            {
                // In their old place: repacking gives the bytes that converting to the layout gives, but for widths that are F16 in plain
                // order (converting rounds the checkpoint's values to half precision, repacking the block format's).
                TokenizerConversion.CopyMerges(writer, source, layout);
                mergesWritten = true;
            }
        }
        if (tensors.Count < source.Tensors.Count)
            report.Warnings.Add("the baked prefix belongs to the other layout and is left out; bake it again with 'qed bake'");
        foreach (var tensor in tensors)
            writer.AddTensor(tensor.Source.Name, tensor.Type, [.. tensor.Source.Dimensions], tensor.Bytes);

        using var file = new AtomicFile(output, overwrite);
        file.Fill(stream =>
        {
            writer.Begin(stream);
            var runner = new RowGroupRunner(threads);
            double total = Math.Max(1, tensors.Sum(static tensor => (double)tensor.Source.Bytes)), before = 0;
            for (int i = 0; i < tensors.Count; i++)
            {
                var tensor = tensors[i];
                using var mapped = CheckpointFiles.Map(source.Name, tensor.Source.Offset, tensor.Source.Bytes);
                GgufChecksums.Check(source, tensor.Source, mapped.View); // the output gets checksums of its own: they must not vouch for damaged data
                runner.Run(tensor.Rows, tensor.GroupBytes, new Work(tensor, mapped.View).Group, (rows, bytes) =>
                {
                    writer.WriteTensor(i, bytes);
                    progress?.Invoke((before + (double)tensor.Source.Bytes * rows / tensor.Rows) / total, tensor.Source.Name);
                }, cancellation);
                before += tensor.Source.Bytes;
                report.Of(tensor.Type).Add(tensor.Source.ElementCount, tensor.Bytes, 0, 0);
            }
            writer.End();
            report.FileBytes = stream.Length;
        });
        if (rounds)
            report.Warnings.Add($"tensors whose width is no multiple of 32 became F16, which rounds their values: {tensors.Find(static tensor => tensor.Format != tensor.To)!.Source.Name}, …");
        return report;
    }

    private static Repacked Plan(GgufTensorInfo tensor, string file, FileLayout layout)
    {
        var packed = TensorTypes.PackedFormat(tensor.Type);
        var format = packed ?? TensorTypes.PlainFormat(tensor.Type)
            ?? throw Unsupported($"has type {TensorTypes.Name(tensor.Type)}; F32, F16, Q8_0, Q4_0 and IQ4_NL can be repacked");
        if (tensor.Dimensions.Count > 2 || tensor.Dimensions.Any(static dimension => dimension is < 1 or > GgufLimits.Size))
            throw Unsupported("QED models have vectors and matrices of up to 2^20 rows and columns only");
        bool matrix = tensor.Dimensions.Count == 2;
        int rows = matrix ? (int)tensor.Dimensions[0] : 1, cols = (int)tensor.Dimensions[^1];
        bool toPacked = matrix && layout == FileLayout.Packed;
        var to = !toPacked && PackedLayout.HasScales(format) && cols % PackedLayout.BlockSize != 0 ? BlockFormat.F16 : format;
        return new Repacked(tensor, rows, cols, format, packed is not null, to, toPacked);

        ModelFormatException Unsupported(string problem) =>
            new(ModelFault.Unsupported, file, problem, tensor: tensor.Name, offset: tensor.Offset);
    }

    /// <summary>A tensor [Rows, Cols] before and after.</summary>
    private sealed record Repacked(GgufTensorInfo Source, int Rows, int Cols, BlockFormat Format, bool FromPacked, BlockFormat To, bool ToPacked)
    {
        public TensorType Type => TensorTypes.Of(To, ToPacked);

        public long Bytes => ToPacked ? PackedLayout.MatrixBytes(To, Rows, Cols) : Rows * BlockCodec.RowBytes(To, Cols);

        public int GroupBytes(int rows) => checked((int)(ToPacked ? PackedLayout.GroupBytes(To, Cols) : rows * BlockCodec.RowBytes(To, Cols)));
    }

    /// <summary>Moves one row group of a tensor at a time, over plain rows.</summary>
    private sealed class Work(Repacked tensor, NativeView data)
    {
        public void Group(int firstRow, int rows, Span<byte> output)
        {
            int rowBytes = (int)BlockCodec.RowBytes(tensor.Format, tensor.Cols);
            using var unpacked = SpanOwner<byte>.Allocate(tensor.FromPacked ? rows * rowBytes : 0); // [rows][row bytes]
            ReadOnlySpan<byte> plain = unpacked.Span;
            if (tensor.FromPacked)
            {
                long groupBytes = PackedLayout.GroupBytes(tensor.Format, tensor.Cols);
                Packing.UnpackGroup(tensor.Format, data.Span(firstRow / PackedLayout.GroupRows * groupBytes, (int)groupBytes), rows, tensor.Cols, unpacked.Span);
            }
            else
            {
                plain = data.Span((long)firstRow * rowBytes, rows * rowBytes);
            }

            if (tensor.ToPacked)
                Packing.PackGroup(tensor.To, plain, rows, tensor.Cols, output);
            else if (tensor.Format == tensor.To)
                plain.CopyTo(output);
            else
                Reencode(plain, rows, output);
        }

        private void Reencode(ReadOnlySpan<byte> plain, int rows, Span<byte> output)
        {
            using var row = SpanOwner<float>.Allocate(tensor.Cols);
            int from = plain.Length / rows, to = output.Length / rows;
            for (int i = 0; i < rows; i++)
            {
                BlockCodec.DecodeRow(tensor.Format, plain.Slice(i * from, from), row.Span);
                if (!BlockCodec.EncodeRow(tensor.To, row.Span, output.Slice(i * to, to)))
                    throw new QedException($"tensor '{tensor.Source.Name}': a value is beyond half precision, which the plain layout needs for this width");
            }
        }
    }
}
