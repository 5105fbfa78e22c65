using System.Buffers.Binary;

namespace QedEdge.Gguf;

/// <summary>
/// A metadata array, in place in the mapped file. Asking for elements of another type than <see cref="ElementType"/> is an error.
/// Spans stay valid until the file is disposed.
/// </summary>
public sealed class GgufArray
{
    private readonly GgufFile _file;
    private readonly string _key;
    private readonly int _start;
    private readonly int _bytes;
    private int[]? _ends;

    internal GgufArray(GgufFile file, string key, GgufHeader.Entry entry)
    {
        // Element type and count come before the elements.
        const int before = 4 + 8;
        _file = file;
        _key = key;
        _start = entry.Start + before;
        _bytes = entry.Bytes - before;
        ElementType = entry.ElementType;
        Count = entry.Count;
    }

    /// <summary>What it is part of.</summary>
    internal GgufFile File => _file;

    /// <summary>The type of all elements; those of an array of arrays can only be counted.</summary>
    public GgufValueType ElementType { get; }

    /// <summary>The number of elements.</summary>
    public int Count { get; }

    /// <summary>The elements of a UInt32 array.</summary>
    public ReadOnlySpan<uint> UInt32() => Elements<uint>(GgufValueType.UInt32);

    /// <summary>The elements of an Int32 array.</summary>
    public ReadOnlySpan<int> Int32() => Elements<int>(GgufValueType.Int32);

    /// <summary>The elements of a UInt64 array.</summary>
    public ReadOnlySpan<ulong> UInt64() => Elements<ulong>(GgufValueType.UInt64);

    /// <summary>The elements of a Float32 array.</summary>
    public ReadOnlySpan<float> Float32() => Elements<float>(GgufValueType.Float32);

    /// <summary>The elements of a Bool array.</summary>
    internal bool[] Flags()
    {
        ReadOnlySpan<byte> bytes = Elements<byte>(GgufValueType.Bool);
        var flags = new bool[bytes.Length];
        for (int i = 0; i < flags.Length; i++)
            flags[i] = bytes[i] != 0;
        return flags;
    }

    /// <summary>The bytes of a string, which need not be valid UTF-8. The first call passes over the array once to find all of them.</summary>
    /// <param name="index">0 to Count − 1.</param>
    public ReadOnlySpan<byte> Utf8(int index)
    {
        var ends = _ends ??= FindEnds();
        int start = (index == 0 ? 0 : ends[index - 1]) + 8;
        return _file.View.Span(_start + start, ends[index] - start);
    }

    /// <summary>A string; throws where it is not UTF-8.</summary>
    /// <param name="index">0 to Count − 1.</param>
    public string String(int index) => GgufMetadata.Decode(Utf8(index), _file.Name, _key);

    /// <summary>Where each string ends, in bytes from the first one's length. Lengths were checked when the file was opened.</summary>
    private int[] FindEnds()
    {
        Require(GgufValueType.String);
        var bytes = _file.View.Span(_start, _bytes);
        var ends = new int[Count];
        int position = 0;
        for (int i = 0; i < ends.Length; i++)
        {
            position += 8 + (int)BinaryPrimitives.ReadUInt64LittleEndian(bytes[position..]);
            ends[i] = position;
        }
        return ends;
    }

    private ReadOnlySpan<T> Elements<T>(GgufValueType type) where T : unmanaged
    {
        Require(type);
        return _file.View.Span<T>(_start, Count);
    }

    private void Require(GgufValueType type)
    {
        if (ElementType != type)
            throw new ModelFormatException(ModelFault.Damaged, _file.Name, $"the array's elements are of type {ElementType}; {type} is needed", _key, offset: _start);
    }
}
