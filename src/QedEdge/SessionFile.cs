using System.IO.Hashing;
using System.Runtime.InteropServices;
using QedEdge.Memory;
using QedEdge.Model;

namespace QedEdge;

/// <summary>
/// A sequence on disk, little-endian, one part after another:
/// <code>
/// "QEDSESS2" | XXH3-64 of all that follows | fingerprint of the model | bytes of the file | format, capacity, sinks, slides, tokens, masked, logits, reach, plain, bytes of the note (int32 each)
/// ids (int32) | mask, if masked | logits (float32), if any | keys, values and scales of each layer and head (KvCache.Part) | note
/// </code>
/// </summary>
internal static class SessionFile
{
    private const ulong Magic = 0x3253534553444551; // "QEDSESS2"
    private const int ChecksumEnd = 16;

    /// <summary>What the magic of every version begins with.</summary>
    private static ReadOnlySpan<byte> Kind => "QEDSESS"u8;

    private const int FlushPiece = 4 << 20; // the disk writes while the rest is put together

    /// <summary>What stands in front.</summary>
    [StructLayout(LayoutKind.Sequential)]
    private struct Header
    {
        public ulong Magic, Checksum, Fingerprint;
        public long Length;
        public int Format, Capacity, Sinks, Slides, Count, Masked, HasLogits, Reach, Plain, NoteBytes;
    }

    /// <summary>Writes a sequence.</summary>
    /// <exception cref="QedException">The file cannot be written.</exception>
    public static void Save(string path, bool overwrite, bool flush, QedModel model, Sequence sequence, byte[] note)
    {
        SeparateFiles.Check([path], model.File.Name);
        Header header = Describe(model, sequence, note.Length);
        using var file = new AtomicFile(path, overwrite, isPrivate: true); // what somebody said
        file.Fill(stream =>
        {
            var hash = new XxHash3();
            long begun = 0;
            void Write(ReadOnlySpan<byte> bytes)
            {
                hash.Append(bytes);
                stream.Write(bytes);
                if (flush && stream.Position - begun >= FlushPiece)
                {
                    file.BeginFlush();
                    begun = stream.Position;
                }
            }
            ReadOnlySpan<byte> head = MemoryMarshal.AsBytes(new ReadOnlySpan<Header>(in header));
            stream.Write(head[..ChecksumEnd]);
            Write(head[ChecksumEnd..]);
            Write(MemoryMarshal.AsBytes(sequence.Ids));
            if (sequence.Masked)
                Write(sequence.Mask[..sequence.Ids.Length]);
            if (sequence.HasLogits)
                Write(MemoryMarshal.AsBytes(sequence.Logits.Slice(0, model.Config.VocabSize)));
            for (int i = 0; i < sequence.Cache.Parts; i++)
                sequence.Cache.Part(i, sequence.Count, sequence.Reach).InPieces(Write);
            Write(note);
            header.Checksum = hash.GetCurrentHashAsUInt64();
            stream.Position = 0;
            stream.Write(head[..ChecksumEnd]);
        }, flush);
    }

    /// <summary>Reads a file into a sequence; nothing changes before all of it was found good.</summary>
    /// <param name="path">The file.</param>
    /// <param name="model">The sequence's model.</param>
    /// <param name="sequence">Becomes what was saved.</param>
    /// <param name="take">Receives the note before anything changes, and may refuse it; or null.</param>
    /// <exception cref="QedException">The file cannot be read, is damaged, belongs to another model, or does not fit the session.</exception>
    public static void Restore(string path, QedModel model, Sequence sequence, Action<byte[]>? take)
    {
        using MappedFile file = Open(path);
        NativeView view = file.View;
        int size = Marshal.SizeOf<Header>();
        if (view.Length < size || MemoryMarshal.Read<ulong>(view.Span(0, sizeof(ulong))) != Magic)
            throw new QedException($"{path}: is not a saved session");
        Header header = MemoryMarshal.Read<Header>(view.Span(0, size));
        if (header.Length != view.Length)
            throw new QedException($"{path}: the saved session has {view.Length} bytes instead of {header.Length}: it was cut off; delete it or save it again");
        if (Checksum.Of(view.Slice(ChecksumEnd, view.Length - ChecksumEnd)) != header.Checksum)
            throw new QedException($"{path}: the saved session is damaged (its checksum does not match); delete it or save it again");
        if (header.Fingerprint != model.Fingerprint)
            throw new QedException($"{path}: the session was saved with another model than {model.File.Name}, or by another version of this program");
        if (header.Format != (int)sequence.Cache.Format)
            throw new QedException($"{path}: the session was saved with keys and values in {(KvFormat)header.Format}, and this one has {sequence.Cache.Format}; open it with the same type");
        if (!MakesSense(header, model.Config.ContextLength))
            throw Senseless();
        var window = new SlotMap(header.Capacity, header.Slides != 0, header.Sinks);
        if (!sequence.Accepts(window, header.Count, header.Reach, header.Plain != 0))
            throw new QedException($"{path}: the saved session holds {header.Count} tokens with a context of {header.Capacity}{(header.Plain != 0 ? "" : " and a mask or positions")}, and this one has {sequence.Window.Capacity}{(sequence.Window.Slides ? " and slides" : "")}; open it with the same context");
        bool reached = header.Reach == header.Count || (header.Reach > sequence.Cache.LeastSlots && sequence.Cache.CanReturn(header.Reach, header.Count));
        if (!reached || view.Length != Length(sequence.Cache, window, header, model.Config.VocabSize))
            throw Senseless();
        take?.Invoke(view.Span(view.Length - header.NoteBytes, header.NoteBytes).ToArray());
        if (!Read(view, size, header, window.Held(header.Count, header.Reach), model.Config.VocabSize, sequence))
            throw Senseless();

        QedException Senseless() => new($"{path}: the saved session makes no sense; delete it or save it again");
    }

