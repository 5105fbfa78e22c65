using System.Runtime.InteropServices;
using System.Text.Json;
using QedEdge.Json;
using QedEdge.Memory;

namespace QedEdge.Cli.Json;

/// <summary>
/// Records, one JSON object a line, in order. Those in a file are written to FILE.part as they come and get the file's name when all are there, so that a run that was killed
/// can go on behind the last whole record.
/// </summary>
internal sealed class RecordFile : IDisposable
{
    private readonly string? _path; // null for standard output
    private readonly FileStream? _stream;
    private readonly bool _force;
    private const int MostHeld = 16 << 20;

    private readonly Dictionary<long, byte[]> _early = []; // records whose turn has not come
    private long _next, _held; // bytes of those

    private RecordFile(string? path, string part, FileStream? stream, long count, JsonValue? last, bool force)
    {
        (_path, Part, _stream, _next, Last, _force) = (path, part, stream, count, last, force);
    }

    /// <summary>The file that holds the records until all are there; "" for standard output.</summary>
    public string Part { get; }

    /// <summary>Records that are there already, and in order.</summary>
    public long Count => _next;

    /// <summary>Whether so much waits for an earlier record that nothing should be begun before that one is there.</summary>
    public bool IsCrowded => _held > MostHeld;

    /// <summary>The last record that was there when the file was opened, or null.</summary>
    public JsonValue? Last { get; }

    /// <summary>Records to standard output.</summary>
    public static RecordFile ToOutput() => new(null, "", null, 0, null, false);

    /// <summary>Records to a file.</summary>
    /// <param name="path">The file.</param>
    /// <param name="resume">Whether what a run that was stopped has left is kept.</param>
    /// <param name="force">Whether an existing file is replaced.</param>
    /// <param name="onRecord">Receives the records that are there, or null.</param>
    /// <exception cref="QedException">The file exists, a run was stopped, another one is at it, or it cannot be written.</exception>
    public static RecordFile ToFile(string path, bool resume, bool force, Action<JsonValue>? onRecord = null)
    {
        AtomicFile.Check(path, force);
        string part = OutputNames.Part(path);
        FileStream stream = LockedFile.Open(part, path, keep: !force, isPrivate: FileStatus.Exists(path), bufferSize: 0);
        RecordFile? file = null;
        try
        {
            if (stream.Length > 0 && !resume)
                throw new QedException($"{part}: is left from a run that was stopped; --resume goes on with it, --force begins anew");
            (long count, JsonValue? last) = KeepWhole(stream, part, onRecord);
            return file = new RecordFile(path, part, stream, count, last, force);
        }
        catch (Exception e) when (WriteError.Is(e))
        {
            throw new QedException($"{part}: cannot be written: {WriteError.Reason(e)}", e);
        }
        finally
        {
            if (file is null)
                stream.Dispose();
        }
    }

    /// <summary>Reads the records of a file that is complete.</summary>
    /// <exception cref="QedException">It cannot be read, or is none.</exception>
    public static void Read(string path, Action<JsonValue> onRecord)
    {
        try
        {
            using Stream stream = InputFile.OpenRead(path);
            Scan(stream, path, onRecord);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw QedException.Unreadable(path, e);
        }
    }

    /// <summary>Adds a record; it is written when those before it are.</summary>
    /// <param name="index">Its place, from 0.</param>
    /// <param name="members">Writes the object's members.</param>
    /// <exception cref="QedException">It cannot be written.</exception>
    public void Add(long index, Action<Utf8JsonWriter> members)
    {
        byte[] added = _early[index] = Terminal.Json(members);
        _held += added.Length;
        while (_early.Remove(_next, out byte[]? record))
        {
            _held -= record.Length;
            Write(record);
            _next++;
        }
    }

    /// <summary>Gives the file its name: all records are there.</summary>
    /// <exception cref="QedException">It cannot be written.</exception>
    public void Commit()
    {
        if (_stream is not null)
            AtomicFile.Place(_stream, Part, FileLinks.Resolve(_path!), _force);
    }

    /// <summary>Closes the file; one without any record is removed.</summary>
    public void Dispose()
    {
        if (_stream is null || !_stream.CanWrite) // or it has its name
            return;
        if (_stream.Length == 0)
            LockedFile.Remove(Part, _stream, _stream.SafeFileHandle);
        _stream.Dispose();
    }

    private void Write(byte[] record)
    {
        if (_stream is null)
        {
            Terminal.Write(record);
            return;
        }
        try
        {
            _stream.Write(record);
        }
        catch (Exception e) when (WriteError.Is(e))
        {
            throw new QedException($"{Part}: cannot be written: {WriteError.Reason(e)}; --resume goes on when there is room", e);
        }
    }

    /// <summary>Cuts off what a killed run has left of a line, and counts the whole ones.</summary>
    private static (long Count, JsonValue? Last) KeepWhole(FileStream stream, string part, Action<JsonValue>? onRecord)
    {
        (long count, long whole, JsonValue? last) = Scan(stream, part, onRecord);
        stream.SetLength(whole);
        stream.Position = whole;
        return (count, last);
    }

    /// <summary>Reads whole lines, and tells how many they are and how long.</summary>
    private static (long Count, long Bytes, JsonValue? Last) Scan(Stream stream, string path, Action<JsonValue>? onRecord)
    {
        var line = new List<byte>();
        byte[] buffer = new byte[1 << 16];
        long count = 0, whole = 0;
        JsonValue? last = null;
        for (int read; (read = stream.Read(buffer)) > 0;)
        {
            foreach (byte value in buffer.AsSpan(0, read))
            {
                line.Add(value);
                if (value != '\n')
                    continue;
                whole += line.Count;
                count++;
                last = Record(line, path, count);
                onRecord?.Invoke(last);
                line.Clear();
            }
        }
        return (count, whole, last);
    }

    private static JsonValue Record(List<byte> line, string part, long number)
    {
        try
        {
            return JsonValue.ParseObject(CollectionsMarshal.AsSpan(line)[..^1].ToArray(), int.MaxValue); // what a run wrote has no limit
        }
        catch (QedException e)
        {
            throw new QedException($"{part}: line {number} {e.Message}; it is not what a run left: choose another output, or begin anew with --force", e);
        }
    }
}
