using System.IO.Hashing;
using System.Text;
using QedEdge.Memory;
using QedEdge.Quantization;
using QedEdge.Quantization.Formats;

namespace QedEdge.Conversion.Calibration;

/// <summary>
/// Matrices that are done, in a file beside the output, so that a conversion that was stopped or killed goes on where it was. What another conversion left is not
/// used, nor is a record that was not written to its end:
/// <code>
/// "QEDWORK2" | fingerprint of the conversion (uint64) | records: name (length-prefixed UTF-8) | bytes (int64) | plain rows | XXH3-64 of the record before it
/// </code>
/// </summary>
internal sealed class WorkFile : IDisposable
{
    private const ulong Magic = 0x324B524F57444551; // "QEDWORK2"

    private readonly FileStream _stream;
    private readonly Dictionary<string, (long Position, long Bytes)> _found = [];

    /// <summary>Opens the file of a conversion, or begins it.</summary>
    /// <param name="output">The output that it lies beside.</param>
    /// <param name="fingerprint">Says which conversion: weights, text, formats, method.</param>
    /// <exception cref="QedException">The file cannot be written, or another conversion has it.</exception>
    public WorkFile(string output, ulong fingerprint)
    {
        Path = OutputNames.Work(output);
        FileStream stream = _stream = LockedFile.Open(Path, output, keep: true, isPrivate: true, bufferSize: 1 << 12);
        try
        {
            long good = Read(fingerprint);
            stream.SetLength(good);
            stream.Position = good;
            if (good > 0)
                return;
            stream.Write(BitConverter.GetBytes(Magic));
            stream.Write(BitConverter.GetBytes(fingerprint));
            stream.Flush();
        }
        catch (Exception exception) when (WriteError.Is(exception))
        {
            Dispose();
            throw Failed(exception);
        }
    }

    /// <summary>The file.</summary>
    public string Path { get; }

    /// <summary>Whether a matrix is done.</summary>
    public bool Contains(string name) => _found.ContainsKey(name);

    /// <summary>A matrix that is done.</summary>
    /// <exception cref="QedException">The file cannot be read.</exception>
    public EncodedMatrix Take(string name, PackedMatrix shape, BlockFormat format)
    {
        (long position, long bytes) = _found[name];
        if (bytes != shape.Rows * format.Info().RowBytes(shape.Cols))
            throw new QedException($"{Path}: is damaged at '{name}' and is removed; the same command begins anew");
        try
        {
            _stream.Position = position;
            return EncodedMatrix.Load(_stream, format, shape.Rows, shape.Cols);
        }
        catch (Exception exception) when (WriteError.Is(exception))
        {
            throw Failed(exception);
        }
    }

    /// <summary>Adds one.</summary>
    /// <exception cref="QedException">The disk is full, or the file cannot be written otherwise.</exception>
    public void Add(string name, EncodedMatrix matrix)
    {
        try
        {
            _stream.Position = _stream.Length;
            using var head = new MemoryStream();
            using (var writer = new BinaryWriter(head, Encoding.UTF8, leaveOpen: true))
            {
                writer.Write(name);
                writer.Write(matrix.Plain.Length);
            }
            var hash = new XxHash3();
            hash.Append(head.GetBuffer().AsSpan(0, (int)head.Length));
            head.WriteTo(_stream);
            matrix.Plain.InPieces(piece =>
            {
                hash.Append(piece);
                _stream.Write(piece);
            });
            _stream.Write(BitConverter.GetBytes(hash.GetCurrentHashAsUInt64()));
            _stream.Flush();
        }
        catch (Exception exception) when (WriteError.Is(exception))
        {
            throw Failed(exception);
        }
    }

    /// <summary>The conversion is done: nobody needs the file any more.</summary>
    public void Delete()
    {
        LockedFile.Remove(Path, _stream, _stream.SafeFileHandle);
        Dispose();
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        try
        {
            _stream.Dispose();
        }
        catch (Exception exception) when (WriteError.Is(exception))
        {
            // What was not written is not there: the next run does it again.
        }
    }

    /// <summary>Finds what is good; returns where that ends, 0 for nothing.</summary>
    private long Read(ulong fingerprint)
    {
        using var reader = new BinaryReader(_stream, Encoding.UTF8, leaveOpen: true);
        long good = 0;
        var piece = new byte[1 << 16];
        try
        {
            if (reader.ReadUInt64() != Magic || reader.ReadUInt64() != fingerprint)
                return 0;
            good = _stream.Position;
            while (good < _stream.Length)
            {
                string name = reader.ReadString();
                long bytes = reader.ReadInt64(), data = _stream.Position;
                if (bytes < 0 || bytes > _stream.Length - data - sizeof(ulong))
                    break;
                var hash = new XxHash3();
                _stream.Position = good;
                for (long left = data + bytes - good; left > 0;)
                {
                    int count = (int)Math.Min(left, piece.Length);
                    _stream.ReadExactly(piece, 0, count);
                    hash.Append(piece.AsSpan(0, count));
                    left -= count;
                }
                if (reader.ReadUInt64() != hash.GetCurrentHashAsUInt64())
                    break;
                _found[name] = (data, bytes);
                good = _stream.Position;
            }
        }
        catch (Exception exception) when (exception is EndOfStreamException or FormatException or ArgumentException)
        {
            // The last record was cut short.
        }
        return good;
    }

    private QedException Failed(Exception exception) =>
        new($"{Path}: cannot be written or read: {WriteError.Reason(exception)}; free space, and the same command goes on from there", exception);
}
