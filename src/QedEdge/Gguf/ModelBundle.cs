using System.Buffers.Binary;
using System.IO.Hashing;
using QedEdge.Memory;

namespace QedEdge.Gguf;

/// <summary>
/// An executable and a model in one file: the executable's bytes, the model at a multiple of 64 KB so that it can be mapped in place, default options, and a footer
/// that tells where they are. Executables of every system ignore what stands behind them.
/// <code>
/// footer, the file's last 64 bytes, little-endian: magic, executable length, model offset, model length, defaults length,
///         XXH3-64 of the executable, of the defaults, of the footer before it
/// </code>
/// </summary>
public sealed class ModelBundle
{
    private const int FooterBytes = 64;
    private const int Alignment = 1 << 16; // the largest page of the systems it runs on

    /// <summary>Bytes of default options.</summary>
    internal const int MostDefaults = 1 << 16;

    private readonly ulong _executableChecksum;

    private ModelBundle(string path, ReadOnlySpan<byte> footer, byte[] defaults)
    {
        Path = path;
        ExecutableLength = Field(footer, 1);
        ModelOffset = Field(footer, 2);
        ModelLength = Field(footer, 3);
        Defaults = defaults;
        _executableChecksum = (ulong)Field(footer, 5);
    }

    /// <summary>The file.</summary>
    public string Path { get; }

    /// <summary>Bytes of the executable.</summary>
    public long ExecutableLength { get; }

    /// <summary>Where the model begins.</summary>
    public long ModelOffset { get; }

    /// <summary>Bytes of the model.</summary>
    public long ModelLength { get; }

    /// <summary>The default options' bytes; empty where there are none.</summary>
    public byte[] Defaults { get; }

    private static ReadOnlySpan<byte> Magic => "QEDBNDL\u0001"u8;

    /// <summary>What a file carries, or null where it is no bundle or is not there.</summary>
    /// <param name="path">The file.</param>
    /// <exception cref="ModelFormatException">It is a bundle, and damaged; or reading failed.</exception>
    public static ModelBundle? Find(string path)
    {
        try
        {
            if (FileStatus.Of(path) is not { Length: >= FooterBytes })
                return null; // a named pipe too: opening one would wait for a writer
            using var handle = InputFile.OpenHandle(path);
            long length = RandomAccess.GetLength(handle);
            Span<byte> footer = stackalloc byte[FooterBytes];
            if (length < FooterBytes || InputFile.Read(handle, footer, length - FooterBytes) != FooterBytes || !footer.StartsWith(Magic))
                return null;
            long executable = Field(footer, 1), offset = Field(footer, 2), model = Field(footer, 3), defaults = Field(footer, 4);
            bool sound = XxHash3.HashToUInt64(footer[..^sizeof(ulong)]) == (ulong)Field(footer, 7) && executable > 0 && offset >= executable && offset % Alignment == 0
                && model > 0 && model <= length - offset && defaults >= 0 && defaults == length - FooterBytes - offset - model;
            if (!sound)
                throw new ModelFormatException(ModelFault.Damaged, path, "the bundle's footer is damaged; copy or bundle it again", offset: length - FooterBytes);
            if (defaults > MostDefaults)
                throw new ModelFormatException(ModelFault.Damaged, path, $"the bundle's default options have {defaults} bytes, and there are {MostDefaults} at most; copy or bundle it again", offset: offset + model);
            var bytes = new byte[defaults];
            if (InputFile.Read(handle, bytes, offset + model) != bytes.Length)
                return null; // changed while it is read
            if (XxHash3.HashToUInt64(bytes) != (ulong)Field(footer, 6))
                throw new ModelFormatException(ModelFault.Damaged, path, "the bundle's default options do not match their checksum; copy or bundle it again", offset: offset + model);
            return new ModelBundle(path, footer, bytes);
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException or NotSupportedException)
        {
            return null; // who opens it as a model says why
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException) // a bundle must not pass for a program without a model
        {
            throw new ModelFormatException(ModelFault.Unreadable, path, GgufFile.ExplainUnreadable(path, e), inner: e);
        }
    }

