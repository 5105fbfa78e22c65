using System.Buffers.Binary;
using System.Text;

namespace QedEdge.Gguf;

/// <summary>
/// A cursor over a file's header. Every read compares with the bytes that remain (never adds to a position first) and says
/// whether the file is short or damaged: a plausible length that the file does not hold means that its end is missing.
/// </summary>
internal ref struct GgufReader
{
    /// <summary>No real string, array or table is longer; a larger announced length is damage, not a missing end.</summary>
    public const ulong Plausible = 1UL << 30;

    private static readonly UTF8Encoding StrictUtf8 = new(false, throwOnInvalidBytes: true);
    private readonly ReadOnlySpan<byte> _bytes;
    private readonly string _file;
    private readonly long _fileLength;
    private int _position;

    /// <summary>Starts at the first byte.</summary>
    /// <param name="bytes">The file's bytes, or its first 2 GB.</param>
    /// <param name="file">The file's name, for errors.</param>
    /// <param name="fileLength">The length of the whole file.</param>
    public GgufReader(ReadOnlySpan<byte> bytes, string file, long fileLength)
    {
        _bytes = bytes;
        _file = file;
        _fileLength = fileLength;
    }

    /// <summary>The key being read, for errors.</summary>
    public string? Key { get; set; }

    /// <summary>The tensor being read, for errors.</summary>
    public string? Tensor { get; set; }

    /// <summary>Bytes read so far.</summary>
    public readonly int Position => _position;

    /// <summary>Bytes left.</summary>
    public readonly int Remaining => _bytes.Length - _position;

    /// <summary>The next 32 bits.</summary>
    public uint UInt32(string what) => BinaryPrimitives.ReadUInt32LittleEndian(Take(4, what));

    /// <summary>The next 64 bits.</summary>
    public ulong UInt64(string what) => BinaryPrimitives.ReadUInt64LittleEndian(Take(8, what));

    /// <summary>The next bytes.</summary>
    public ReadOnlySpan<byte> Take(int count, string what)
    {
        if (count > Remaining)
            throw Short((ulong)count, what);
        var taken = _bytes.Slice(_position, count);
        _position += count;
        return taken;
    }

    /// <summary>A length and as many bytes of a name: valid UTF-8 without NUL.</summary>
    public string Name(int longest, string what)
    {
        int start = _position;
        ulong length = UInt64(what);
        if (length == 0 || length > (ulong)longest)
            throw Damaged($"{what} has a length of {length} bytes; 1 to {longest} are possible", start);
        var bytes = Take((int)length, what);
        if (bytes.Contains((byte)0))
            throw Damaged($"{what} contains a NUL", start);
        try
        {
            return StrictUtf8.GetString(bytes);
        }
        catch (DecoderFallbackException)
        {
            throw Damaged($"{what} is not UTF-8", start);
        }
    }

    /// <summary>Passes over strings without decoding them.</summary>
    public void SkipStrings(int count)
    {
        var bytes = _bytes;
        int position = _position;
        for (int i = 0; i < count; i++)
        {
            if (bytes.Length - position < 8)
            {
                _position = position;
                throw Short(8, "a string's length");
            }
            ulong length = BinaryPrimitives.ReadUInt64LittleEndian(bytes[position..]);
            position += 8;
            if (length > (ulong)(bytes.Length - position))
            {
                _position = position;
                throw Short(length, "a string");
            }
            position += (int)length;
        }
        _position = position;
    }

    /// <summary>The error for something that needs more bytes than remain.</summary>
    public readonly ModelFormatException Short(ulong needed, string what)
    {
        if (needed > Plausible)
            return Damaged($"{what} announces {needed} bytes, more than the file has", _position);
        if (_fileLength > _bytes.Length)
            return Error(ModelFault.Unsupported, "the header is larger than 2 GB", _position);
        return Error(ModelFault.ShortFile, $"the file ends too early: {what} needs {needed} bytes and {Remaining} are left; download or copy it again", _position);
    }

    /// <summary>The error for a value that cannot be.</summary>
    public readonly ModelFormatException Damaged(string problem, long offset) => Error(ModelFault.Damaged, problem, offset);

    /// <summary>An error at a place in the file, with the key or tensor being read.</summary>
    public readonly ModelFormatException Error(ModelFault fault, string problem, long offset) =>
        new(fault, _file, problem, Key, Tensor, offset);
}
