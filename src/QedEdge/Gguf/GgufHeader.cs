using System.Buffers.Binary;
using QedEdge.Memory;

namespace QedEdge.Gguf;

/// <summary>
/// Reads a GGUF header (version 2 or 3, little-endian) in one forward pass: magic, version, counts, metadata, tensor table.
/// Nothing is believed before it is checked, and nothing but names is allocated: memory is bounded by the counts' limits.
/// </summary>
internal static class GgufHeader
{
    /// <summary>Alignment where a file does not say (GGUF specification).</summary>
    public const int DefaultAlignment = 32;

    private const int SmallestEntry = 8 + 1 + 4 + 1;
    private const int SmallestTensor = 8 + 1 + 4 + 8 + 4 + 8;

    /// <summary>Where a metadata value lies.</summary>
    /// <param name="Type">The value's type.</param>
    /// <param name="ElementType">The type of an array's elements.</param>
    /// <param name="Count">An array's length.</param>
    /// <param name="Start">Offset of the value (an array's element type, a string's length) in the file.</param>
    /// <param name="Bytes">Bytes of the value from there.</param>
    public readonly record struct Entry(GgufValueType Type, GgufValueType ElementType, int Count, int Start, int Bytes);

    /// <summary>A tensor table's row as it stands in the file, with the offset still relative to the data's start.</summary>
    public readonly record struct TensorRow(string Name, TensorType Type, long[] Dimensions, ulong Offset, long Bytes);

    /// <summary>A header that was read.</summary>
    public sealed record Contents(int Version, int Alignment, Dictionary<string, Entry> Entries, List<string> Keys, List<TensorRow> Tensors, long DataOffset);

    /// <summary>Reads a header.</summary>
    /// <param name="view">The whole file.</param>
    /// <param name="name">The file's name, for errors.</param>
    public static Contents Read(NativeView view, string name)
    {
        var bytes = view.Span(0, (int)Math.Min(view.Length, int.MaxValue));
        ForeignFile.Refuse(bytes, name);
        var reader = new GgufReader(bytes, name, view.Length);
        reader.UInt32("the magic");
        int version = ReadVersion(ref reader);
        int tensorCount = ReadCount(ref reader, "tensors");
        int entryCount = ReadCount(ref reader, "metadata entries");
        ulong least = (ulong)tensorCount * SmallestTensor + (ulong)entryCount * SmallestEntry;
        if (least > (ulong)reader.Remaining)
            throw reader.Short(least, $"a header of {entryCount} metadata entries and {tensorCount} tensors");

        var keys = new List<string>(entryCount);
        var entries = new Dictionary<string, Entry>(entryCount);
        int keyBytes = 0;
        for (int i = 0; i < entryCount; i++)
        {
            int start = reader.Position;
            string key = reader.Name(GgufLimits.KeyBytes, $"metadata key {i}");
            reader.Key = key;
            keyBytes += reader.Position - start - sizeof(ulong); // without its length
            if (keyBytes > GgufLimits.AllKeyBytes)
                throw reader.Error(ModelFault.Unsupported, $"the metadata keys together exceed {GgufLimits.AllKeyBytes} bytes", start);
            if (!entries.TryAdd(key, ReadValue(ref reader)))
                throw reader.Damaged("the key occurs twice", start);
            keys.Add(key);
            reader.Key = null;
        }

        int alignment = FindAlignment(entries, bytes, ref reader);
        var tensors = new List<TensorRow>(tensorCount);
        var names = new HashSet<string>(tensorCount);
        for (int i = 0; i < tensorCount; i++)
        {
            int start = reader.Position;
            var tensor = ReadTensor(ref reader, i, alignment);
            if (!names.Add(tensor.Name))
                throw reader.Damaged("the tensor occurs twice", start);
            tensors.Add(tensor);
            reader.Tensor = null;
        }
        long dataOffset = AlignUp(reader.Position, alignment);
        if (dataOffset > int.MaxValue)
            throw reader.Error(ModelFault.Unsupported, "the header is larger than 2 GB", reader.Position);
        return new Contents(version, alignment, entries, keys, tensors, dataOffset);
    }

    /// <summary>The next multiple of a power of two; for positions below 2^62.</summary>
    public static long AlignUp(long position, int alignment) => (position + alignment - 1) & -(long)alignment;

    private static int ReadVersion(ref GgufReader reader)
    {
        uint version = reader.UInt32("the version");
        return version switch
        {
            2 or 3 => (int)version,
            0 => throw reader.Damaged("GGUF version 0 does not exist", 4),
            _ when (version & 0xFFFF) == 0 => throw reader.Error(ModelFault.Unsupported, "a big-endian GGUF file; convert the checkpoint to a little-endian one", 4),
            1 => throw reader.Error(ModelFault.Unsupported, "GGUF version 1; convert the checkpoint again to version 3", 4),
            _ => throw reader.Error(ModelFault.Unsupported, $"GGUF version {version}; this program reads versions 2 and 3", 4),
        };
    }

