using System.Buffers.Binary;
using System.Globalization;
using System.Text;

namespace QedEdge.Gguf;

/// <summary>
/// A file's typed keys and values. They were checked when the file was opened, stay in the mapped file and are decoded when asked
/// for. A value of another type than asked for is an error (<see cref="ModelFault.Damaged"/>), never a default; integers of any
/// width are taken where the value fits.
/// </summary>
public sealed class GgufMetadata
{
    private static readonly UTF8Encoding StrictUtf8 = new(false, throwOnInvalidBytes: true);
    private readonly GgufFile _file;
    private readonly List<string> _keys;
    private readonly Dictionary<string, GgufHeader.Entry> _entries;

    internal GgufMetadata(GgufFile file, List<string> keys, Dictionary<string, GgufHeader.Entry> entries)
    {
        _file = file;
        _keys = keys;
        _entries = entries;
    }

    /// <summary>The metadata without the keys that begin so.</summary>
    internal GgufMetadata Without(string beginning)
    {
        List<string> kept = _keys.FindAll(key => !key.StartsWith(beginning, StringComparison.Ordinal));
        var entries = new Dictionary<string, GgufHeader.Entry>();
        foreach (string key in kept)
            entries.TryAdd(key, _entries[key]);
        return new GgufMetadata(_file, kept, entries);
    }

    /// <summary>All keys, in the file's order.</summary>
    public IReadOnlyList<string> Keys => _keys;

    /// <summary>Whether a key is present.</summary>
    public bool Contains(string key) => _entries.ContainsKey(key);

    /// <summary>The type of a key's value; throws where the key is missing.</summary>
    public GgufValueType TypeOf(string key) => Get(key).Type;

    /// <summary>Text, or null where the key is missing.</summary>
    public string? FindString(string key)
    {
        if (!_entries.TryGetValue(key, out var entry))
            return null;
        if (entry.Type != GgufValueType.String)
            throw WrongType(key, entry, "String");
        if (entry.Bytes - 8 > GgufLimits.TextBytes)
            throw new ModelFormatException(ModelFault.Damaged, _file.Name, $"the text has {entry.Bytes - 8} bytes; at most {GgufLimits.TextBytes} are possible", key, offset: entry.Start);
        return Decode(_file.View.Span(entry.Start + 8, entry.Bytes - 8), _file.Name, key);
    }

    /// <summary>An integer of any width that fits 32 bits unsigned, or null where the key is missing.</summary>
    public uint? FindUInt32(string key) =>
        FindInteger(key) is not Int128 value ? null : value >= 0 && value <= uint.MaxValue ? (uint)value : throw OutOfRange(key, value, "32 bits unsigned");

    /// <summary>An integer of any width that fits 64 bits unsigned, or null where the key is missing.</summary>
    public ulong? FindUInt64(string key) =>
        FindInteger(key) is not Int128 value ? null : value >= 0 ? (ulong)value : throw OutOfRange(key, value, "64 bits unsigned");

    /// <summary>An integer of any width that fits 64 bits signed, or null where the key is missing.</summary>
    public long? FindInt64(string key) =>
        FindInteger(key) is not Int128 value ? null : value <= long.MaxValue ? (long)value : throw OutOfRange(key, value, "64 bits signed");

    /// <summary>A 32-bit float, or null where the key is missing.</summary>
    public float? FindFloat32(string key)
    {
        if (!_entries.TryGetValue(key, out var entry))
            return null;
        return entry.Type == GgufValueType.Float32 ? BinaryPrimitives.ReadSingleLittleEndian(Bytes(entry)) : throw WrongType(key, entry, "Float32");
    }

    /// <summary>A float of either width, or null where the key is missing.</summary>
    public double? FindFloat64(string key)
    {
        if (!_entries.TryGetValue(key, out var entry))
            return null;
        return entry.Type == GgufValueType.Float64 ? BinaryPrimitives.ReadDoubleLittleEndian(Bytes(entry)) : FindFloat32(key);
    }

    /// <summary>A truth value, or null where the key is missing.</summary>
    public bool? FindBool(string key)
    {
        if (!_entries.TryGetValue(key, out var entry))
            return null;
        return entry.Type == GgufValueType.Bool ? Bytes(entry)[0] != 0 : throw WrongType(key, entry, "Bool");
    }

    /// <summary>An array, or null where the key is missing.</summary>
    public GgufArray? FindArray(string key)
    {
        if (!_entries.TryGetValue(key, out var entry))
            return null;
        return entry.Type == GgufValueType.Array ? new GgufArray(_file, key, entry) : throw WrongType(key, entry, "Array");
    }

