using System.Buffers.Binary;
using System.Text;
using QedEdge.Gguf;

namespace QedEdge.Fuzz.Mutation;

/// <summary>Where the fields of a GGUF file lie, as far as it can be followed. Not the reader that is tested: it believes everything and checks only that it stays in the file.</summary>
internal sealed class GgufMap
{
    private readonly byte[] _file;
    private readonly List<Field>[] _fields = [[], [], [], [], []];
    private int _at;

    private GgufMap(byte[] file) => _file = file;

    /// <summary>What a field is, by the changes that suit it.</summary>
    public enum Kind
    {
        /// <summary>A number that says something of the file's structure or the model.</summary>
        Number,

        /// <summary>A text; its length stands in the 8 bytes before.</summary>
        Text,

        /// <summary>Numbers of an array.</summary>
        Array,

        /// <summary>A tensor's data.</summary>
        Data,
    }

    /// <summary>Entries of the metadata.</summary>
    public List<(int Start, int Length)> Entries { get; } = [];

    /// <summary>Rows of the tensor table.</summary>
    public List<(int Start, int Length)> Tensors { get; } = [];

    /// <summary>Offset and bytes of each tensor's data; bytes below 0 where they cannot be told.</summary>
    public List<(ulong Offset, long Bytes)> Places { get; } = [];

    /// <summary>The values of numbers and arrays by their keys.</summary>
    public Dictionary<string, Field> Values { get; } = [];

    public int Alignment { get; private set; } = 32;

    /// <summary>Where the tensor table ends; 0 where it cannot be followed.</summary>
    public int TableEnd { get; private set; }

    /// <summary>Where the data start.</summary>
    public int DataStart => TableEnd == 0 ? 0 : (TableEnd + Alignment - 1) / Alignment * Alignment;

    /// <summary>Follows a file.</summary>
    public static GgufMap Of(byte[] file)
    {
        var map = new GgufMap(file);
        try
        {
            map.Follow();
        }
        catch (Exception e) when (e is ArgumentException or OverflowException)
        {
            // It goes no further.
        }
        return map;
    }

    /// <summary>Fields of a kind that random decides: structure is as likely as data, however many of each there are.</summary>
    public List<Field> OfKind(Random random) => _fields[random.Next(8) switch { < 2 => 0, < 4 => 1, 4 => 2, 5 => 3, _ => 4 }];

    private void Follow()
    {
        _at = 4;
        Number(4, 0);
        ulong tensors = Number(8, 0), entries = Number(8, 0);
        for (ulong i = 0; i < entries; i++)
        {
            int start = _at;
            ReadEntry();
            Entries.Add((start, _at - start));
        }
        for (ulong i = 0; i < tensors; i++)
        {
            int start = _at;
            ReadTensor();
            Tensors.Add((start, _at - start));
        }
        TableEnd = _at;
        foreach ((ulong offset, long bytes) in Places)
        {
            if (bytes > 0 && offset <= int.MaxValue && DataStart + (long)offset + bytes <= _file.Length)
                _fields[4].Add(new Field(Kind.Data, DataStart + (int)offset, (int)bytes));
        }
    }

    private void ReadEntry()
    {
        string key = Text(3);
        uint type = (uint)Number(4, 0);
        int start = _at;
        if (type == (uint)GgufValueType.String)
            Text(2);
        else if (type == (uint)GgufValueType.Array)
            ReadArray(key);
        else
        {
            ulong value = Number(GgufValueTypes.Size((GgufValueType)type), 1);
            Values[key] = new Field(Kind.Number, start, _at - start);
            if (key == GgufKeys.Alignment && value is > 0 and <= 65536)
                Alignment = (int)value;
        }
    }

    private void ReadArray(string key)
    {
        var type = (GgufValueType)(uint)Number(4, 0);
        ulong count = Number(8, 0);
        if (type == GgufValueType.String)
        {
            for (ulong i = 0; i < count; i++)
                Text(2);
            return;
        }
        int bytes = checked((int)count * GgufValueTypes.Size(type));
        _ = _file.AsSpan(_at, bytes);
        Values[key] = new Field(Kind.Array, _at, bytes);
        _fields[2].Add(Values[key]);
        _at += bytes;
    }

    private void ReadTensor()
    {
        Text(3);
        uint rank = (uint)Number(4, 0);
        var dimensions = new long[Math.Min(rank, 8)];
        for (int i = dimensions.Length - 1; i >= 0; i--)
            dimensions[i] = (long)Number(8, 0);
        var type = (TensorType)(uint)Number(4, 0);
        ulong offset = Number(8, 0);
        Places.Add((offset, TensorTypes.IsKnown(type) && dimensions.Length > 0 && TensorTypes.TryBytes(type, dimensions, out long bytes) is null ? bytes : -1));
    }

    private ulong Number(int bytes, int list)
    {
        ulong value = Bytes.Read(_file.AsSpan(_at, bytes), bytes);
        _fields[list].Add(new Field(Kind.Number, _at, bytes));
        _at += bytes;
        return value;
    }

    private string Text(int list)
    {
        long length = BinaryPrimitives.ReadInt64LittleEndian(_file.AsSpan(_at, 8));
        _fields[0].Add(new Field(Kind.Number, _at, 8));
        string text = Encoding.Latin1.GetString(_file.AsSpan(_at + 8, checked((int)length)));
        _fields[list].Add(new Field(Kind.Text, _at + 8, (int)length));
        _at += 8 + (int)length;
        return text;
    }

    /// <summary>A field.</summary>
    /// <param name="Kind">What it is.</param>
    /// <param name="Start">Where it begins.</param>
    /// <param name="Length">Its bytes.</param>
    public readonly record struct Field(Kind Kind, int Start, int Length);
}
