using System.IO.Hashing;
using System.Text;
using QedEdge.Quantization;

namespace QedEdge.Conversion.Calibration;

/// <summary>
/// Matrices that are done, in a file beside the output, so that a conversion that was stopped or killed goes on where it was. What another conversion left is not
/// used, nor is a record that was not written to its end:
/// <code>
/// "QEDWORK1" | fingerprint of the conversion (uint64) | records: name (length-prefixed UTF-8) | bytes (int64) | XXH3-64 of the data | plain rows
/// </code>
/// </summary>
internal sealed class WorkFile : IDisposable
{
    private const ulong Magic = 0x314B524F57444551; // "QEDWORK1"

    private readonly string _path;
    private readonly FileStream _stream;
    private readonly Dictionary<string, byte[]> _found = [];

    /// <summary>Opens the file of a conversion, or begins it.</summary>
    /// <param name="path">Where.</param>
    /// <param name="fingerprint">Says which conversion: weights, text, formats, method.</param>
    /// <exception cref="QedException">The file cannot be written.</exception>
    public WorkFile(string path, ulong fingerprint)
    {
        _path = path;
        try
        {
            _stream = new FileStream(path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw new QedException($"{path}: cannot be written: {QedException.FirstLine(exception)}", exception);
        }
        long good = Read(fingerprint);
        _stream.SetLength(good);
        if (good > 0)
            return;
        using var writer = new BinaryWriter(_stream, Encoding.UTF8, leaveOpen: true);
        writer.Write(Magic);
        writer.Write(fingerprint);
    }

    /// <summary>Whether a matrix is done.</summary>
    public bool Contains(string name) => _found.ContainsKey(name);

    /// <summary>A matrix that is done.</summary>
    public EncodedMatrix Take(string name, PackedMatrix shape, BlockFormat format) => EncodedMatrix.Load(_found[name], format, shape.Rows, shape.Cols);

    /// <summary>Adds one.</summary>
    public void Add(string name, EncodedMatrix matrix)
    {
        byte[] plain = matrix.ToArray();
        using var writer = new BinaryWriter(_stream, Encoding.UTF8, leaveOpen: true);
        writer.Write(name);
        writer.Write((long)plain.Length);
        writer.Write(XxHash3.HashToUInt64(plain));
        writer.Write(plain);
        writer.Flush();
        _stream.Flush(flushToDisk: false);
    }

    /// <summary>The conversion is done: nobody needs the file any more.</summary>
    public void Delete()
    {
        _stream.Dispose();
        File.Delete(_path);
    }

    /// <inheritdoc/>
    public void Dispose() => _stream.Dispose();

    /// <summary>Reads what is good; returns where that ends, 0 for nothing.</summary>
    private long Read(ulong fingerprint)
    {
        using var reader = new BinaryReader(_stream, Encoding.UTF8, leaveOpen: true);
        long good = 0;
        try
        {
            if (reader.ReadUInt64() != Magic || reader.ReadUInt64() != fingerprint)
                return 0;
            good = _stream.Position;
            while (_stream.Position < _stream.Length)
            {
                string name = reader.ReadString();
                long bytes = reader.ReadInt64();
                ulong checksum = reader.ReadUInt64();
                if (bytes < 0 || bytes > _stream.Length - _stream.Position)
                    break;
                byte[] data = reader.ReadBytes((int)bytes);
                if (XxHash3.HashToUInt64(data) != checksum)
                    break;
                _found[name] = data;
                good = _stream.Position;
            }
        }
        catch (Exception exception) when (exception is EndOfStreamException or FormatException or ArgumentException or IOException)
        {
            // The last record was cut short.
        }
        _stream.Position = good;
        return good;
    }
}
