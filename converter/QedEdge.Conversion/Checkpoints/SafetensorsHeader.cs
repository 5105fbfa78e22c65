using System.Buffers.Binary;
using System.Text.Json;
using QedEdge.Memory;

namespace QedEdge.Conversion.Checkpoints;

/// <summary>
/// Reads the header of a safetensors file: 8 bytes of length, a JSON object <c>name → {dtype, shape, data_offsets}</c>, then the
/// data. Nothing in it is believed before it is checked: length, JSON and its depth, types, shape × type = range, ranges inside the
/// file and free of overlap, no name twice. Of tensors that share their data, savers write one and name the others in <c>__metadata__</c>
/// (name → the one that was written).
/// </summary>
internal static class SafetensorsHeader
{
    private const string Metadata = "__metadata__";

    /// <summary>Names, behind the last dot, of buffers that exports carry and nobody needs: rotary tables and causal masks.</summary>
    private static readonly string[] Buffers = ["cos_cached", "sin_cached", "inv_freq", "original_inv_freq", "mask", "causal_mask", "attention_mask", "attn_mask", "tril"];

    /// <summary>Reads and checks a file's header.</summary>
    /// <param name="path">The file.</param>
    /// <param name="buffers">How names of the family's own buffers end.</param>
    /// <returns>The tensors, in the order of their data, and behind them the other names of some; no buffers.</returns>
    /// <exception cref="ModelFormatException">The file cannot be read, is no safetensors file, or is short or damaged.</exception>
    public static List<SafetensorsTensor> Read(string path, params string[] buffers)
    {
        try
        {
            long size = CheckpointFiles.Length(path);
            if (size < 8)
                throw new ModelFormatException(ModelFault.ShortFile, path, $"the file ends too early, after {size} bytes; download it again");
            long length = CheckStart(path, size);
            using var header = MappedFile.Open(path, 8, length);
            return Parse(header.View.Span(0, (int)length), path, 8 + length, size, buffers);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException or NotSupportedException or ArgumentException)
        {
            throw CheckpointFiles.Unreadable(path, exception);
        }
    }

    /// <summary>Whether a name is that of a buffer. Their types and values are of no concern.</summary>
    /// <param name="name">The tensor's name.</param>
    /// <param name="own">How names of the family's own buffers end.</param>
    public static bool IsBuffer(string name, params string[] own) => Buffers.Contains(name[(name.LastIndexOf('.') + 1)..])
        || Array.Exists(own, buffer => name.EndsWith('.' + buffer, StringComparison.Ordinal));

    private static long CheckStart(string path, long size)
    {
        using var mapped = MappedFile.Open(path, 0, Math.Min(size, 512));
        var start = mapped.View.Span(0, (int)mapped.View.Length);
        ulong length = BinaryPrimitives.ReadUInt64LittleEndian(start);
        bool plausible = start.Length > 8 && start[8] == '{' && length <= CheckpointLimits.HeaderBytes;
        if (!plausible && Recognise(start) is string other)
            throw new ModelFormatException(ModelFault.Damaged, path, other, offset: 0);
        if (length > CheckpointLimits.HeaderBytes)
            throw new ModelFormatException(ModelFault.Damaged, path, $"not a safetensors file: a header of {length} bytes is beyond the format's limit of {CheckpointLimits.HeaderBytes}", offset: 0);
        if ((long)length > size - 8)
            throw new ModelFormatException(ModelFault.ShortFile, path, $"the file ends too early: the header takes {length} bytes and the file has {size - 8} behind its first 8; download it again", offset: 0);
        if (length < 2 || start[8] != '{')
            throw new ModelFormatException(ModelFault.Damaged, path, "not a safetensors file: the header is no JSON object", offset: 8);
        return (long)length;
    }

