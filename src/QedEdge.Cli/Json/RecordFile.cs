using System.Runtime.InteropServices;
using System.Text.Json;
using QedEdge.Memory;

namespace QedEdge.Cli.Json;

/// <summary>
/// Records, one JSON object a line, in order. Those in a file are written to FILE.part as they come and get the file's name when all are there, so that a run that was killed
/// can go on behind the last whole record.
/// </summary>
internal sealed class RecordFile : IDisposable
{
    private readonly string? _path; // null for standard output
    private readonly string _part = "";
    private readonly FileStream? _stream;
    private readonly bool _force;
    private readonly Dictionary<long, byte[]> _early = []; // records whose turn has not come
    private long _next;

    private RecordFile(string? path, string part, FileStream? stream, long count, JsonValue? last, bool force)
    {
        (_path, _part, _stream, _next, Last, _force) = (path, part, stream, count, last, force);
    }

    /// <summary>Records that are there already, and in order.</summary>
    public long Count => _next;

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
        string part = FileLinks.Resolve(path) + ".part"; // on the disk of the file that it becomes
        if (File.Exists(part) && IsLocked(part))
            throw new QedException($"{part}: another run writes it; wait for its end");
        if (File.Exists(part) && !resume && !force)
            throw new QedException($"{part}: is left from a run that was stopped; --resume goes on with it, --force begins anew");
        AtomicFile.Check(path, force);
        try
        {
            var stream = new FileStream(part, resume ? FileMode.OpenOrCreate : FileMode.Create, FileAccess.ReadWrite, FileShare.None, bufferSize: 0);
            (long count, JsonValue? last) = KeepWhole(stream, part, onRecord);
            return new RecordFile(path, part, stream, count, last, force);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new QedException($"{part}: cannot be written: {e.Message.ReplaceLineEndings(" ")}", e);
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
        _early[index] = Terminal.Json(members);
        while (_early.Remove(_next, out byte[]? record))
        {
            Write(record);
            _next++;
        }
    }

    /// <summary>Gives the file its name: all records are there.</summary>
    /// <exception cref="QedException">It cannot be written.</exception>
    public void Commit()
    {
        if (_stream is null)
            return;
        try
        {
            _stream.Flush(flushToDisk: true);
            _stream.Dispose();
            File.Move(_part, FileLinks.Resolve(_path!), _force);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new QedException($"{_path}: cannot be written: {e.Message.ReplaceLineEndings(" ")}", e);
        }
    }

    /// <inheritdoc/>
    public void Dispose() => _stream?.Dispose();

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
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new QedException($"{_part}: cannot be written: {e.Message.ReplaceLineEndings(" ")}; --resume goes on when there is room", e);
        }
    }

    private static bool IsLocked(string part)
    {
        try
        {
            new FileStream(part, FileMode.Open, FileAccess.ReadWrite, FileShare.None).Dispose();
            return false;
        }
        catch (UnauthorizedAccessException)
        {
            return false; // said when it is opened
        }
        catch (IOException)
        {
            return true;
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
            return JsonValue.ParseObject(CollectionsMarshal.AsSpan(line)[..^1]);
        }
        catch (QedException e)
        {
            throw new QedException($"{part}: line {number} {e.Message}; it is not what a run left: choose another output, or begin anew with --force", e);
        }
    }
}
