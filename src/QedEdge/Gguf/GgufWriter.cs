using System.Buffers;
using System.Buffers.Binary;
using System.IO.Hashing;
using System.Runtime.InteropServices;
using System.Text;

namespace QedEdge.Gguf;

/// <summary>
/// Writes a GGUF version 3 file as a stream: add metadata and tensors, <see cref="Begin"/>, give each tensor's data in the
/// table's order in any number of parts, <see cref="End"/>. What is known only then can be <see cref="Set(string, float)"/> in place of what was
/// added, before the end comes again. Only the header is held in memory. Misuse (a key twice, data of a
/// wrong length or order) throws <see cref="ArgumentException"/> or <see cref="InvalidOperationException"/>.
/// </summary>
internal sealed class GgufWriter
{
    /// <summary>The alignment with which kernels read tensors in place.</summary>
    public const int CacheLine = 64;

    private const int Version = 3;
    private static readonly UTF8Encoding StrictUtf8 = new(false, throwOnInvalidBytes: true);
    private readonly int _alignment;
    private readonly bool _checksums;
    private readonly Dictionary<string, int> _keys = []; // where the value begins in the metadata, or −1
    private readonly HashSet<string> _names = [];
    private readonly ArrayBufferWriter<byte> _metadata = new();
    private readonly ArrayBufferWriter<byte> _table = new();
    private readonly List<long> _sizes = [];
    private readonly XxHash3 _hash = new();
    private readonly byte[] _zeros;
    private long _dataLength;
    private Stream? _stream;
    private long _start;
    private byte[] _header = [];
    private int _metadataOffset;
    private int _headerChecksumOffset;
    private int _tensorChecksumsOffset;
    private int _current;
    private long _written;

    /// <summary>Starts a file.</summary>
    /// <param name="alignment">Alignment of tensor data in bytes, a power of two.</param>
    /// <param name="checksums">Whether to write the checksums that <see cref="GgufChecksums"/> describes.</param>
    public GgufWriter(int alignment = CacheLine, bool checksums = true)
    {
        if (alignment > GgufLimits.Alignment || !int.IsPow2(alignment))
            throw new ArgumentOutOfRangeException(nameof(alignment));
        _alignment = alignment;
        _checksums = checksums;
        _zeros = new byte[alignment];
        Reserve(GgufKeys.Alignment);
        Put(GgufKeys.Alignment, GgufValueType.UInt32, (uint)alignment);
        Reserve(GgufKeys.HeaderChecksum);
        Reserve(GgufKeys.TensorChecksums);
    }

    /// <summary>Bytes of tensor data announced so far, with padding.</summary>
    public long DataLength => _dataLength;

    /// <summary>Adds text; it must be valid UTF-16.</summary>
    public void Add(string key, string value)
    {
        Start(key, GgufValueType.String);
        Text(_metadata, value);
    }

    /// <summary>Adds a UInt32.</summary>
    public void Add(string key, uint value) => Number(key, GgufValueType.UInt32, value);