    /// <summary>What people have instead of a safetensors file after a download that went wrong, or null.</summary>
    private static string? Recognise(ReadOnlySpan<byte> start)
    {
        if (start.StartsWith("version https://git-lfs"u8))
            return "a Git-LFS pointer instead of the file itself; run 'git lfs pull' in its repository";
        if (start.StartsWith("PK"u8))
            return "a zip archive or a PyTorch checkpoint, not a safetensors file; download the safetensors version";
        if (start.StartsWith("GGUF"u8))
            return "a GGUF file, not a safetensors file; 'qed-convert repack' changes its layout";
        return start.TrimStart(" \t\r\n"u8).StartsWith("<"u8) ? "a web page, not a safetensors file; download the file itself" : null;
    }

    private static List<SafetensorsTensor> Parse(ReadOnlySpan<byte> json, string path, long dataStart, long size, string[] buffers)
    {
        var tensors = new List<SafetensorsTensor>();
        var aliases = new Dictionary<string, string>();
        try
        {
            var names = new HashSet<string>();
            int count = 0;
            var reader = new Utf8JsonReader(json, new JsonReaderOptions { MaxDepth = CheckpointLimits.HeaderDepth });
            reader.Read();
            while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
            {
                string name = reader.GetString()!;
                if (name.Length > CheckpointLimits.TensorName)
                    throw Damaged(path, name, $"a name of {name.Length} characters is longer than the {CheckpointLimits.TensorName} that one may have");
                if (!names.Add(name))
                    throw Damaged(path, name, "the header names the tensor twice");
                if (name != Metadata && ++count > CheckpointLimits.Tensors)
                    throw new ModelFormatException(ModelFault.Unsupported, path, $"the header names more than {CheckpointLimits.Tensors} tensors");
                reader.Read();
                if (reader.TokenType != JsonTokenType.StartObject)
                    throw Damaged(path, name, "the header's entry is no JSON object");
                if (name == Metadata)
                    ReadAliases(ref reader, aliases);
                else if (IsBuffer(name, buffers))
                    reader.Skip();
                else
                    tensors.Add(ReadTensor(ref reader, name, path, dataStart, size));
            }
            while (reader.Read())
            {
                // Anything but white space behind the object is an error of the reader's.
            }
        }
        catch (Exception exception) when (exception is JsonException or InvalidOperationException)
        {
            throw new ModelFormatException(ModelFault.Damaged, path, $"the header is no valid JSON: {CheckpointJson.Problem(exception, json)}", offset: 8, inner: exception);
        }
        tensors.Sort(static (a, b) => (a.Offset, a.Bytes).CompareTo((b.Offset, b.Bytes)));
        for (int i = 1; i < tensors.Count; i++)
        {
            if (tensors[i].Offset - tensors[i - 1].Offset < tensors[i - 1].Bytes)
                throw Damaged(path, tensors[i].Name, $"its data overlap those of '{ModelFormatException.OneLine(tensors[i - 1].Name)}'", tensors[i].Offset);
        }
        AddAliases(tensors, aliases, buffers);
        return tensors;
    }

