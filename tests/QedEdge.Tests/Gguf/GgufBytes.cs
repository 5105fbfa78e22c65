using System.Buffers.Binary;
using System.Text;

namespace QedEdge.Tests.Gguf;

/// <summary>Builds GGUF files by hand, sound or not: everything is written as told and nothing is checked.</summary>
internal sealed class GgufBytes
{
    private readonly List<byte> _bytes = [];

    /// <summary>Magic, version and counts.</summary>
    public GgufBytes(ulong tensors = 0, ulong entries = 0, uint version = 3, string magic = "GGUF") =>
        Raw(Encoding.ASCII.GetBytes(magic)).U32(version).U64(tensors).U64(entries);

    public GgufBytes Raw(params byte[] bytes)
    {
        _bytes.AddRange(bytes);
        return this;
    }

    public GgufBytes U32(uint value)
    {
        var bytes = new byte[4];
        BinaryPrimitives.WriteUInt32LittleEndian(bytes, value);
        return Raw(bytes);
    }

    public GgufBytes U64(ulong value)
    {
        var bytes = new byte[8];
        BinaryPrimitives.WriteUInt64LittleEndian(bytes, value);
        return Raw(bytes);
    }

    public GgufBytes Text(string value) => U64((ulong)Encoding.UTF8.GetByteCount(value)).Raw(Encoding.UTF8.GetBytes(value));

    /// <summary>A key and the type of the value that follows.</summary>
    public GgufBytes Key(string key, uint type) => Text(key).U32(type);

    /// <summary>A key with an array's element type and length.</summary>
    public GgufBytes Array(string key, uint elementType, ulong count) => Key(key, 9).U32(elementType).U64(count);

    /// <summary>A row of the tensor table; dimensions in the file's order, innermost first.</summary>
    public GgufBytes Tensor(string name, uint type, ulong offset, params ulong[] dimensions)
    {
        Text(name).U32((uint)dimensions.Length);
        foreach (ulong dimension in dimensions)
            U64(dimension);
        return U32(type).U64(offset);
    }

    /// <summary>Padding up to the data, then that many bytes of data.</summary>
    public GgufBytes Data(int bytes, int alignment = 32)
    {
        while (_bytes.Count % alignment != 0)
            _bytes.Add(0);
        return Raw(Enumerable.Range(0, bytes).Select(static i => (byte)i).ToArray());
    }

    public byte[] ToArray() => [.. _bytes];
}
