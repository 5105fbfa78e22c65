using System.IO.Hashing;
using CommunityToolkit.HighPerformance.Buffers;
using QedEdge.Conversion.Calibration;
using QedEdge.Conversion.Checkpoints;
using QedEdge.Memory;
using QedEdge.Quantization;
using QedEdge.Quantization.Formats;

namespace QedEdge.Conversion;

/// <summary>Encodes a checkpoint's tensors, a few rows in memory at a time, and measures the error of each.</summary>
/// <param name="threads">Threads to use.</param>
/// <param name="method">How the quants of formats with four bits are chosen.</param>
/// <param name="encoded">Matrices that calibration quantized, by their names in the packed layout.</param>
internal sealed class TensorEncoder(int threads, QuantizationMethod method, IReadOnlyDictionary<string, EncodedMatrix> encoded)
{
    private readonly RowGroupRunner _runner = new(threads);
    private GroupResult[] _results = [];

    /// <summary>Encodes a tensor.</summary>
    /// <param name="tensor">What to write.</param>
    /// <param name="write">Takes the tensor's bytes, in order.</param>
    /// <param name="report">Takes the tensor's sizes and errors.</param>
    /// <param name="progress">Takes the source's bytes done so far.</param>
    /// <param name="cancellation">Stops the work.</param>
    /// <returns>The checksum (XXH3-64) of the source's data; 0 where there are none.</returns>
    /// <exception cref="ModelFormatException">A value is not finite, or does not fit the format; or the source was changed meanwhile.</exception>
    public ulong Encode(PlannedTensor tensor, Action<ReadOnlySpan<byte>> write, TypeReport report, Action<long> progress, CancellationToken cancellation)
    {
        using var mapped = tensor.Source is { } source ? SafetensorsValues.Map(source) : null;
        var data = mapped?.View ?? default;
        bool isExact = IsExact(tensor, data);
        if (isExact)
            report.ExactCount++;
        int groups = PackedLayout.RowGroups(tensor.Rows);
        if (_results.Length < groups)
            _results = new GroupResult[groups];
        float largest = 0;
        double sum = 0, magnitudes = 0;
        int checkedGroups = 0;
        var checksum = new XxHash3();
        long hashed = 0;
        _runner.Run(tensor.Rows, tensor.GroupBytes,
            (firstRow, rows, output) => _results[firstRow / PackedLayout.GroupRows] = EncodeGroup(tensor, data, isExact, firstRow, rows, output),
            (rowsDone, bytes) =>
            {
                // In the groups' order, whichever thread made them: the first fault is named, and sums do not depend on the threads.
                for (int doneGroups = PackedLayout.RowGroups(rowsDone); checkedGroups < doneGroups; checkedGroups++)
                {
                    ref var result = ref _results[checkedGroups];
                    if (result.Problem is not null)
                        throw new ModelFormatException(result.Fault, tensor.Source!.File, result.Problem, tensor: tensor.Source.Name);
                    largest = Math.Max(largest, result.LargestError);
                    sum += result.ErrorSum;
                    magnitudes += result.MagnitudeSum;
                }
                write(bytes);
                // While the rows are still in memory: a large tensor is read once.
                long read = data.Length / tensor.Rows * rowsDone;
                data.Slice(hashed, read - hashed).InPieces(checksum.Append);
                hashed = read;
                progress(read);
            },
            cancellation);
        report.Add((long)tensor.Rows * tensor.Cols, tensor.Bytes, largest, sum, magnitudes);
        return tensor.Source is null ? 0 : checksum.GetCurrentHashAsUInt64();
    }

    /// <summary>Compares two tensors byte by byte.</summary>
    public static bool AreEqual(SafetensorsTensor a, SafetensorsTensor b)
    {
        if (a.Type != b.Type || a.Bytes != b.Bytes)
            return false;
        using var left = SafetensorsValues.Map(a);
        using var right = SafetensorsValues.Map(b);
        const int part = 1 << 20;
        for (long at = 0; at < a.Bytes; at += part)
        {
            int length = (int)Math.Min(part, a.Bytes - at);
            if (!left.View.Span(at, length).SequenceEqual(right.View.Span(at, length)))
                return false;
        }
        return true;
    }

    /// <summary>Whether a matrix lies on the grid of <c>Q4_0</c> already, and becomes what holds it; of one that does not, the first rows show it.</summary>
    private static bool IsExact(PlannedTensor tensor, NativeView data)
    {
        if (!ExactNibbles.Holds(tensor.Format) || tensor.Source is null || tensor.Update is not null)
            return false;
        using var row = SpanOwner<float>.Allocate(tensor.Cols);
        using var plain = SpanOwner<byte>.Allocate((int)tensor.Format.Info().RowBytes(tensor.Cols));
        for (int i = 0; i < tensor.Rows; i++)
        {
            ReadRow(tensor, data, tensor.SourceRowOf(i), row.Span);
            if (!ExactNibbles.TryEncode(row.Span, tensor.Format, plain.Span))
                return false;
        }
        return true;
    }

