using System.Buffers.Binary;
using QedEdge.Memory;

namespace QedEdge.Gguf;

/// <summary>
/// A mapped GGUF file whose header was checked in full: every length, count, offset, size, alignment and type against the file's
/// size, no key or tensor twice, no two tensors' data overlapping, the header's checksum where it has one. Files of any
/// architecture can be opened and inspected. Bytes behind the last tensor are allowed and ignored (an archive's padding, a signature).
/// Instances are safe to share between threads; metadata, arrays and data become invalid when the file is disposed.
/// </summary>
public sealed class GgufFile : IDisposable
{
    /// <summary>No tensor is as large; 16 TB.</summary>
    private const long AbsurdBytes = 1L << 44;

    private readonly NativeView _view;
    private readonly IDisposable? _owner;
    private readonly Dictionary<string, GgufTensorInfo> _byName;
    private GgufFile[] _parts = [];
    private GgufTensorInfo[] _tensors;
    private int _users = 1; // the owner, and calls that read the file meanwhile
    private volatile bool _disposed;

    private GgufFile(NativeView view, string name, IDisposable? owner)
    {
        _view = view;
        _owner = owner;
        Name = name;
        var header = GgufHeader.Read(view, name);
        Version = header.Version;
        Alignment = header.Alignment;
        DataOffset = header.DataOffset;
        Metadata = new GgufMetadata(this, header.Keys, header.Entries);
        HasPackedLayout = header.Tensors.Exists(static row => TensorTypes.IsPacked(row.Type));
        // Before the ranges: where the header is proven sound, a range beyond the end means a missing end and nothing else.
        HasHeaderChecksum = CheckHeader(header);
        _tensors = Place(header.Tensors);
        _byName = _tensors.ToDictionary(static tensor => tensor.Name);
    }

    /// <summary>The path, or the name given to an embedded file.</summary>
    public string Name { get; }

    /// <summary>The format's version: 2 or 3, which have the same layout.</summary>
    public int Version { get; }

    /// <summary>The alignment of tensor data, in bytes from <see cref="DataOffset"/>.</summary>
    public int Alignment { get; }

    /// <summary>The file's length in bytes; of a split model, of all files.</summary>
    public long Length
    {
        get
        {
            long length = _view.Length;
            foreach (GgufFile part in _parts)
                length += part.Length;
            return length;
        }
    }

    /// <summary>Where tensor data start, in bytes.</summary>
    public long DataOffset { get; }

    /// <summary>The metadata.</summary>
    public GgufMetadata Metadata { get; private set; }

    /// <summary>The tensors, in the order of the table.</summary>
    public IReadOnlyList<GgufTensorInfo> Tensors => _tensors;

    /// <summary>Whether the header carries its own checksum (then it was verified).</summary>
    public bool HasHeaderChecksum { get; }

    /// <summary>Whether tensors stand in the order in which the kernels read them, and so are used in place.</summary>
    internal bool HasPackedLayout { get; }

    /// <summary>Whether only qed-convert writes such files: their header must be sound, and their tokenizer usable.</summary>
    internal bool IsOwn => HasPackedLayout || Metadata.FindString(GgufKeys.Architecture) is null or GgufKeys.Qed;

    /// <summary>Why the file was read into memory although it was to be mapped; null where it was not.</summary>
    internal string? MappingRefusal => (_owner as MappedFile)?.Refusal;

    /// <summary>The bytes of the file, and of the further files of a split model.</summary>
    internal IEnumerable<NativeView> Views => [View, .. _parts.Select(static part => part.View)];

    /// <summary>The whole file.</summary>
    internal NativeView View
    {
        get
        {
            ObjectDisposedException.ThrowIf(_disposed, this);
            return _view;
        }
    }