    private static int ReadCount(ref GgufReader reader, string what)
    {
        int at = reader.Position;
        ulong count = reader.UInt64($"the number of {what}");
        return count <= GgufLimits.Entries ? (int)count : throw reader.Damaged($"the header announces {count} {what}; at most {GgufLimits.Entries} are possible", at);
    }

    private static Entry ReadValue(ref GgufReader reader)
    {
        int at = reader.Position;
        var type = (GgufValueType)reader.UInt32("a value type");
        int start = reader.Position;
        GgufValueType elementType = default;
        int count = 0;
        switch (type)
        {
            case GgufValueType.String:
                reader.SkipStrings(1);
                break;
            case GgufValueType.Array:
                elementType = (GgufValueType)reader.UInt32("an array's element type");
                count = ReadElements(ref reader, elementType);
                break;
            case > GgufValueType.Float64:
                throw reader.Damaged($"value type {(uint)type} does not exist", at);
            default:
                CheckFixed(ref reader, type, reader.Take(GgufValueTypes.Size(type), "a value"), start);
                break;
        }
        return new Entry(type, elementType, count, start, reader.Position - start);
    }

    private static int ReadElements(ref GgufReader reader, GgufValueType type, int depth = 1)
    {
        int at = reader.Position;
        if (depth > GgufLimits.ArrayDepth)
            throw reader.Error(ModelFault.Unsupported, $"arrays of arrays, more than {GgufLimits.ArrayDepth} deep", at - 4);
        if (type > GgufValueType.Float64)
            throw reader.Damaged($"array element type {(uint)type} does not exist", at - 4);
        ulong count = reader.UInt64("an array's length");
        // Division, not multiplication: the count is anything up to 2^64.
        int size = type == GgufValueType.String ? 8 : type == GgufValueType.Array ? 4 + 8 : GgufValueTypes.Size(type);
        if (count > (ulong)(reader.Remaining / size))
            throw count > GgufReader.Plausible ? reader.Damaged($"an array announces {count} elements, more than the file has", at) : reader.Short(count * (ulong)size, "an array");
        if (type == GgufValueType.String)
            reader.SkipStrings((int)count);
        else if (type == GgufValueType.Array)
        {
            for (ulong i = 0; i < count; i++)
                ReadElements(ref reader, (GgufValueType)reader.UInt32("an array's element type"), depth + 1);
        }
        else
            CheckFixed(ref reader, type, reader.Take((int)count * size, "an array"), at);
        return (int)count;
    }

    private static void CheckFixed(ref GgufReader reader, GgufValueType type, ReadOnlySpan<byte> bytes, int at)
    {
        if (type == GgufValueType.Bool && bytes.ContainsAnyExceptInRange((byte)0, (byte)1))
            throw reader.Damaged("a bool is neither 0 nor 1", at);
    }

    private static int FindAlignment(Dictionary<string, Entry> entries, ReadOnlySpan<byte> bytes, ref GgufReader reader)
    {
        if (!entries.TryGetValue(GgufKeys.Alignment, out var entry))
            return DefaultAlignment;
        reader.Key = GgufKeys.Alignment;
        if (entry.Type != GgufValueType.UInt32)
            throw reader.Damaged($"the alignment must be a UInt32, not {entry.Type}", entry.Start);
        uint alignment = BinaryPrimitives.ReadUInt32LittleEndian(bytes[entry.Start..]);
        if (alignment > GgufLimits.Alignment || !uint.IsPow2(alignment))
            throw reader.Damaged($"an alignment of {alignment} bytes; powers of two up to {GgufLimits.Alignment} are possible", entry.Start);
        reader.Key = null;
        return (int)alignment;
    }

    private static TensorRow ReadTensor(ref GgufReader reader, int index, int alignment)
    {
        string name = reader.Name(GgufLimits.TensorNameBytes, $"the name of tensor {index}");
        reader.Tensor = name;
        int at = reader.Position;
        uint rank = reader.UInt32("the number of dimensions");
        if (rank is 0 or > GgufLimits.Dimensions)
            throw reader.Damaged($"{rank} dimensions; 1 to {GgufLimits.Dimensions} are possible", at);

        // The file lists the innermost first; reversed here, once.
        var dimensions = new long[rank];
        for (int i = (int)rank - 1; i >= 0; i--)
        {
            int dimensionAt = reader.Position;
            ulong dimension = reader.UInt64("a dimension");
            if (dimension > long.MaxValue)
                throw reader.Damaged($"a dimension of {(long)dimension}", dimensionAt);
            dimensions[i] = (long)dimension;
        }

        at = reader.Position;
        var type = (TensorType)reader.UInt32("a tensor type");
        if (!TensorTypes.IsKnown(type))
            throw reader.Error(ModelFault.Unsupported, TensorTypes.Unknown(type), at);
        if (TensorTypes.TryBytes(type, dimensions, out long bytes) is string problem)
            throw reader.Damaged($"[{string.Join(", ", dimensions)}]: {problem}", at);

        at = reader.Position;
        ulong offset = reader.UInt64("a tensor's offset");
        if ((offset & (ulong)(alignment - 1)) != 0)
            throw reader.Damaged($"the offset {offset} is no multiple of the alignment {alignment}", at);
        return new TensorRow(name, type, dimensions, offset, bytes);
    }
}
