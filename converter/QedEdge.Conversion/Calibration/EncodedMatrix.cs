using QedEdge.Memory;
using QedEdge.Quantization;
using QedEdge.Quantization.Formats;

namespace QedEdge.Conversion.Calibration;

/// <summary>A quantized matrix [rows, cols] in both orders: plain rows for the file, packed for running it.</summary>
internal sealed class EncodedMatrix : IDisposable
{
    private readonly AlignedBuffer<byte> _plain, _packed;
    private readonly int _rowBytes;

    private EncodedMatrix(BlockFormat format, int rows, int cols)
    {
        _rowBytes = checked((int)format.Info().RowBytes(cols));
        _plain = new AlignedBuffer<byte>((long)rows * _rowBytes);
        _packed = new AlignedBuffer<byte>(format.Info().MatrixBytes(rows, cols));
        Packed = new PackedMatrix(format, rows, cols, _packed.View);
    }

    /// <summary>The packed matrix; valid until this is disposed.</summary>
    public PackedMatrix Packed { get; }

    /// <summary>A plain row.</summary>
    public ReadOnlySpan<byte> Row(int index) => _plain.Slice((long)index * _rowBytes, _rowBytes);

    /// <summary>All plain rows; valid until this is disposed.</summary>
    public NativeView Plain => _plain.View;

    /// <summary>A matrix that was quantized before.</summary>
    /// <param name="plain">Stands on its plain rows.</param>
    /// <param name="format">Their format.</param>
    /// <param name="rows">How many.</param>
    /// <param name="cols">Their columns.</param>
    public static EncodedMatrix Load(Stream plain, BlockFormat format, int rows, int cols)
    {
        var encoded = new EncodedMatrix(format, rows, cols);
        for (int row = 0; row < rows; row++)
            plain.ReadExactly(encoded._plain.Slice((long)row * encoded._rowBytes, encoded._rowBytes));
        for (int group = 0; group < encoded.Packed.Groups; group++)
            encoded.Pack(group);
        return encoded;
    }

    /// <summary>Quantizes a matrix.</summary>
    /// <param name="name">Its name, for errors.</param>
    /// <param name="matrix">Its values, F32.</param>
    /// <param name="format">How to store it.</param>
    /// <param name="inputs">What flows into it, or null where nothing is known.</param>
    /// <param name="options">The method and the threads.</param>
    /// <param name="cancellation">Stops between two row groups.</param>
    /// <exception cref="QedException">A value is beyond the format's range.</exception>
    public static EncodedMatrix Encode(string name, PackedMatrix matrix, BlockFormat format, InputStatistics? inputs, CalibrationOptions options, CancellationToken cancellation)
    {
        var encoded = new EncodedMatrix(format, matrix.Rows, matrix.Cols);
        bool hasScales = format.Info().HasScales;
        ErrorFeedback? feedback = inputs is not null && hasScales && options.Method == QuantizationMethod.ErrorFeedback ? new ErrorFeedback(inputs, format) : null;
        double[] importance = inputs is not null && hasScales ? inputs.Diagonal() : [];
        QuantizationMethod method = options.Method == QuantizationMethod.Nearest ? QuantizationMethod.Nearest : QuantizationMethod.Search;
        bool fits = true;
        Work.For(matrix.Groups, options.Threads, group =>
        {
            int first = group * PackedLayout.GroupRows, rows = Math.Min(PackedLayout.GroupRows, matrix.Rows - first);
            var values = new float[matrix.Cols];
            for (int i = 0; i < rows; i++)
            {
                matrix.Format.Info().DequantizeRow(matrix.Group(group), i, values);
                Span<byte> plain = encoded._plain.Slice((long)(first + i) * encoded._rowBytes, encoded._rowBytes);
                if (!(feedback?.Encode(values, plain) ?? format.Info().EncodeRow(values, plain, method, importance)))
                    Volatile.Write(ref fits, false);
            }
            encoded.Pack(group);
        }, cancellation);
        if (!fits)
        {
            encoded.Dispose();
            throw new QedException($"tensor '{name}': a value, or what it would have to be to make up for errors before it, is beyond the range of {format}; give it another type with --tensor-type");
        }
        return encoded;

    }

    private void Pack(int group)
    {
        int first = group * PackedLayout.GroupRows, rows = Math.Min(PackedLayout.GroupRows, Packed.Rows - first);
        Packed.Format.Info().PackGroup(_plain.Slice((long)first * _rowBytes, rows * _rowBytes), rows, Packed.Cols,
            _packed.Slice(group * Packed.GroupBytes, (int)Packed.GroupBytes));
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _plain.Dispose();
        _packed.Dispose();
    }
}