    /// <summary>Adds a size or an id as a UInt32, the type that the format's keys have; it must not be negative.</summary>
    public void Add(string key, int value)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(value);
        Add(key, (uint)value);
    }

    /// <summary>Adds a UInt64.</summary>
    public void Add(string key, ulong value) => Number(key, GgufValueType.UInt64, value);

    /// <summary>Adds a Float32.</summary>
    public void Add(string key, float value) => Number(key, GgufValueType.Float32, value);

    /// <summary>Adds a Bool.</summary>
    public void Add(string key, bool value) => Number(key, GgufValueType.Bool, value ? (byte)1 : (byte)0);

    /// <summary>Adds an array of strings.</summary>
    public void Add(string key, string[] values)
    {
        StartArray(key, GgufValueType.String, values.Length);
        foreach (string value in values)
            Text(_metadata, value);
    }

    /// <summary>Adds an array of UInt32.</summary>
    public void Add(string key, uint[] values) => Numbers<uint>(key, GgufValueType.UInt32, values);

    /// <summary>Adds an array of Int32.</summary>
    public void Add(string key, bool[] values) => Numbers<byte>(key, GgufValueType.Bool, Array.ConvertAll(values, static value => value ? (byte)1 : (byte)0));

    /// <summary>Adds an array.</summary>
    public void Add(string key, int[] values) => Numbers<int>(key, GgufValueType.Int32, values);

    /// <summary>Adds an array of Float32.</summary>
    public void Add(string key, float[] values) => Numbers<float>(key, GgufValueType.Float32, values);

    /// <summary>Adds an array of UInt64.</summary>
    public void Add(string key, ulong[] values) => Numbers<ulong>(key, GgufValueType.UInt64, values);

    /// <summary>Adds a key of another file with its value of whatever type. The keys that the writer writes itself (alignment, checksums) are passed over.</summary>
    public void Copy(GgufMetadata source, string key)
    {
        if (key is GgufKeys.Alignment or GgufKeys.HeaderChecksum or GgufKeys.TensorChecksums)
            return;
        Start(key, source.TypeOf(key));
        _metadata.Write(source.Raw(key));
    }

    /// <summary>Announces a tensor; its data lie behind those of the tensor before.</summary>
    /// <param name="name">Unique; 1 to 63 bytes of UTF-8.</param>
    /// <param name="type">How its values are stored.</param>
    /// <param name="dimensions">1 to 4, outermost first ([rows, cols]).</param>
    /// <param name="bytes">The length of its data, checked against type and dimensions.</param>
    public void AddTensor(string name, TensorType type, ReadOnlySpan<long> dimensions, long bytes)
    {
        RequireNotBegun();
        if (StrictUtf8.GetByteCount(name) is < 1 or > 63 || !_names.Add(name))
            throw new ArgumentException($"the tensor name '{name}' is too long, empty or taken", nameof(name));
        if (dimensions.Length is < 1 or > 4)
            throw new ArgumentException($"tensor '{name}' has {dimensions.Length} dimensions", nameof(dimensions));
        if (TensorTypes.TryBytes(type, dimensions, out long expected) is string problem)
            throw new ArgumentException($"tensor '{name}': {problem}", nameof(dimensions));
        if (bytes != expected)
            throw new ArgumentException($"tensor '{name}' takes {expected} bytes, not {bytes}", nameof(bytes));

        Text(_table, name);
        Put(_table, (uint)dimensions.Length);
        for (int i = dimensions.Length - 1; i >= 0; i--)
            Put(_table, (ulong)dimensions[i]);
        Put(_table, (uint)type);
        Put(_table, (ulong)_dataLength);
        _sizes.Add(bytes);
        _dataLength = checked(GgufHeader.AlignUp(_dataLength + bytes, _alignment));
    }

    /// <summary>Writes the header; metadata and table are complete.</summary>
    /// <param name="stream">Where to, from its present position on. With checksums it must be able to seek.</param>
    public void Begin(Stream stream)
    {
        RequireNotBegun();
        if (_checksums)
        {
            Put(GgufKeys.TensorChecksums, GgufValueType.Array, (uint)GgufValueType.UInt64);
            Put(_metadata, (ulong)_sizes.Count);
            _tensorChecksumsOffset = _metadata.WrittenCount;
            _metadata.Write(new byte[8 * _sizes.Count]);
            Put(GgufKeys.HeaderChecksum, GgufValueType.UInt64, 0UL);
            _headerChecksumOffset = _metadata.WrittenCount - 8;
        }

        var header = new ArrayBufferWriter<byte>();
        header.Write("GGUF"u8);
        Put(header, (uint)Version);
        Put(header, (ulong)_sizes.Count);
        Put(header, (ulong)(_checksums ? _keys.Count : _keys.Count - 2));
        _metadataOffset = header.WrittenCount;
        _tensorChecksumsOffset += _metadataOffset;
        _headerChecksumOffset += _metadataOffset;
        header.Write(_metadata.WrittenSpan);
        header.Write(_table.WrittenSpan);
        header.Write(_zeros.AsSpan(0, (int)(GgufHeader.AlignUp(header.WrittenCount, _alignment) - header.WrittenCount)));
        _header = header.WrittenSpan.ToArray();
        _start = _checksums ? stream.Position : 0;
        _stream = stream;
        stream.Write(_header);
        FinishTensors();
    }

    /// <summary>Writes the next part of a tensor's data; all data of the tensors before it were written.</summary>
    /// <param name="index">The tensor's index in the order of <see cref="AddTensor"/>.</param>
    /// <param name="part">Any number of bytes.</param>
    public void WriteTensor(int index, ReadOnlySpan<byte> part)
    {
        var stream = _stream ?? throw new InvalidOperationException("Begin comes first");
        if (part.IsEmpty)
            return;
        if (index != _current || part.Length > _sizes[index] - _written)
            throw new InvalidOperationException($"{part.Length} bytes for tensor {index}; tensor {_current} is at {_written} bytes");
        stream.Write(part);
        _hash.Append(part);
        _written += part.Length;
        FinishTensors();
    }

    /// <summary>Gives a key another value, in a file with checksums; it takes effect with the next <see cref="End"/>, which writes the header again.</summary>
    public void Set(string key, float value) => BinaryPrimitives.WriteSingleLittleEndian(Value(key, sizeof(float)), value);

    /// <inheritdoc cref="Set(string, float)"/>
    public void Set(string key, uint value) => BinaryPrimitives.WriteUInt32LittleEndian(Value(key, sizeof(uint)), value);

    /// <summary>Gives a key another text of as many bytes.</summary>
    public void Set(string key, string value)
    {
        int length = StrictUtf8.GetByteCount(value);
        Span<byte> at = Value(key, 8 + length);
        if (BinaryPrimitives.ReadInt64LittleEndian(at) != length)
            throw new ArgumentException($"the text of '{key}' has another length", nameof(value));
        StrictUtf8.GetBytes(value, at[8..]);
    }

    /// <summary>Gives a key another array of as many numbers.</summary>
    public void Set(string key, ReadOnlySpan<ulong> values)
    {
        Span<byte> at = Value(key, 12 + 8 * values.Length);
        if (BinaryPrimitives.ReadInt64LittleEndian(at[4..]) != values.Length)
            throw new ArgumentException($"the array of '{key}' has another length", nameof(values));
        MemoryMarshal.AsBytes(values).CopyTo(at[12..]);
    }

    private Span<byte> Value(string key, int bytes) => _checksums && _header.Length > 0 && _keys.GetValueOrDefault(key, -1) is >= 0 and int offset
        ? _header.AsSpan(_metadataOffset + offset, bytes)
        : throw new InvalidOperationException($"'{key}' was not added, or Begin comes first");

    /// <summary>Fills in the checksums. The stream is not closed; its position is the file's end.</summary>
    public void End()
    {
        var stream = _stream ?? throw new InvalidOperationException("Begin comes first");
        if (_current != _sizes.Count)
            throw new InvalidOperationException($"tensor {_current} of {_sizes.Count} has {_written} of {_sizes[_current]} bytes");
        if (_checksums)
        {
            ulong checksum = GgufChecksums.Header(_header, _headerChecksumOffset);
            BinaryPrimitives.WriteUInt64LittleEndian(_header.AsSpan(_headerChecksumOffset), checksum);
            long end = stream.Position;
            stream.Position = _start;
            stream.Write(_header);
            stream.Position = end;
        }
    }

    /// <summary>Closes the current tensor when it is whole, and the empty ones behind it.</summary>
    private void FinishTensors()
    {
        while (_current < _sizes.Count && _written == _sizes[_current])
        {
            _stream!.Write(_zeros.AsSpan(0, (int)(GgufHeader.AlignUp(_written, _alignment) - _written)));
            if (_checksums)
                BinaryPrimitives.WriteUInt64LittleEndian(_header.AsSpan(_tensorChecksumsOffset + 8 * _current), _hash.GetCurrentHashAsUInt64());
            _hash.Reset();
            _written = 0;
            _current++;
        }
    }

    private void Number<T>(string key, GgufValueType type, T value) where T : unmanaged
    {
        Reserve(key);
        Put(key, type, value);
    }

    private void Numbers<T>(string key, GgufValueType type, ReadOnlySpan<T> values) where T : unmanaged
    {
        StartArray(key, type, values.Length);
        _metadata.Write(MemoryMarshal.AsBytes(values));
    }

    private void StartArray(string key, GgufValueType type, int count)
    {
        Start(key, GgufValueType.Array);
        Put(_metadata, (uint)type);
        Put(_metadata, (ulong)count);
    }

    private void Start(string key, GgufValueType type)
    {
        Reserve(key);
        Text(_metadata, key);
        Put(_metadata, (uint)type);
        _keys[key] = _metadata.WrittenCount;
    }

    private void Reserve(string key)
    {
        RequireNotBegun();
        if (key.Length is 0 or > ushort.MaxValue / 3 || !_keys.TryAdd(key, -1))
            throw new ArgumentException($"the key '{key}' is too long, empty or taken", nameof(key));
    }

    /// <summary>Writes an entry whose key is already reserved.</summary>
    private void Put<T>(string key, GgufValueType type, T value) where T : unmanaged
    {
        Text(_metadata, key);
        Put(_metadata, (uint)type);
        _keys[key] = _metadata.WrittenCount;
        Put(_metadata, value);
    }

    /// <summary>Writes a number as it lies in memory: all machines that .NET runs this on are little-endian, as the format is.</summary>
    private static void Put<T>(ArrayBufferWriter<byte> to, T value) where T : unmanaged =>
        to.Write(MemoryMarshal.AsBytes(new ReadOnlySpan<T>(in value)));

    private static void Text(ArrayBufferWriter<byte> to, string value)
    {
        Put(to, (ulong)StrictUtf8.GetByteCount(value));
        StrictUtf8.GetBytes(value, to);
    }

    private void RequireNotBegun()
    {
        if (_header.Length > 0)
            throw new InvalidOperationException("the header is already written");
    }
}