    /// <summary>Reads metadata: texts by their keys. What other writers put there is left alone.</summary>
    private static void ReadAliases(ref Utf8JsonReader reader, Dictionary<string, string> aliases)
    {
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            string key = reader.GetString()!;
            reader.Read();
            if (reader.TokenType == JsonTokenType.String && aliases.Count < CheckpointLimits.Tensors)
                aliases.TryAdd(key, reader.GetString()!);
            reader.Skip();
        }
    }

    /// <summary>Adds the names that metadata give to tensors of the file, which have no data of their own.</summary>
    private static void AddAliases(List<SafetensorsTensor> tensors, Dictionary<string, string> aliases, string[] buffers)
    {
        var byName = tensors.ToDictionary(static tensor => tensor.Name);
        foreach (var (alias, name) in aliases)
        {
            if (byName.TryGetValue(name, out SafetensorsTensor? tensor) && !byName.ContainsKey(alias) && !IsBuffer(alias, buffers))
                tensors.Add(tensor with { Name = alias, IsAlias = true });
        }
    }

    private static SafetensorsTensor ReadTensor(ref Utf8JsonReader reader, string name, string path, long dataStart, long size)
    {
        string? type = null;
        long[]? shape = null, range = null;
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            bool repeated;
            if (reader.ValueTextEquals("dtype"u8))
            {
                repeated = type is not null;
                reader.Read();
                type = reader.TokenType == JsonTokenType.String ? reader.GetString()! : throw Damaged(path, name, "dtype is no string");
            }
            else if (reader.ValueTextEquals("shape"u8))
            {
                repeated = shape is not null;
                shape = ReadNumbers(ref reader, name, path, "shape");
            }
            else if (reader.ValueTextEquals("data_offsets"u8))
            {
                repeated = range is not null;
                range = ReadNumbers(ref reader, name, path, "data_offsets");
            }
            else
            {
                throw Damaged(path, name, $"the header's entry has an unknown field '{ModelFormatException.OneLine(reader.GetString()!)}'");
            }
            if (repeated)
                throw Damaged(path, name, "a field of the header's entry occurs twice");
        }
        if (type is null || shape is null || range is null)
            throw Damaged(path, name, "the header's entry lacks dtype, shape or data_offsets");
        if (range is not [long begin, long end] || begin > end)
            throw Damaged(path, name, "data_offsets are not two ascending numbers");
        if (end > size - dataStart)
            throw new ModelFormatException(ModelFault.ShortFile, path, $"the file ends too early: its data end at byte {end} of the data and the file has {size - dataStart}; download it again", tensor: name);
        if (ElementBits(type) is not long bits)
            throw new ModelFormatException(ModelFault.Unsupported, path, $"the dtype '{ModelFormatException.OneLine(type)}' is unknown", tensor: name);
        if (Bytes(shape, bits) != end - begin)
            throw Damaged(path, name, $"{type} [{string.Join(", ", shape)}] does not take {end - begin} bytes", dataStart + begin);
        return new SafetensorsTensor(name, path, type, shape, dataStart + begin, end - begin);
    }

    private static long[] ReadNumbers(ref Utf8JsonReader reader, string name, string path, string field)
    {
        const int most = CheckpointLimits.Dimensions;
        reader.Read();
        if (reader.TokenType != JsonTokenType.StartArray)
            throw Damaged(path, name, $"{field} is no array");
        var numbers = new List<long>();
        while (reader.Read() && reader.TokenType != JsonTokenType.EndArray)
        {
            if (reader.TokenType != JsonTokenType.Number || !reader.TryGetInt64(out long number) || number < 0)
                throw Damaged(path, name, $"{field} holds something else than whole numbers from 0 to 2^63");
            if (numbers.Count == most)
                throw Damaged(path, name, $"{field} has more than {most} elements");
            numbers.Add(number);
        }
        return [.. numbers];
    }

    /// <summary>The bytes of a tensor, or null where they exceed 2^63 or are no whole number.</summary>
    private static long? Bytes(long[] shape, long bits)
    {
        // A zero dimension must not hide an overflow from code that multiplies the others.
        long product = bits;
        foreach (long dimension in shape)
        {
            if (dimension != 0 && product > long.MaxValue / dimension)
                return null;
            product *= Math.Max(dimension, 1);
        }
        return shape.Contains(0) ? 0 : product % 8 == 0 ? product / 8 : null;
    }

    /// <summary>Bits per value of the format's types: a file may hold buffers of types that weights cannot have.</summary>
    private static long? ElementBits(string type) => type switch
    {
        "F4" => 4,
        "F6_E2M3" or "F6_E3M2" => 6,
        "BOOL" or "U8" or "I8" or "F8_E4M3" or "F8_E5M2" or "F8_E8M0" => 8,
        "U16" or "I16" or "F16" or "BF16" => 16,
        "U32" or "I32" or "F32" => 32,
        "U64" or "I64" or "F64" or "C64" => 64,
        _ => null,
    };

    private static ModelFormatException Damaged(string path, string tensor, string problem, long? offset = null) =>
        new(ModelFault.Damaged, path, problem, tensor: tensor, offset: offset);
}