    /// <summary>Writes a bundle; it may be run where the executable may.</summary>
    /// <param name="executable">A program that looks for a bundle in itself.</param>
    /// <param name="model">A model file.</param>
    /// <param name="defaults">Default options, or empty.</param>
    /// <param name="output">The file to write; it appears only when whole.</param>
    /// <param name="overwrite">Whether an existing file is replaced.</param>
    /// <param name="cancellation">Ends the work; no file is left then.</param>
    /// <exception cref="ModelFormatException">The model is damaged.</exception>
    /// <exception cref="InvalidOptionException">The output is the executable or the model.</exception>
    /// <exception cref="QedException">A file cannot be read or written, is a bundle already, or is no executable.</exception>
    public static void Write(string executable, string model, ReadOnlySpan<byte> defaults, string output, bool overwrite, CancellationToken cancellation = default)
    {
        SeparateFiles.Check([output], executable, model);
        foreach (string part in new[] { executable, model })
        {
            if (Find(part) is not null)
                throw new QedException($"{part}: is a bundle already; take it apart first (qed bundle --extract)");
        }
        using GgufFile file = GgufFile.Open(model);
        if (GgufChecksums.Verify(file, cancellation: cancellation) is [string damaged, ..])
            throw new ModelFormatException(ModelFault.Damaged, model, "the data do not match their checksum; copy or download the file again", tensor: damaged);
        using MappedFile program = Map(executable);
        if (!IsExecutable(program.View))
            throw new QedException($"{executable}: is no executable of Linux, macOS or Windows; name a native 'qed' with --runtime");
        byte[] options = defaults.Length <= MostDefaults ? defaults.ToArray() : throw new QedException($"the default options have {defaults.Length} bytes, and there are {MostDefaults} at most");
        long offset = (program.View.Length + Alignment - 1) / Alignment * Alignment;
        UnixFileMode? mode = ModeOf(executable);
        using var bundle = new AtomicFile(output, overwrite);
        bundle.Mode = mode;
        bundle.Fill(stream =>
        {
            Copy(program.View, stream, cancellation);
            stream.Write(new byte[offset - program.View.Length]);
            Copy(file.View, stream, cancellation);
            stream.Write(options);
            stream.Write(Footer(program.View, offset, file.View.Length, options));
        });
    }

    /// <summary>Names the parts besides the model whose checksum does not match; that of the default options was compared when they were read.</summary>
    public IReadOnlyList<string> Verify()
    {
        using MappedFile file = Map(Path);
        return Checksum.Of(file.View.Slice(0, ExecutableLength)) == _executableChecksum ? [] : ["executable"];
    }

    /// <summary>Writes the executable, the model and the default options as they were.</summary>
    /// <param name="executable">The file that receives the executable.</param>
    /// <param name="model">The file that receives the model.</param>
    /// <param name="defaults">The file that receives the default options, where there are any.</param>
    /// <param name="overwrite">Whether existing files are replaced.</param>
    /// <param name="cancellation">Ends the work; no file is left then that is not whole.</param>
    /// <exception cref="InvalidOptionException">Two are the same file, or one is the bundle itself.</exception>
    /// <exception cref="QedException">A file cannot be written.</exception>
    public void Extract(string executable, string model, string defaults, bool overwrite, CancellationToken cancellation = default)
    {
        SeparateFiles.Check([executable, model, defaults], Path);
        using MappedFile file = Map(Path);
        UnixFileMode? mode = ModeOf(Path);
        using AtomicFile program = new(executable, overwrite), weights = new(model, overwrite);
        program.Mode = mode;
        program.Fill(stream => Copy(file.View.Slice(0, ExecutableLength), stream, cancellation));
        weights.Fill(stream => Copy(file.View.Slice(ModelOffset, ModelLength), stream, cancellation));
        if (Defaults.Length == 0)
            return;
        using var options = new AtomicFile(defaults, overwrite);
        options.Fill(stream => stream.Write(Defaults));
    }

    private static UnixFileMode? ModeOf(string executable) => OperatingSystem.IsWindows() ? null : FileStatus.Find(executable)?.Mode;

    private static void Copy(NativeView from, FileStream to, CancellationToken cancellation) => from.InPieces(piece =>
    {
        cancellation.ThrowIfCancellationRequested();
        to.Write(piece);
    });

    private static MappedFile Map(string path)
    {
        try
        {
            return MappedFile.Open(path);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException or NotSupportedException)
        {
            throw QedException.Unreadable(path, exception);
        }
    }

    /// <summary>ELF, Mach-O (64 bits) or PE.</summary>
    private static bool IsExecutable(NativeView file) =>
        file.Length > FooterBytes && (file.StartsWith("\u007FELF"u8) || file.StartsWith([0xCF, 0xFA, 0xED, 0xFE]) || file.StartsWith("MZ"u8));

    private static byte[] Footer(NativeView executable, long offset, long model, byte[] defaults)
    {
        var footer = new byte[FooterBytes];
        Magic.CopyTo(footer);
        Put(1, (ulong)executable.Length);
        Put(2, (ulong)offset);
        Put(3, (ulong)model);
        Put(4, (ulong)defaults.Length);
        Put(5, Checksum.Of(executable));
        Put(6, XxHash3.HashToUInt64(defaults));
        Put(7, XxHash3.HashToUInt64(footer.AsSpan(0, FooterBytes - sizeof(ulong))));
        return footer;

        void Put(int field, ulong value) => BinaryPrimitives.WriteUInt64LittleEndian(footer.AsSpan(sizeof(ulong) * field), value);
    }

    private static long Field(ReadOnlySpan<byte> footer, int field) => BinaryPrimitives.ReadInt64LittleEndian(footer[(sizeof(ulong) * field)..]);
}