    /// <summary>Whether a file is a session's, of whatever version, or an empty one.</summary>
    public static bool MayReplace(string path)
    {
        try
        {
            if (FileStatus.Of(path) is not { Length: > 0 })
                return true; // not opened: a named pipe would wait for a writer
            using Stream file = InputFile.OpenRead(path);
            Span<byte> begin = stackalloc byte[Kind.Length];
            return file.ReadAtLeast(begin, begin.Length, throwOnEndOfStream: false) == begin.Length && begin.SequenceEqual(Kind);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or NotSupportedException)
        {
            return false;
        }
    }

    private static bool MakesSense(in Header header, int longest) =>
        header.Capacity >= 1 && header.Capacity <= longest && header.Count >= 0 && header.Reach >= header.Count
        && header.Sinks >= 0 && header.Sinks <= Math.Min(SlotMap.MaxSinks, header.Capacity / 2)
        && (header.Slides != 0 ? header.Masked == 0 : header.Reach <= header.Capacity)
        && header.NoteBytes is >= 0 and <= RequestLimits.JsonBytes
        && (header.Masked == 0 || header.Plain == 0) && (header.HasLogits == 0 || header.Count > 0);

    private static MappedFile Open(string path)
    {
        try
        {
            return MappedFile.Open(path);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or NotSupportedException or ArgumentException)
        {
            throw QedException.Unreadable(path, e);
        }
    }

    /// <summary>Takes over what the header describes; false, and nothing changed, where ids, mask, logits, keys or values make no sense.</summary>
    private static bool Read(NativeView view, long position, in Header header, int slots, int vocab, Sequence sequence)
    {
        NativeView Next(long bytes)
        {
            NativeView part = view.Slice(position, bytes);
            position += bytes;
            return part;
        }
        ReadOnlySpan<int> ids = MemoryMarshal.Cast<byte, int>(Next((long)slots * sizeof(int)).Span(0, slots * sizeof(int)));
        ReadOnlySpan<byte> mask = header.Masked != 0 ? Next(slots).Span(0, slots) : default;
        ReadOnlySpan<float> logits = header.HasLogits != 0 ? MemoryMarshal.Cast<byte, float>(Next((long)vocab * sizeof(float)).Span(0, vocab * sizeof(float))) : default;
        if (ids.ContainsAnyExceptInRange(0, vocab - 1) || mask.ContainsAnyExceptInRange((byte)0, (byte)1) || !FiniteCheck.Floats(logits))
            return false;
        NativeView parts = view.Slice(position, view.Length - header.NoteBytes - position);
        if (!sequence.Cache.AreSound(parts, header.Count, header.Reach))
            return false;
        sequence.Cache.CopyFrom(parts, header.Count, header.Reach, header.Count);
        sequence.Restore(header.Count, header.Reach, header.Plain != 0, ids, mask, logits);
        return true;
    }

    private static Header Describe(QedModel model, Sequence sequence, int noteBytes)
    {
        SlotMap window = sequence.Window;
        var header = new Header
        {
            Magic = Magic,
            Fingerprint = model.Fingerprint,
            Format = (int)sequence.Cache.Format,
            Capacity = window.Capacity,
            Sinks = window.Sinks,
            Slides = window.Slides ? 1 : 0,
            Count = sequence.Count,
            Masked = sequence.Masked ? 1 : 0,
            HasLogits = sequence.HasLogits ? 1 : 0,
            Reach = sequence.Reach,
            Plain = sequence.Plain ? 1 : 0,
            NoteBytes = noteBytes,
        };
        header.Length = Length(sequence.Cache, window, header, model.Config.VocabSize);
        return header;
    }

    private static long Length(KvCache cache, SlotMap window, in Header header, int vocab)
    {
        long ids = window.Held(header.Count, header.Reach);
        return Marshal.SizeOf<Header>() + ids * sizeof(int) + (header.Masked != 0 ? ids : 0) + (header.HasLogits != 0 ? (long)vocab * sizeof(float) : 0) + cache.BytesOf(header.Count, header.Reach) + header.NoteBytes;
    }
}