    private GroupResult EncodeGroup(PlannedTensor tensor, NativeView data, bool isExact, int firstRow, int rows, Span<byte> output)
    {
        int rowBytes = (int)tensor.Format.Info().RowBytes(tensor.Cols);
        using var plainOwner = SpanOwner<byte>.Allocate(tensor.Packed ? rows * rowBytes : 0);     // [rows][row bytes]
        using var rowOwner = SpanOwner<float>.Allocate(tensor.Cols);                              // [cols]
        using var decodedOwner = SpanOwner<float>.Allocate(tensor.Cols);                          // [cols]
        Span<byte> plain = tensor.Packed ? plainOwner.Span : output;
        Span<float> row = rowOwner.Span, decoded = decodedOwner.Span;
        var result = default(GroupResult);
        for (int i = 0; i < rows; i++)
        {
            var bytes = plain.Slice(i * rowBytes, rowBytes);
            int sourceRow = tensor.IsMatrix ? tensor.SourceRowOf(firstRow + i) : 0;
            ReadRow(tensor, data, sourceRow, row);
            int notFinite = SafetensorsValues.FindNotFinite(row);
            if (notFinite >= 0)
                return new GroupResult { Fault = ModelFault.Damaged, Problem = $"the value at {tensor.Place(sourceRow, notFinite)} is not finite; {NotFinite(tensor)}" };
            (string ownName, int ownRow) = tensor.OwnRowOf(firstRow + i);
            if (isExact)
                ExactNibbles.TryEncode(row, tensor.Format, bytes);
            else if (encoded.TryGetValue(ownName, out EncodedMatrix? calibrated))
                calibrated.Row(ownRow).CopyTo(bytes);
            else if (!tensor.Format.Info().EncodeRow(row, bytes, method))
                return new GroupResult { Fault = ModelFault.Unsupported, Problem = $"a value near {tensor.Place(sourceRow, 0)} is beyond the range of {tensor.Format}; convert with --type f32 and --embedding-type f32" };
            if (tensor.Format == BlockFormat.F32)
                continue;
            tensor.Format.Info().DecodeRow(bytes, decoded);
            result.Measure(row, decoded);
        }
        if (tensor.Packed)
            tensor.Format.Info().PackGroup(plain, rows, tensor.Cols, output);
        return result;
    }

    private static string NotFinite(PlannedTensor tensor) => tensor.Update is null
        ? "the checkpoint is damaged or was not trained to an end"
        : "the checkpoint is damaged, or the adapter merged into it belongs to another one";

    private static void ReadRow(PlannedTensor tensor, NativeView data, int index, Span<float> row)
    {
        if (tensor.Source is not { } source)
        {
            row.Clear();
            tensor.Values?.CopyTo(row);
            return;
        }
        if (tensor.IsTransposed)
            ReadColumn(tensor, source, data, index, row);
        else if (tensor.IsMatrix)
            SafetensorsValues.ReadRow(source, data, index, row);
        else
            ReadVector(tensor, source, data, row);
        tensor.Update?.AddTo(index, row);
    }

    private static void Decode(string type, NativeView data, long first, Span<float> values)
    {
        int size = SafetensorsValues.Size(type);
        SafetensorsValues.Decode(type, data.Span(first * size, values.Length * size), values);
    }

    /// <summary>A row of a matrix that is stored [columns, rows].</summary>
    private static void ReadColumn(PlannedTensor tensor, SafetensorsTensor source, NativeView data, int index, Span<float> row)
    {
        long stored = source.Shape[1];
        for (int col = 0; col < row.Length; col++)
            Decode(source.Type, data, col * stored + index, row.Slice(col, 1));
    }

    private static void ReadVector(PlannedTensor tensor, SafetensorsTensor source, NativeView data, Span<float> row)
    {
        if (tensor.SourceRow is null)
        {
            Decode(source.Type, data, 0, row);
        }
        else
        {
            for (int i = 0; i < row.Length; i++)
                Decode(source.Type, data, tensor.SourceRow(i), row.Slice(i, 1));
        }
        if (tensor.Plus == 0)
            return;
        foreach (ref float value in row)
            value += tensor.Plus;
    }

    /// <summary>What a row group came to.</summary>
    private struct GroupResult
    {
        public ModelFault Fault;
        public string? Problem;
        public float LargestError;
        public double ErrorSum, MagnitudeSum;

        public void Measure(ReadOnlySpan<float> exact, ReadOnlySpan<float> stored)
        {
            for (int i = 0; i < exact.Length; i++)
            {
                float error = MathF.Abs(exact[i] - stored[i]);
                LargestError = MathF.Max(LargestError, error);
                ErrorSum += error;
                MagnitudeSum += MathF.Abs(exact[i]);
            }
        }
    }
}