    /// <summary>Whether a key has an array.</summary>
    internal bool IsArray(string key) => _entries.TryGetValue(key, out var entry) && entry.Type == GgufValueType.Array;

    /// <summary>Text; throws where the key is missing.</summary>
    public string GetString(string key) => FindString(key) ?? throw Missing(key);

    /// <summary>An integer that fits 32 bits unsigned; throws where the key is missing.</summary>
    public uint GetUInt32(string key) => FindUInt32(key) ?? throw Missing(key);

    /// <summary>An integer that fits 64 bits unsigned; throws where the key is missing.</summary>
    public ulong GetUInt64(string key) => FindUInt64(key) ?? throw Missing(key);

    /// <summary>A 32-bit float; throws where the key is missing.</summary>
    public float GetFloat32(string key) => FindFloat32(key) ?? throw Missing(key);

    /// <summary>A truth value; throws where the key is missing.</summary>
    public bool GetBool(string key) => FindBool(key) ?? throw Missing(key);

    /// <summary>An array; throws where the key is missing.</summary>
    public GgufArray GetArray(string key) => FindArray(key) ?? throw Missing(key);

    /// <summary>A value as text for people: numbers culture-invariant, arrays as their length and type.</summary>
    public string Describe(string key)
    {
        var entry = Get(key);
        return entry.Type switch
        {
            GgufValueType.String => FindString(key)!,
            GgufValueType.Array => $"{entry.Count} × {entry.ElementType}",
            GgufValueType.Bool => FindBool(key)!.Value ? "true" : "false",
            GgufValueType.Float32 => FindFloat32(key)!.Value.ToString(CultureInfo.InvariantCulture),
            GgufValueType.Float64 => FindFloat64(key)!.Value.ToString(CultureInfo.InvariantCulture),
            _ => FindInteger(key)!.Value.ToString(CultureInfo.InvariantCulture),
        };
    }

    /// <summary>A value's bytes as they stand in the file, to copy it into another.</summary>
    internal ReadOnlySpan<byte> Raw(string key) => Bytes(Get(key));

    /// <summary>Text in UTF-8, which the format demands; throws where it is not.</summary>
    internal static string Decode(ReadOnlySpan<byte> bytes, string file, string key)
    {
        try
        {
            return StrictUtf8.GetString(bytes);
        }
        catch (DecoderFallbackException)
        {
            throw new ModelFormatException(ModelFault.Damaged, file, "the text is not UTF-8", key);
        }
    }

    private Int128? FindInteger(string key)
    {
        if (!_entries.TryGetValue(key, out var entry))
            return null;
        var bytes = Bytes(entry);
        return entry.Type switch
        {
            GgufValueType.UInt8 => bytes[0],
            GgufValueType.Int8 => (sbyte)bytes[0],
            GgufValueType.UInt16 => BinaryPrimitives.ReadUInt16LittleEndian(bytes),
            GgufValueType.Int16 => BinaryPrimitives.ReadInt16LittleEndian(bytes),
            GgufValueType.UInt32 => BinaryPrimitives.ReadUInt32LittleEndian(bytes),
            GgufValueType.Int32 => BinaryPrimitives.ReadInt32LittleEndian(bytes),
            GgufValueType.UInt64 => BinaryPrimitives.ReadUInt64LittleEndian(bytes),
            GgufValueType.Int64 => BinaryPrimitives.ReadInt64LittleEndian(bytes),
            _ => throw WrongType(key, entry, "an integer"),
        };
    }

    private GgufHeader.Entry Get(string key) => _entries.TryGetValue(key, out var entry) ? entry : throw Missing(key);

    private ReadOnlySpan<byte> Bytes(GgufHeader.Entry entry) => _file.View.Span(entry.Start, entry.Bytes);

    private ModelFormatException Missing(string key) =>
        new(ModelFault.Damaged, _file.Name, "the key is missing; convert the checkpoint again", key);

    private ModelFormatException WrongType(string key, GgufHeader.Entry entry, string wanted) =>
        new(ModelFault.Damaged, _file.Name, $"the value is of type {entry.Type}; {wanted} is needed", key, offset: entry.Start);

    private ModelFormatException OutOfRange(string key, Int128 value, string range) =>
        new(ModelFault.Damaged, _file.Name, $"the value {value} does not fit {range}", key, offset: _entries[key].Start);
}