    /// <summary>Maps a file and reads its header.</summary>
    /// <param name="path">The file's path; of a bundle, the model in it is opened.</param>
    /// <exception cref="ModelFormatException">It cannot be read, is no GGUF file, or is short, damaged or of an unsupported kind.</exception>
    public static GgufFile Open(string path)
    {
        GgufFile file = Open(path, path);
        try
        {
            file.Join(SplitModel.Parts(file));
            return file;
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    /// <summary>As <see cref="Open(string)"/>, for a file that does not have its name yet, or is one of a split model's.</summary>
    /// <param name="path">The file's path.</param>
    /// <param name="name">What errors call it.</param>
    internal static GgufFile Open(string path, string name)
    {
        MappedFile mapped;
        try
        {
            mapped = MappedFile.Open(path);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException or NotSupportedException or ArgumentException)
        {
            throw new ModelFormatException(ModelFault.Unreadable, name, ExplainUnreadable(path, exception), inner: exception);
        }
        try
        {
            return !mapped.View.StartsWith("GGUF"u8) && ModelBundle.Find(path) is { } bundle ? Open(mapped.View.Slice(bundle.ModelOffset, bundle.ModelLength), name, mapped) : Open(mapped.View, name, mapped);
        }
        catch
        {
            mapped.Dispose();
            throw;
        }
    }

    /// <summary>Opens a file and reads all of it into memory, unless its layout is plain: then it stays mapped.</summary>
    /// <param name="path">The file's path.</param>
    /// <exception cref="ModelFormatException">As <see cref="Open(string)"/>, or it does not fit into memory.</exception>
    public static GgufFile Read(string path) => Open(path).InMemory();

    /// <summary>This file, or what takes its place and was read into memory: not where the layout is plain, or it is in memory already.</summary>
    /// <exception cref="ModelFormatException">It does not fit into memory.</exception>
    internal GgufFile InMemory()
    {
        if (!HasPackedLayout || !IsMapped || _parts.Length > 0)
            return this;
        using (this)
        {
            string path = Name;
            AlignedBuffer<byte> memory;
            try
            {
                memory = new AlignedBuffer<byte>(Length);
            }
            catch (OutOfMemoryException exception)
            {
                throw new ModelFormatException(ModelFault.Unreadable, path, $"its {Length} bytes do not fit into memory; map it instead", inner: exception);
            }
            PageAdvice.PreferHuge(memory.View);
            try
            {
                MappedFile.Read(path, ModelBundle.Find(path)?.ModelOffset ?? 0, memory);
            }
            catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
            {
                memory.Dispose();
                throw new ModelFormatException(ModelFault.Unreadable, path, ExplainUnreadable(path, exception), inner: exception);
            }
            return Open(memory.View, path, memory);
        }
    }

    /// <summary>Reads a GGUF file that is part of the program: a resource stream over unmanaged memory, used in place.</summary>
    /// <param name="resource">The stream; disposed with the file.</param>
    /// <param name="name">A name for errors.</param>
    /// <exception cref="ModelFormatException">It is no GGUF file, or is short, damaged or of an unsupported kind.</exception>
    public static GgufFile Open(UnmanagedMemoryStream resource, string name) => Open(NativeView.Of(resource), name, resource);

    /// <summary>Reads a GGUF file that is already in memory: an embedded resource, or a part of another file at any offset.</summary>
    /// <param name="view">The file's bytes; must stay valid until the file is disposed.</param>
    /// <param name="name">A name for errors.</param>
    /// <param name="owner">Disposed with the file, and also when opening fails.</param>
    internal static GgufFile Open(NativeView view, string name, IDisposable? owner = null)
    {
        try
        {
            return new GgufFile(view, name, owner);
        }
        catch
        {
            owner?.Dispose();
            throw;
        }
    }

    /// <summary>Takes the further files of a split model; they are this file's from now on.</summary>
    private void Join(GgufFile[] parts)
    {
        _parts = parts;
        if (parts.Length > 0)
            Metadata = Metadata.Without(SplitModel.Keys); // as one model it is split no more: who writes it says nothing of it
        foreach (GgufFile part in parts)
        {
            foreach (GgufTensorInfo tensor in part._tensors)
            {
                if (!_byName.TryAdd(tensor.Name, tensor))
                    throw new ModelFormatException(ModelFault.Damaged, part.Name, "the tensor is in another file of the split model too", tensor: tensor.Name, offset: tensor.Offset);
                tensor.Part = part;
            }
        }
        _tensors = [.. _tensors, .. parts.SelectMany(static part => part._tensors)];
    }

    /// <summary>The tensor of a name, or null.</summary>
    /// <param name="name">The tensor's name: blk.0.attn_q.weight.</param>
    public GgufTensorInfo? Find(string name) => _byName.GetValueOrDefault(name);

    /// <summary>A tensor's index in the table.</summary>
    internal int IndexOf(GgufTensorInfo tensor) => Array.IndexOf(_tensors, tensor);

    /// <summary>Lets pages go that are not read again for now; they come back from the file. Memory that is not a file's stays: it would be zeros.</summary>
    internal void Forget(NativeView data)
    {
        if (IsMapped)
            PageAdvice.Forget(data);
    }

    private bool IsMapped => _owner is MappedFile { Refusal: null };

    /// <summary>A tensor's data, in place; aligned to <see cref="Alignment"/> relative to the file's start only if <see cref="DataOffset"/> is.</summary>
    internal NativeView Data(GgufTensorInfo tensor) =>
        // The offset of an empty tensor may lie in the padding that the file's end lacks.
        tensor.Bytes == 0 ? default : (tensor.Part ?? this).View.Slice(tensor.Offset, tensor.Bytes);

    /// <summary>Releases the mapping.</summary>
    public void Dispose()
    {
        if (_disposed)
            return;
        _disposed = true;
        Release();
    }

    /// <summary>Keeps the mapping for a call that reads it, though the file is disposed meanwhile.</summary>
    /// <exception cref="ObjectDisposedException">It was disposed.</exception>
    internal void Retain()
    {
        for (int users = Volatile.Read(ref _users); ; users = Volatile.Read(ref _users))
        {
            ObjectDisposedException.ThrowIf(users == 0 || _disposed, this);
            if (Interlocked.CompareExchange(ref _users, users + 1, users) == users)
                return;
        }
    }

    /// <summary>Ends what <see cref="Retain"/> began.</summary>
    internal void Release()
    {
        if (Interlocked.Decrement(ref _users) > 0)
            return;
        foreach (GgufFile part in _parts)
            part.Dispose();
        _owner?.Dispose();
    }

    /// <summary>Says why a path cannot be read and what to do.</summary>
    internal static string ExplainUnreadable(string path, Exception exception) => exception switch
    {
        _ when FileStatus.IsFolder(path) => "is a folder; name the .gguf file in it, or convert a checkpoint's folder with qed-convert",
        FileNotFoundException or DirectoryNotFoundException => "there is no such file; make one with qed-convert from a checkpoint's folder",
        UnauthorizedAccessException => "no permission to read the file; grant it (chmod +r) or run as its owner",
        NotSupportedException => "not a regular file; save it to disk first",
        _ => $"the file cannot be read: {exception.Message.ReplaceLineEndings(" ")}",
    };

    /// <summary>
    /// Compares the header's checksum, where the file has one, and returns whether it has. One that does not match in a file that another tool can
    /// write was copied from the file that the tool read, as quantizers do: what QedEdge said of that file is taken out then.
    /// </summary>
    private bool CheckHeader(GgufHeader.Contents header)
    {
        if (!header.Entries.TryGetValue(GgufKeys.HeaderChecksum, out var entry))
            return false;
        if (entry.Type != GgufValueType.UInt64)
            throw new ModelFormatException(ModelFault.Damaged, Name, $"must be a UInt64, not {entry.Type}", GgufKeys.HeaderChecksum, offset: entry.Start);
        if (DataOffset > Length)
            throw new ModelFormatException(ModelFault.ShortFile, Name, "the file ends in its header; download or copy it again", offset: Length);
        var bytes = _view.Span(0, checked((int)DataOffset));
        ulong stored = BinaryPrimitives.ReadUInt64LittleEndian(bytes[entry.Start..]);
        if (GgufChecksums.Header(bytes, entry.Start) == stored)
        {
            Forget(_view.Slice(0, DataOffset)); // of a large vocabulary a text needs a few pages
            return true;
        }
        if (IsOwn)
        {
            throw new ModelFormatException(ModelFault.Damaged, Name, "the header does not match its checksum: the file is damaged; download or convert it again", GgufKeys.HeaderChecksum, offset: entry.Start);
        }
        var keys = new List<string>();
        var entries = new Dictionary<string, GgufHeader.Entry>();
        foreach (string key in header.Keys)
        {
            if (GgufKeys.IsOurs(key))
                continue;
            keys.Add(key);
            entries.TryAdd(key, header.Entries[key]);
        }
        Metadata = new GgufMetadata(this, keys, entries);
        return false;
    }

    /// <summary>Checks that every tensor's data lie within the file and that none overlap.</summary>
    private GgufTensorInfo[] Place(List<GgufHeader.TensorRow> rows)
    {
        long room = Math.Max(0, _view.Length - DataOffset);
        // A sound file's offsets never pass the sum of all sizes: a larger one, or an absurd size, is damage rather than a missing end.
        ulong all = 0;
        foreach (var row in rows)
            all = Saturate(all, (ulong)row.Bytes + (ulong)Alignment);

        var placed = new GgufTensorInfo[rows.Count];
        bool ascending = true;
        for (int i = 0; i < placed.Length; i++)
        {
            var row = rows[i];
            // An empty tensor behind the last one: a file need not carry the padding before it.
            long limit = row.Bytes == 0 ? GgufHeader.AlignUp(room, Alignment) : room;
            if (row.Offset > (ulong)limit || row.Bytes > limit - (long)row.Offset)
                throw Outside(row, row.Offset > all || row.Bytes > AbsurdBytes);
            placed[i] = new GgufTensorInfo(row.Name, row.Type, row.Dimensions, DataOffset + (long)row.Offset, row.Bytes);
            ascending &= i == 0 || placed[i].Offset >= placed[i - 1].Offset;
        }

        var ordered = ascending ? placed : [.. placed.OrderBy(static tensor => tensor.Offset)];
        GgufTensorInfo? previous = null;
        foreach (var tensor in ordered)
        {
            if (tensor.Bytes == 0)
                continue;
            if (previous is not null && tensor.Offset - previous.Offset < previous.Bytes)
                throw new ModelFormatException(ModelFault.Damaged, Name, $"its data overlap those of '{previous.Name}'", tensor: tensor.Name, offset: tensor.Offset);
            previous = tensor;
        }
        return placed;
    }

    private ModelFormatException Outside(GgufHeader.TensorRow row, bool damaged) => damaged
        ? new(ModelFault.Damaged, Name, $"{row.Bytes} bytes of data {row.Offset} bytes into the data cannot lie in the file's {Length} bytes", tensor: row.Name)
        : new(ModelFault.ShortFile, Name, $"the file ends too early: {row.Bytes} bytes of data are announced {row.Offset} bytes into the data, and the file has {Length} bytes in all; download or copy it again", tensor: row.Name, offset: Length);

    private static ulong Saturate(ulong sum, ulong more) => more > ulong.MaxValue - sum ? ulong.MaxValue : sum + more;
}
